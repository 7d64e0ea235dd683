"""The rows of the table *What a Slack member can do* in docs/security.md, over real HTTP, by import and in real time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.targets import TARGETS
from slack_docebo.engine.importing import plan_import
from slack_docebo.engine.looking.explaining import explain
from slack_docebo.engine.realtime.serve_result import Became
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.storage.events import EventState
from slack_docebo.storage.shares import PER_HOUR
from tests.attribute_mapping import parse_rules
from tests.importing import carry_out
from tests.integration.realtime_world import World, world

USERS = 20

DANGEROUS = {"LEAVERS": "deactivate", "LEAVERS_OUT_OF_SCOPE": "true", "LIMIT_DEACTIVATIONS": "none"}
BOSS = "boss@example.com"

TEXTS = (
    'Lory", branch = 1, level = "godadmin',
    "=HYPERLINK(A1)",
    "Mal, Lory; U0BOSS\tadministrator",
    "{{ 7 * 7 }} [x](https://example.org) [red]x[/]",
)
OUTSIDERS: list[dict[str, Any]] = [
    {"is_restricted": True},
    {"is_restricted": True, "is_ultra_restricted": True},
    {"is_invited_user": True},
    {"team_id": "T0OTHER", "profile": {"team": "T0OTHER"}},
    {"is_stranger": True},  # as somebody of another company by Slack Connect
    {"is_bot": True},
]

Sync = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def here(shared_sandbox: Sandbox, sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, **DANGEROUS) as made:
        await by_import(made)
        yield made


async def by_import(here: World, *slack_ids: str) -> list[str]:
    """Import everybody; return what was said about *slack_ids*."""
    plan_id = await plan_import(here.runtime)
    await carry_out(here.runtime, plan_id)
    finish(here.runtime, plan_id)
    with here.runtime.store.reading() as tables:
        reasons = {row.operation.slack_id: row.operation.reason for row in tables.operations.rows(plan_id)}
    return [reasons[slack_id] for slack_id in slack_ids]


async def by_event(here: World, *slack_ids: str) -> list[str]:
    """Let Slack tell of *slack_ids*, twice; return what `explain` says about them."""
    for _ in range(2):
        events = [here.event(slack_id) for slack_id in slack_ids]
        here.put(*events)
        await here.serve()
        assert {here.state(event) for event in events} <= {EventState.APPLIED, EventState.SUPERSEDED}
    return [found.operation.reason for found in [await explain(here.runtime, slack_id) for slack_id in slack_ids]]


both = pytest.mark.parametrize("sync", [by_import, by_event], ids=["by import", "in real time"])


def target(here: World) -> dict[int, dict[str, Any]]:
    """What all accounts hold, without the times."""
    times = {"created", "updated", "last_access"}
    return {a.user_id: {k: v for k, v in asdict(a).items() if k not in times} for a in here.sandbox.docebo.accounts}


def changed(here: World, before: dict[int, dict[str, Any]]) -> dict[int, set[str]]:
    """The attributes that are not as *before*, by account."""
    differing = {i: {k for k in now if now[k] != before.get(i, {}).get(k)} for i, now in target(here).items()}
    return {docebo_id: names for docebo_id, names in differing.items() if names}


def member(here: World, place: int = 0) -> str:
    """Somebody with an ordinary account that is in line."""
    active = [i for i in here.members() if here.account(i).active and not here.sandbox.slack.get(i)["deleted"]]
    return active[place]


def mallory(here: World, email: str, **changes: Any) -> str:
    """Somebody new."""
    return str(here.sandbox.slack.add("Mal", "Lory", email, changes)["id"])


def boss(here: World, **attributes: Any) -> int:
    """An account that nobody in Slack has."""
    made = here.sandbox.docebo.accounts.add(BOSS, email=BOSS, firstname="Bea", lastname="Boss", **attributes)
    return int(made.user_id)


@both
@pytest.mark.variants(1)
async def test_names_and_titles_are_text_of_the_own_account(here, sync: Sync):
    slack_id, before = member(here), target(here)

    for text in TEXTS:
        here.sandbox.slack.change(slack_id, {"profile": {"last_name": text, "display_name": text, "title": text}})
        await sync(here, slack_id)

        assert here.account(slack_id).lastname == " ".join(text.split())
        assert changed(here, before) == {here.docebo_id(slack_id): {"lastname"}}


@pytest.mark.long
@both
async def test_new_accounts_come_into_the_branch_of_the_settings_whatever_their_profile_says(
    shared_sandbox, sqlite_url, tmp_path, sync: Sync
):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, **DANGEROUS, DESTINATION_BRANCH="42") as here:
        text = "branch=0, SLACK"
        slack_id = mallory(here, "mal@example.com", profile={"title": text, "last_name": text, "branch": "0"})

        await sync(here, slack_id)

        assert here.account(slack_id).branches == (42,)


def test_no_attribute_that_can_be_mapped_gives_rights():
    rights = {"level", "branches", "active", "password", "profile", "is_manager"}
    assert rights.isdisjoint(TARGETS)
    for target_ in rights:
        with pytest.raises(ValueError, match="unknown target"):
            parse_rules(f"{target_} = custom:Xf01")


@pytest.mark.long
async def test_a_custom_field_changes_the_mapped_field_of_the_own_account(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    field = shared_sandbox.docebo.add_field("Favourite", "textfield", mandatory=False, invisible_to_user=False)
    rules = f"first_name, last_name, email, field_{field.id} = custom:Xf0DEPARTMT"
    async with world(shared_sandbox, sqlite_url, tmp_path, **DANGEROUS, ATTRIBUTES=rules) as here:
        await by_import(here)
        slack_id, before = member(here), target(here)
        own = here.docebo_id(slack_id)

        for value in ("1", BOSS, "godadmin", "field_2 = title"):
            here.sandbox.slack.change(slack_id, {"profile": {"fields": {"Xf0DEPARTMT": {"value": value, "alt": ""}}}})
            await by_event(here, slack_id)

            assert here.account(slack_id).fields[field.id] == value
            assert changed(here, before) == {own: {"fields"}}


@both
async def test_a_mapped_member_who_takes_anothers_address_changes_the_own_account_alone(here, sync: Sync):
    docebo_id, slack_id = boss(here), member(here)
    own, before = here.docebo_id(slack_id), target(here)
    here.sandbox.slack.change(slack_id, {"profile": {"email": BOSS, "last_name": "Boss"}})

    await sync(here, slack_id)

    assert here.docebo_id(slack_id) == own != docebo_id
    assert changed(here, before) == {own: {"email", "lastname"}}


@both
async def test_an_account_that_is_mapped_is_given_to_nobody_else(here, sync: Sync):
    victim = member(here)
    before, address = target(here), here.account(victim).email
    slack_id = mallory(here, address.upper())

    await sync(here, slack_id)

    assert here.docebo_id(slack_id) is None
    assert changed(here, before) == {}


@both
@pytest.mark.parametrize("level", ["godadmin", "power_user"])
@pytest.mark.variants(2)
async def test_an_administrators_account_is_never_changed(here, sync: Sync, level):
    boss(here, level=level)
    before = target(here)
    slack_id = mallory(here, BOSS)

    await sync(here, slack_id)
    here.sandbox.slack.change(slack_id, {"profile": {"last_name": "Boss", "email": "new@example.com"}})
    await sync(here, slack_id)
    here.sandbox.slack.deactivate(slack_id)
    await sync(here, slack_id)

    assert changed(here, before) == {}


@both
async def test_a_protected_account_is_never_changed(shared_sandbox, sqlite_url, tmp_path, sync: Sync):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, **DANGEROUS, PROTECTED_ACCOUNTS="boss@*") as here:
        docebo_id, before = boss(here), target(here)
        slack_id = mallory(here, BOSS)

        await sync(here, slack_id)
        here.sandbox.slack.deactivate(slack_id)
        await sync(here, slack_id)

        assert docebo_id not in changed(here, before)


@both
@pytest.mark.parametrize("match_by", ["email", "username", "email-and-username"])
@pytest.mark.variants(2)
async def test_an_address_that_is_not_confirmed_finds_and_makes_no_account(
    shared_sandbox, sqlite_url, tmp_path, sync: Sync, match_by
):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, **DANGEROUS, MATCH_BY=match_by) as here:
        await by_import(here)
        boss(here)
        before = target(here)
        found = mallory(here, BOSS, is_email_confirmed=False)
        made = mallory(here, "mal@example.com", is_email_confirmed=False)

        reasons = await sync(here, found, made)

        assert changed(here, before) == {}
        assert here.docebo_id(found) is here.docebo_id(made) is None
        assert set(reasons) == {"address not confirmed in Slack"}


@both
@pytest.mark.long
async def test_once_the_address_is_confirmed_the_person_is_served(here, sync: Sync):
    slack_id = mallory(here, "mal@example.com", is_email_confirmed=False)
    await sync(here, slack_id)
    here.sandbox.slack.change(slack_id, {"is_email_confirmed": True})

    await sync(here, slack_id)

    assert here.account(slack_id).username == "mal@example.com"


@both
@pytest.mark.variants(1)
async def test_whose_new_address_is_not_confirmed_keeps_account_and_address(
    shared_sandbox, sqlite_url, tmp_path, sync: Sync
):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, **DANGEROUS, SCOPE_EMAIL_DOMAINS="example.com") as here:
        await by_import(here)
        slack_id, before = member(here), target(here)
        own = here.docebo_id(slack_id)
        here.sandbox.slack.change(
            slack_id, {"is_email_confirmed": False, "profile": {"email": "somebody@example.com", "last_name": "King"}}
        )
        await sync(here, slack_id)
        assert changed(here, before) == {own: {"lastname"}}

        here.sandbox.slack.change(slack_id, {"profile": {"email": "elsewhere@example.org"}})
        await sync(here, slack_id)

        assert here.docebo_id(slack_id) == own
        assert changed(here, before) == {own: {"lastname"}}


@both
@pytest.mark.variants(1)
async def test_a_handle_that_looks_like_an_id_is_a_handle(here, sync: Sync):
    slack_id, victim, before = member(here), member(here, 1), target(here)
    own, other = here.docebo_id(slack_id), here.docebo_id(victim)

    for handle in (victim, f"docebo:{other}", here.account(victim).email, str(other)):
        here.sandbox.slack.change(slack_id, {"name": handle})
        await sync(here, slack_id)

    assert (here.docebo_id(slack_id), here.docebo_id(victim)) == (own, other)
    assert changed(here, before) == {}


@both
async def test_guests_the_invited_and_people_by_slack_connect_get_no_account(here, sync: Sync):
    boss(here)
    before, people = target(here), []
    for number, changes in enumerate(OUTSIDERS):
        people.append(mallory(here, BOSS if number == 0 else f"mal{number}@example.com"))
        here.sandbox.slack.change(people[-1], changes)

    await sync(here, *people)

    assert [here.docebo_id(slack_id) for slack_id in people] == [None] * len(people)
    assert changed(here, before) == {}


@both
@pytest.mark.variants(1)
async def test_the_invited_are_served_once_they_have_confirmed_the_address(
    shared_sandbox, sqlite_url, tmp_path, sync: Sync
):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, **DANGEROUS, SCOPE_INVITED="true") as here:
        await by_import(here)
        docebo_id = boss(here)
        slack_id = mallory(here, BOSS, is_invited_user=True, is_email_confirmed=False)
        before = target(here)

        await sync(here, slack_id)
        assert changed(here, before) == {}

        here.sandbox.slack.change(slack_id, {"is_invited_user": False, "is_email_confirmed": True})
        await sync(here, slack_id)
        assert here.docebo_id(slack_id) == docebo_id


@both
@pytest.mark.variants(1)
async def test_who_leaves_and_returns_has_the_own_account_again_and_nobody_elses_changes(here, sync: Sync):
    slack_id, before = member(here), target(here)
    own = here.docebo_id(slack_id)

    here.sandbox.slack.deactivate(slack_id)
    await sync(here, slack_id)
    assert changed(here, before) == {own: {"active"}}

    here.sandbox.slack.reactivate(slack_id)
    await sync(here, slack_id)
    assert changed(here, before) == {}
    assert here.docebo_id(slack_id) == own


@pytest.mark.long
async def test_a_thousand_changes_of_one_member_cost_a_share_and_keep_nobody_waiting(here):
    attacker, victim = member(here), member(here, 1)
    with here.runtime.store.transaction() as tables:
        for _ in range(PER_HOUR // 2 - 5):  # all but five of those that are there at once
            tables.shares.spend([attacker], here.runtime.now())
    calls, events = here.docebo_calls, []

    for number in range(10):
        for step in range(100):
            here.sandbox.slack.change(attacker, {"profile": {"last_name": f"Churn{number} {step}"}})
            events.append(here.event(attacker))
        here.sandbox.slack.change(victim, {"profile": {"last_name": f"Other{number}"}})
        other = here.event(victim)
        here.put(*events[-100:], other)
        await here.serve()
        assert here.state(other) is EventState.APPLIED

    assert here.account(victim).lastname == "Other9"
    assert here.account(attacker).lastname.startswith("Churn")
    assert {here.state(event) for event in events} == {EventState.APPLIED, EventState.SUPERSEDED, EventState.WAITING}
    assert here.docebo_calls - calls <= 2 * 10 + 5 + 5  # the attacker's looks share the batch calls of the victim


async def test_the_newest_of_what_a_member_changed_meanwhile_is_written_in_the_end(here, monkeypatch):
    slack_id = member(here)
    with here.runtime.store.transaction() as tables:
        for _ in range(PER_HOUR):
            tables.shares.spend([slack_id], here.runtime.now())
    for name in ("First", "Second", "Third"):
        here.sandbox.slack.change(slack_id, {"profile": {"last_name": name}})
        here.put(here.event(slack_id))
    before = target(here)
    assert (await here.serve()).events == 0
    assert changed(here, before) == {}

    monkeypatch.setattr(here.runtime, "now", lambda: datetime.now(UTC) + timedelta(minutes=1, seconds=1))
    served = await here.serve()

    assert (served.events, served.count(Became.SUPERSEDED)) == (3, 2)
    assert here.account(slack_id).lastname == "Third"
