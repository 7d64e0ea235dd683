"""However Docebo and Slack answer where their documentation leaves it open, the same people end with the same accounts.

Each combination of the sandbox's switches is taken through one journey: an import with a mirror, events in real time, an
import that is undone, and imports until nothing is left to do.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest

from sandbox.docebo.switches import Switches, switched
from sandbox.server import Sandbox
from sandbox.slack.switches import SlackSwitches
from slack_docebo.clients.slack import source_user
from slack_docebo.domain.operations import Outcome
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.realtime.rounds import serve_round
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.storage.events import Event
from tests.importing import ON, run_import, settings_for

USERS, ACCOUNTS = 80, 20
DEPARTMENT = 15  # the sandbox's dropdown
SETTINGS = {
    **ON,
    "ATTRIBUTES": "email = email, first_name = first_name, last_name = last_name, language = language,"
    f" time_zone = time_zone, field_{DEPARTMENT} = title",
    "MIRROR_FIELDS": "Slack ID, Slack Name, Slack Team",
    "LEAVERS": "deactivate",
    "LIMIT_DEACTIVATIONS": "none",
}
OTHERWISE: dict[str, tuple[Any, ...]] = {
    "string_ids": (False,),
    "row_index_base": (1,),
    "validation_style": ("hard",),
    "email_as_username": (True,),
    "message_as_string": (True,),
    "not_found_as_400": (True,),
    "max_batch_rows": (50, 10),
    "batch_too_large": ("413", "503"),
    "strict_options": (True,),
    "concurrent_batch": ("409", "429"),
    "batch_language": ("code", "name"),
    "listed_language": ("name",),
    "option_form": ("label",),
    "status_answer": ("array", "silent", "ids", "rows"),
    "arrays_paged": (False,),
    "pages_by_cursor": (True,),
    "first_page": (0,),
    "more_announced": ("always", "never"),
    "lists_keyed": (True,),
    "slash_in_usernames": (True,),
    "sanitise_names": (False,),
    "fuzzy_full": (True,),
    "full_search": ("names",),
    "page_size_over_limit": ("reject",),
    "session_level": ("super_admin",),
    "scope_refused": (True,),
    "expires_in_string": (True,),
    "token_type": ("bearer",),
    "rotate_refresh_token": (False,),
    "field_id_key": ("id_field", "both"),
    "unknown_options": ("powerUser_option,send_notification_email",),
    "batch_answer": ("object", "failed", "bare"),
    "passwordless": ("refused",),
    "columns_listed": (True,),
    "branches_shown": (True,),
    "level_viewed": (False,),
    "slack_service_listed": (True,),
    # Slack's
    "most_people": (50,),
    "too_many": ("limit_required",),
    "fields_form": ("object", "missing", "list"),
    "fields_move_stamps": (False,),
    "scopes_header": (False,),
}
"""The ways in which the sandbox can be other than its default, and yet have the same people and rights."""

ELSEWHERE = {
    "limit_body": "test_docebo_client",  # of answers that there are only where something goes wrong, too
    "retry_after": "test_sandbox_faults",
    "unavailable_body": "test_docebo_client",
    "hourly_limit": "test_sandbox_docebo_api",  # the budget keeps us below it
    "unset_as_zero": "test_attribute_fields",  # fields of that type are in no other test
    "country_options": "test_dialect",  # likewise
    "session_languages": "test_dialect",  # without it a language without a name is left out
    "grants": "test_docebo_client",  # who may sign in, and how
    "superadmin": "test_doctor",
    "without_user": "test_open_questions",
    "user_level": "test_doctor",  # without a setting nobody is touched
    "platform_language": "test_docebo_client",
    "token_lifetime": "test_sandbox_docebo_api",  # of the client its 401 (token_expired)
    "real_token_lifetime": "test_sandbox_docebo_api",
    "description_lacks": "test_doctor",
    "ignored": "test_proving",  # what ends the run
    "forms_ignored": "test_proving",  # likewise, once
    "empty_ignored": "test_open_questions",
    "updates_also": "test_proving",
    "searches_behind": "test_proving",
    "branchless": "test_open_questions",
    "mandatory_in_rows": "test_open_questions",
    "managers": "test_managers",
    "names_required": "test_open_questions",
    "row_columns": "test_open_questions",
    "counted_more": "test_open_questions",
    "slow_seconds": "test_slack_client",
    "scim": "test_scim",
    "scim_lists_deactivated": "test_scim",
    "user_groups": "test_user_groups",
    "identity_team": "test_tokens",
    "token_expires_in": "test_doctor",  # the run goes on
}
"""In which tests the other switches are: with them people are left out, told of, or kept waiting."""

SINGLE = [{name: value} for name, values in OTHERWISE.items() for value in values]
Otherwise = dict[str, Any]


def pairwise(seed: int) -> list[Otherwise]:
    """Return combinations among which each two values of two switches meet: the usual ones, and two others of each."""
    drawn = random.Random(seed)
    usual = asdict(Switches()) | asdict(SlackSwitches())
    choices = {name: (usual[name], *values[:2]) for name, values in OTHERWISE.items()}
    open_ = {
        frozenset({(one, first), (other, second)})
        for one, other in combinations(choices, 2)
        for first in choices[one]
        for second in choices[other]
    }
    found = []
    while open_:
        row = dict(drawn.choice(sorted(map(sorted, open_), key=str)))
        for name in drawn.sample(sorted(choices.keys() - row), len(choices) - len(row)):
            row[name] = max(
                choices[name], key=lambda value: sum(frozenset({(name, value), pair}) in open_ for pair in row.items())
            )
        open_ -= set(map(frozenset, combinations(row.items(), 2)))
        found.append({name: value for name, value in row.items() if value != usual[name]})
    return found


def in_few() -> list[Otherwise]:
    """Return eight combinations among which, with the usual one, each two switches meet both ways.

    Each switch is otherwise in five of them, and no other one in the same five: so any two are otherwise together somewhere,
    each is so without the other somewhere, and by default neither is.
    """
    found: list[Otherwise] = [{} for _ in range(8)]
    for (name, values), five in zip(OTHERWISE.items(), combinations(range(8), 5), strict=False):
        for place in five:
            found[place][name] = values[0]
    return found


def combined(seed: int) -> Otherwise:
    """Return a combination of switches: about half of them are not as by default."""
    drawn = random.Random(seed)
    return {name: drawn.choice(values) for name, values in OTHERWISE.items() if drawn.random() < 0.5}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=USERS, docebo_users=ACCOUNTS, rate_limits=False) as running:
        yield running


@pytest.fixture(scope="module")
def usual(sandbox, tmp_path_factory) -> tuple[Any, int]:
    """Which accounts there are after the journey by default, and how many calls that takes."""
    folder = tmp_path_factory.mktemp("usual")
    return asyncio.run(travelled(sandbox, f"sqlite:///{folder}/store.db", {}))


async def travelled(sandbox: Sandbox, database_url: str, otherwise: Otherwise) -> tuple[Any, int]:
    """Take a company through the journey; return what Docebo shows after the undo and at the end, and its calls."""
    sandbox.reset()
    names = {field.name for field in fields(Switches)}
    sandbox.docebo.switches = switched(Switches(), {k: v for k, v in otherwise.items() if k in names})
    sandbox.slack.switches = replace(SlackSwitches(), **{k: v for k, v in otherwise.items() if k not in names})
    ada, grace, alan = (
        str(sandbox.slack.add(first, last, f"{first.lower()}@example.com")["id"])
        for first, last in (("Ada", "Lovelace"), ("Grace", "Hopper"), ("Alan", "Turing"))
    )
    sandbox.slack.change(ada, {"profile": {"title": "Sales"}})
    settings = settings_for(sandbox.facts(), database_url)
    await run_import(settings, rows=SETTINGS)

    sandbox.slack.change(ada, {"profile": {"last_name": "King", "title": "Engineering"}})
    sandbox.slack.deactivate(grace)
    ida = str(sandbox.slack.add("Ida", "Rhodes", "ida@example.com")["id"])
    async with open_runtime(settings, read_rows(table(SETTINGS)), run_id="events") as runtime:
        await served(runtime, sandbox, ada, grace, ida)

    sandbox.slack.change(alan, {"profile": {"first_name": "A.", "title": "Sales"}})
    changed = await run_import(settings, rows=SETTINGS)
    async with open_runtime(settings, read_rows(table(SETTINGS)), run_id="undo") as runtime:
        undone = await apply_saved(runtime, plan_undo(runtime, changed.plan.id), lambda _: None)
    assert undone.count(outcome=Outcome.APPLIED) == changed.count(outcome=Outcome.APPLIED) == 1
    then = shown(sandbox)
    for _ in range(2):
        last = await run_import(settings, rows=SETTINGS)
    assert last.count(outcome=Outcome.APPLIED) == last.count(outcome=Outcome.FAILED) == 0
    return (then, shown(sandbox)), sum(sandbox.docebo_gate.counters.calls.values())


async def served(runtime: Runtime, sandbox: Sandbox, *slack_ids: str) -> None:
    """Serve an event about each of these people."""
    workspace = await validate(runtime)
    users = [source_user(sandbox.slack.get(slack_id)) for slack_id in slack_ids]
    with runtime.store.transaction() as tables:
        now = datetime.now(UTC)
        tables.inbox.put(
            Event(
                f"Ev{user.slack_id}",
                user.team,
                user.slack_id,
                updated=user.updated,
                kind="user_change",
                received_at=now,
                profile=asdict(user),
            )
            for user in users
        )
    while await serve_round(runtime, workspace, ServeResult()):
        pass


def shown(sandbox: Sandbox) -> list[tuple[Any, ...]]:
    names = ("username", "email", "firstname", "lastname", "language", "timezone", "active")
    return sorted(
        (*(getattr(account, name) for name in names), sorted((k, v) for k, v in account.fields.items() if v))
        for account in sandbox.docebo.accounts
    )


def learning(otherwise: Otherwise) -> int:
    """Return how many calls are spent on finding out how this Docebo is, and because it takes or says less."""
    rows = otherwise.get("max_batch_rows", 100)
    calls = 2 * (USERS // rows + 8) if rows < 100 else 0  # smaller ones, and those that were refused for their size
    calls += 12 * (otherwise.get("batch_language") == "name")  # one row's attributes, one by one
    calls += 12 * (otherwise.get("passwordless") == "refused")  # likewise
    calls += 8 * (otherwise.get("scope_refused") is True)  # once in each run
    calls += 8 * (otherwise.get("option_form") == "label")
    calls += 16 * (
        otherwise.get("level_viewed") is False
    )  # each account that is asked for is looked up in the list, too
    calls += 2 * (otherwise.get("first_page") == 0)
    calls += 16 * (otherwise.get("more_announced") == "always")  # an empty page behind what nobody has counted
    if otherwise.get("batch_answer") == "failed":  # after each call the accounts are read
        calls += 2 * (USERS // rows + 10)
    return calls


@pytest.mark.parametrize(
    "otherwise",
    [
        *in_few(),
        *(pytest.param(one, marks=pytest.mark.long) for one in pairwise(seed=6)),
        *(pytest.param(one, marks=pytest.mark.long) for one in SINGLE),
        *(pytest.param(combined(seed), marks=pytest.mark.long) for seed in range(100, 300)),
    ],
    ids=lambda otherwise: ", ".join(f"{name}={value}" for name, value in otherwise.items()),
)
@pytest.mark.variants(8)  # those in which each two switches meet
async def test_however_they_answer_everybody_ends_with_the_same_account(sandbox, usual, sqlite_url, otherwise):
    end, calls = await travelled(sandbox, sqlite_url, otherwise)

    expected, usual_calls = usual
    assert end == expected
    assert calls <= usual_calls * 1.1 + learning(otherwise)


def test_each_switch_is_tried_with_each_other_or_has_a_test_of_its_own(request):
    switches = {field.name for kind in (Switches, SlackSwitches) for field in fields(kind)}
    tests = defaultdict(str)
    for file in request.config.rootpath.glob("tests/*/test_*.py"):
        tests[file.stem] += file.read_text(encoding="utf-8").casefold()

    assert switches == OTHERWISE.keys() | ELSEWHERE.keys()
    met = {pair for row in [{}, *in_few()] for pair in combinations([(name, name in row) for name in OTHERWISE], 2)}
    assert len(met) == 4 * len(list(combinations(OTHERWISE, 2)))
    assert [name for name, test in ELSEWHERE.items() if name not in tests[test]] == []
