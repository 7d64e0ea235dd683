"""The accounts that Docebo has before the first synchronisation, and how they differ from Slack."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.slack.kinds import User
from sandbox.slack.population import BOTS, CATALOGUE_SIZE, Population

# Ways an existing account relates to its person in Slack, one each among the first accounts, and how many
# of a hundred later ones; the rest are in line.
SHARE_OF_HUNDRED = {
    "other_case": 3,
    "other_username": 4,
    "twice": 2,
    "suspended": 3,
    "superadmin": 1,
    "outdated": 5,
}
# One in so many people is a stranger to Slack: customers, contractors, former identities.
NOT_IN_SLACK_EVERY = 40
# These are no people, or no colleagues, or have names that Docebo would not have stored like this.
_HAVE_NO_ACCOUNT = BOTS | {
    "no_email",
    "invited",
    "stranger",
    "guest_multi_channel",
    "guest_single_channel",
    "bracketed_name",
}
_KINDS = [kind for kind, share in SHARE_OF_HUNDRED.items() for _ in range(share)]
_KINDS += ["in_line"] * (100 - len(_KINDS))

Attributes = dict[str, Any]


@dataclass(frozen=True)
class Newcomer:
    """An account that exists from the start, and its kind."""

    kind: str
    attributes: Attributes


def newcomers(slack: Population, people: int) -> Iterator[Newcomer]:
    """Yield the accounts of the first *people* in Slack who would have one, and of some people not in Slack."""
    colleagues = (index for index in _leavers_first(slack) if slack.kind(index) not in _HAVE_NO_ACCOUNT)
    stayers = itertools.count()
    for number, index in enumerate(itertools.islice(colleagues, people)):
        left = slack.kind(index) == "deactivated"
        user = slack.user(index, kind="member" if left else None)
        kind = "leaver" if left else _kind(next(stayers))
        for attributes in _SHAPES[kind](_in_line(user)):
            yield Newcomer(kind, attributes)
        if number % NOT_IN_SLACK_EVERY == 0:
            yield Newcomer("not_in_slack", _customer(number))


def _leavers_first(slack: Population) -> Iterator[int]:
    """Yield every position, the leavers of the first few before others, so that the smallest platform has one."""
    first = range(min(CATALOGUE_SIZE, slack.size))
    yield from sorted(first, key=lambda index: slack.kind(index) != "deactivated")
    yield from range(CATALOGUE_SIZE, slack.size)


def _kind(number: int) -> str:
    if number < 2 * len(SHARE_OF_HUNDRED):
        # Every other account is an ordinary one, so that special cases are no majority on a small platform.
        return list(SHARE_OF_HUNDRED)[number // 2] if number % 2 else "in_line"
    return _KINDS[number * 37 % 100]


def _in_line(user: User) -> Attributes:
    profile = user["profile"]
    first, _, last = profile["real_name"].partition(" ")
    return {
        "username": profile["email"].casefold(),
        "email": profile["email"].casefold(),
        "firstname": profile.get("first_name", first),
        "lastname": profile.get("last_name", last),
        "timezone": user["tz"],
    }


def _customer(number: int) -> Attributes:
    address = f"customer{number}@customers.example"
    return {"username": address, "email": address, "firstname": "Customer", "lastname": str(number)}


def _other_username(account: Attributes) -> Attributes:
    handle = account["email"].partition("@")[0].replace(".", "_")
    return {**account, "username": handle}


_SHAPES: dict[str, Callable[[Attributes], list[Attributes]]] = {
    "in_line": lambda account: [account],
    "leaver": lambda account: [account],
    "other_case": lambda account: [{**account, "username": account["username"].upper()}],
    "other_username": lambda account: [_other_username(account)],
    "twice": lambda account: [account, {**account, "username": "old." + account["username"]}],
    "suspended": lambda account: [{**account, "active": False}],
    "superadmin": lambda account: [{**account, "level": "godadmin"}],
    "outdated": lambda account: [{**account, "lastname": account["lastname"] + "-Former"}],
}
