"""Texts and tables of any size, and what works on them: each in steps, or time, in proportion to their length."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from slack_docebo.clients.docebo_accounts import AccountReader
from slack_docebo.clients.docebo_values import message_of
from slack_docebo.domain.attributes import wanted
from slack_docebo.domain.guards import parse_limit
from slack_docebo.domain.languages import Languages
from slack_docebo.domain.matching import Accounts, MatchBy, match
from slack_docebo.domain.names import clean, folded, split_name
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.quoting import quoted
from slack_docebo.domain.rules import DEFAULT_RULES
from slack_docebo.domain.scope import Scope
from slack_docebo.domain.texts import (
    address,
    armoured,
    as_json,
    bared,
    bounded,
    chat,
    composed,
    line,
    markdown,
    visible,
    without_numbers,
)
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import read_rows, rows_from_csv, table
from slack_docebo.webhook.intake import Audience, decide, read_payload
from tests.attribute_mapping import parse_rules

TIMES = 4  # as large
GROWTH = 9.0  # of what it takes for that; 4 is linear, 16 is quadratic
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ON = {"NOTIFICATION_MAIL_ID": "", "PROVISION_SLACK_USER_DATA": "true", "MAP_SLACK_USER_DATA": "true"}

NASTY: dict[str, Callable[[int], str]] = {
    "nested brackets": lambda n: "<" * n + ">" * n,
    "open brackets": lambda n: "<" * n,
    "closed brackets": lambda n: "<>" * n,
    "accents of one class": lambda n: "a" + "\u0301" * n,
    "accents of two classes": lambda n: "a" + "\u0301\u0316" * n,
    "marks that come apart": lambda n: "a" + "\u0344\u0316" * n,
    "letters of Hangul": lambda n: "\u1100\u1161\u11a8" * n,
    "what is not seen": lambda n: "\u202e\x00" * n,
    "halves of emoji": lambda n: "\ud83d" * n,
    "blanks": lambda n: " " * n + "a",
    "words": lambda n: "van 1 " * n,
    "quotes": lambda n: "'\"" * n,
    "semicolons": lambda n: "; " * n,
    "ampersands": lambda n: "&" + "a" * n,
    "underscores": lambda n: "_" * n,
    "backslashes": lambda n: "\\" * n,
    "links": lambda n: "://@" * n,
    "letters": lambda n: "a" * n,
    "addresses": lambda n: "a@" * n,
    "commas": lambda n: "," * n,
}
WORKS: dict[str, Callable[[str], object]] = {
    "clean": clean,
    "split_name": split_name,
    "folded": folded,
    "composed": composed,
    "bounded": lambda text: bounded(text, len(text) - 1),
    "visible": visible,
    "line": line,
    "markdown": markdown,
    "address": address,
    "chat": chat,
    "without_numbers": without_numbers,
    "armoured and bared": lambda text: bared(armoured(text)),
    "as_json": as_json,
    "message_of": lambda text: message_of({"message": text}),
    "quoted": quoted,
    "limit": lambda text: refused(parse_limit, text),
    "rules": lambda text: refused(parse_rules, text),
}

SIZE = 3_000  # of each of NASTY


def refused(read: Callable[[Any], object], given: Any) -> None:
    """Read what may well be refused."""
    with suppress(ValueError, ConfigurationError):
        read(given)


def event(fields: int = 0, authorizations: int = 0, name: str = "") -> bytes:
    user = {"id": "U1", "name": name, "profile": {"fields": {f"Xf{i}": {"value": "é"} for i in range(fields)}}}
    payload = {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "api_app_id": "A1"}
    payload |= {"event": {"type": "user_change", "user": user}, "authorizations": [{"team_id": "T1"}] * authorizations}
    return json.dumps(payload).encode()


def taken_in(body: bytes) -> None:
    decide(read_payload(body), Audience(), now=NOW)


def shared_address(accounts: int) -> list[Account]:
    return [Account(i, f"user{i}", "shared@example.com") for i in range(accounts)]


def matched(accounts: Accounts) -> None:
    for number in range(5):
        match(SourceUser(f"U{number}", "T1", email="shared@example.com"), accounts, None, MatchBy.BOTH)


def in_scope(scope: Scope, people: int = 20) -> None:
    for number in range(people):
        scope.reason_against(SourceUser(f"U{number}", "T1", email=f"{'a' * 200}{number}@example.com"))


def patterns(count: int) -> list[str]:
    return [f"person{number}@example.com" for number in range(count)]


def table_of(count: int) -> list[dict[str, str]]:
    return table(ON) + [{"integration": "SLACK", "key": "LEAVERS", "value": "keep"}] * count


CASES: dict[str, tuple[Callable[[Any], object], Callable[[int], Any], int]] = {
    "an event with many custom fields": (taken_in, lambda n: event(fields=n), 500),
    "an event with many authorizations": (taken_in, lambda n: event(authorizations=n), 2_000),
    "an event with a long name": (taken_in, lambda n: event(name="<" * n + ">" * n), 20_000),
    "an event with many accents": (taken_in, lambda n: event(name="a" + "\u0301\u0316" * n), 20_000),
    "accounts with one address": (Accounts, shared_address, 2_000),
    "people matched with accounts of one address": (matched, lambda n: Accounts(shared_address(n)), 500),
    "an account with a long name": (
        AccountReader(frozenset({1}), Languages()).read,
        lambda n: {
            "user_id": 1,
            "username": "<" * n,
            "email": "",
            "status": "1",
            "first_name": "a" + "\u0301\u0316" * n,
            "field_1": "é" * n,
        },
        20_000,
    ),
    "an address held against a pattern of many stars": (in_scope, lambda n: Scope(exclude=["*a" * n + "b"]), 50),
    "a pattern that begins again and again": (
        lambda n: Scope(exclude=["*a*a*a*a*b"]).reason_against(SourceUser("U1", "T1", email="a" * n)),
        lambda n: n,
        2_000,
    ),
    "people held against many patterns": (in_scope, lambda n: Scope(exclude=patterns(n), include=["*"]), 1_000),
    "an account held against many protected ones": (
        lambda protected: [shielded(Account(1, "ada", "ada@example.com"), protected) for _ in range(20)],
        lambda n: tuple(patterns(n)),
        1_000,
    ),
    "many rules": (parse_rules, lambda n: ", ".join(f"field_{i + 1} = title" for i in range(n)), 500),
    "a rule of many words": (lambda text: refused(parse_rules, text), lambda n: "first_name " + "clear " * n, 2_000),
    "a limit of many digits": (lambda text: refused(parse_limit, text), lambda n: "9" * n, 20_000),
    "many rows of one key": (lambda rows: refused(read_rows, rows), table_of, 1_000),
    "a table with many rows": (rows_from_csv, lambda n: "Integration,Key,Value\n" + "SLACK,LEAVERS,keep\n" * n, 500),
    "a message in many parts": (lambda parts: message_of({"message": parts}), lambda n: ["a"] * n, 2_000),
    "what a person is to have": (
        lambda user: wanted(user, DEFAULT_RULES, creating=True),
        lambda n: SourceUser("U1", "T1", first_name="<" * n + ">" * n, real_name="é" * n),
        2_000,
    ),
}
