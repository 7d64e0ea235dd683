"""The road to a write: checked, noted, sent, recorded, whatever happens between two of these."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import update

from sandbox.docebo.platform import API_USER_ID
from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.planning.named import plan_named, read_named
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.realtime.serving import InboxLease
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.engine.reporting.outcomes import table as report_table
from slack_docebo.engine.reporting.status import status
from slack_docebo.engine.writing.adapting import TRIED
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.engine.writing.left_behind import settle_sent_by
from slack_docebo.errors import AccessDenied, Frozen, Halted, RemoteError, ToBeContinued
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.safe_points import tell_to_end
from slack_docebo.settings import Settings
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import PlanKind, PlanState
from slack_docebo.storage.schema import plan as plans
from slack_docebo.storage.store import Store
from tasks.plan_named_users import plan_named_users
from tests.between import Answer, Call, between, in_json, showing
from tests.ending import a_process_that_ends
from tests.firewall import POISON, firewall
from tests.importing import ON, mapped, plan_import, prove, run_import, settings_for
from tests.integration.realtime_world import world

BATCH = "POST /manage/v1/user/batch"
NOW = timedelta(0)
TITLES = {**ON, "ATTRIBUTES": "first_name, last_name, email, field_13 = title"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=140, docebo_users=0, rate_limits=False) as running:
        yield running


@pytest.fixture
def small_sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        yield running


@pytest.mark.parametrize(
    ("status", "outcome", "told"),
    [
        (400, Outcome.FAILED, "Docebo refuses"),
        (403, Outcome.FAILED, "Docebo refuses"),
        (413, Outcome.FAILED, "Docebo refuses"),
        (500, Outcome.SKIPPED, "Docebo fails"),  # by which nobody can tell whether the row was done
    ],
)
@pytest.mark.variants(1)
async def test_a_text_for_which_a_firewall_refuses_the_whole_call_keeps_nobody_else_from_an_account(
    sandbox, sqlite_url, status, outcome, told
):
    poisonous = next(user for user in sandbox.slack if sandbox_member(user))
    sandbox.slack.change(poisonous["id"], {"profile": {"title": POISON}})
    with firewall(sandbox.docebo_url, status) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url, docebo_timeout_seconds=2)
        summary = await run_import(settings, rows=TITLES)

    assert summary.count(Kind.CREATE, outcome=outcome) == 1
    assert summary.count(Kind.CREATE, outcome=Outcome.APPLIED) > 100
    assert summary.count(outcome=Outcome.PLANNED) == 0
    assert sum(summary.plan.facts["calls"].values()) < 45
    with Store.open(sqlite_url) as store, store.reading() as tables:
        [left] = [row for row in tables.operations.rows(summary.plan.id) if row.outcome is outcome]
    assert left.error.startswith(f"{told} ")


@pytest.mark.long
async def test_why_a_call_was_refused_for_one_person_is_whole_only_in_the_owners_report(sandbox, sqlite_url, tmp_path):
    poisonous = next(user for user in sandbox.slack if sandbox_member(user))
    sandbox.slack.change(poisonous["id"], {"profile": {"title": POISON}})
    saying = json.dumps({"message": ["Refused, ask Grace Hopper"], "code": 1006, "status": 400}).encode()
    with firewall(sandbox.docebo_url, 400, saying=saying) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url, docebo_timeout_seconds=2)
        done = await run_import(settings, rows=TITLES)

    with Store.open(sqlite_url) as store:
        [why] = [
            str(row["why"])
            for row in report_table(store, done.plan.id, PeopleShown.IDS)
            if row["outcome"] == Outcome.FAILED
        ]
        files = write_files(store, done.plan.id, tmp_path / "reports").written
    assert "Refused, … (code 1006)" in why
    assert "Hopper" not in why
    assert all("Refused, ask Grace Hopper" in file.read_text() for file in files)


@pytest.mark.long
async def test_a_docebo_that_refuses_every_row_stops_the_run_after_a_few_calls(sandbox, sqlite_url):
    with firewall(sandbox.docebo_url, 400, b"firstname") as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        with pytest.raises(RemoteError):
            await run_import(settings)
    assert sandbox.docebo_gate.counters.rows["created"] == 0


async def test_a_grant_that_is_refused_stops_the_run_and_fails_nobody(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    async with open_runtime(settings, read_rows(table(ON)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        sandbox.docebo.edit(API_USER_ID, {"level": "user"})
        begin(runtime, plan_id)
        with pytest.raises(AccessDenied):
            await apply_accounts(runtime, plan_id, lambda _: None)
        assert finish(runtime, plan_id).count(outcome=Outcome.FAILED) == 0


def sandbox_member(user: dict) -> bool:
    marks = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_invited_user", "is_stranger")
    return (
        not any(user.get(mark) for mark in marks) and bool(user["profile"].get("email")) and user["id"] != "USLACKBOT"
    )


async def die_before_recording(runtime: Runtime, plan_id: str, monkeypatch) -> None:
    """Apply the plan up to where the outcome of its first call would be recorded, and die there."""
    begin(runtime, plan_id)
    with monkeypatch.context() as patch:
        patch.setattr("slack_docebo.engine.writing.applying.record", _dies)
        with pytest.raises(Died):
            await apply_accounts(runtime, plan_id, lambda _: None)


async def import_that_dies(settings: Settings, rows: dict[str, str], monkeypatch, *, ago: timedelta = NOW) -> str:
    """Begin an import, the run *dies*, that dies before it has recorded anything; return its plan's id."""
    async with open_runtime(settings, read_rows(table(rows)), run_id="dies") as runtime:
        monkeypatch.setattr(runtime, "now", lambda: datetime.now(UTC) - ago)
        dead = await plan_import(runtime)
        await die_before_recording(runtime, dead, monkeypatch)
    return dead


@pytest.mark.long
async def test_what_a_dead_run_has_sent_is_recorded_for_it_by_the_next(sandbox, sqlite_url, monkeypatch):
    settings = settings_for(sandbox.facts(), sqlite_url)
    dead = await import_that_dies(settings, ON, monkeypatch)
    made = sandbox.docebo_gate.counters.rows["created"]

    await run_import(settings)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        outcomes = [outcome for _, _, outcome, count in tables.operations.tally(dead) for _ in range(count)]
        assert outcomes.count(Outcome.APPLIED) == made > 0
        assert tables.intents.of(dead) == set()
    assert sandbox.docebo_gate.counters.rows["failed"] == 0


def joins(sandbox: Sandbox) -> None:
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")


def who_joined_last(sandbox: Sandbox) -> str:
    return str(sandbox.slack.at(len(sandbox.slack) - 1)["id"])


def leaves(sandbox: Sandbox) -> None:
    sandbox.slack.deactivate(who_joined_last(sandbox))


def returns(sandbox: Sandbox) -> None:
    sandbox.slack.reactivate(who_joined_last(sandbox))


def has_no_title(sandbox: Sandbox) -> None:
    sandbox.slack.change(who_joined_last(sandbox), {"profile": {"title": ""}})


def has_another_title(sandbox: Sandbox) -> None:
    sandbox.slack.change(who_joined_last(sandbox), {"profile": {"title": "Engineer"}})


@pytest.mark.parametrize(
    ("before", "sent", "then", "road"),
    [
        ([joins], leaves, returns, "import"),
        ([joins], leaves, returns, "event"),
        ([joins], leaves, returns, "by name"),
        ([joins, leaves], returns, leaves, "event"),
        ([], joins, leaves, "import"),
    ],
)
@pytest.mark.variants(1)
async def test_what_a_dead_run_has_sent_is_known_before_the_next_one_plans_for_the_person(
    small_sandbox, sqlite_url, tmp_path, monkeypatch, before, sent, then, road
):
    rows = {**ON, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "SOURCE_MAY_SHRINK": "100"}
    settings = settings_for(small_sandbox.facts(), sqlite_url)
    small_sandbox.slack.add("Bob", "Babbage", "bob@example.com")
    await run_import(settings, rows=rows)
    for happens in before:
        happens(small_sandbox)
        await run_import(settings, rows=rows)
    sent(small_sandbox)
    await import_that_dies(settings, rows, monkeypatch)
    then(small_sandbox)

    if road == "import":
        await run_import(settings, rows=rows)
    elif road == "by name":
        async with open_runtime(settings, read_rows(table(rows)), run_id="named") as runtime:
            people = await read_named(runtime, [who_joined_last(small_sandbox)], [])
            plan_id = await plan_named_users.fn(runtime, await validate(runtime), people)
            begin(runtime, plan_id)
            await apply_accounts(runtime, plan_id, lambda _: None)
    else:
        async with world(small_sandbox, sqlite_url, tmp_path, **rows) as here:
            here.put(here.event(who_joined_last(small_sandbox)))
            await here.serve()

    is_open = [account.active for account in small_sandbox.docebo.accounts.by_email("ada@example.com")]
    assert is_open == [then is returns]


@pytest.mark.parametrize("ahead", [0, 5], ids=["", "whose clock was ahead"])
@pytest.mark.variants(1)
async def test_an_account_that_the_next_run_has_made_is_not_recorded_as_that_of_a_run_that_died_before_its_call(
    small_sandbox, sqlite_url, monkeypatch, ahead
):
    settings = settings_for(small_sandbox.facts(), sqlite_url)
    small_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    async with open_runtime(settings, read_rows(table(ON)), run_id="dies") as runtime:
        dead = await plan_import(runtime)
        begin(runtime, dead)
        with monkeypatch.context() as patch:
            patch.setattr("slack_docebo.engine.writing.calls.Calls.upsert", Mock(side_effect=Died))
            with pytest.raises(Died):
                await apply_accounts(runtime, dead, lambda _: None)
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        created_at = tables.plans.read(dead).created_at + timedelta(minutes=ahead)
        tables.connection.execute(update(plans).where(plans.c.id == dead).values(created_at=created_at))

    done = await run_import(settings)

    assert done.count(Kind.CREATE, outcome=Outcome.APPLIED) > 0
    with Store.open(sqlite_url) as store, store.reading() as tables:
        assert Outcome.APPLIED not in {outcome for _, _, outcome, _ in tables.operations.tally(dead)}
        assert tables.intents.of(dead) == set()


def not_showing(hidden: list[str]) -> Callable[[Call, Any], Any]:
    """Let no list and no search of Docebo's show the accounts with the usernames that are *hidden* by then."""

    def changed(call: Call, answer: Any) -> Any:
        if not call.path.startswith("/manage/v1/user?"):
            return None
        return showing(answer, lambda one: one["username"] not in hidden)

    return changed


@pytest.mark.parametrize("refuses", ["the row", "the call"])
@pytest.mark.variants(1)
async def test_whose_account_is_not_shown_for_hours_after_a_run_has_died_is_not_recorded_as_failed(
    small_sandbox, sqlite_url, monkeypatch, refuses
):
    small_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    hidden: list[str] = []

    def refused(call: Call) -> Answer | None:
        is_refused = hidden and refuses == "the call" and call.path.endswith("/user/batch")
        return in_json({"message": ["username already exists"]}, 400) if is_refused else None

    with between(small_sandbox.docebo_url, refused, not_showing(hidden)) as docebo:
        settings = settings_for({**small_sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        dead = await import_that_dies(settings, ON, monkeypatch, ago=timedelta(hours=3))
        hidden += [account.username for account in small_sandbox.docebo.accounts if account.provisioned_by]
        later = await run_import(settings)
        hidden.clear()
        async with open_runtime(settings, read_rows(table(ON)), run_id="goes on") as runtime:
            await apply_saved(runtime, dead, lambda _: None)

    assert (later.failed, later.skipped) == (0, 1)
    with Store.open(sqlite_url) as store, store.reading() as tables:
        [skipped] = [row for row in tables.operations.rows(later.plan.id) if row.outcome is Outcome.SKIPPED]
        [made] = [row for row in tables.operations.rows(dead) if row.operation.kind is Kind.CREATE]
    assert skipped.error.startswith(
        ("the username or the e-mail address is another account's", "Docebo refuses this person's row")
    )
    assert skipped.error.endswith("it was sent before, and nobody can tell whether it was done")
    assert made.outcome is Outcome.APPLIED


@pytest.mark.long
async def test_whose_address_is_another_one_after_a_run_has_died_gets_no_account_beside_one_that_is_not_shown_yet(
    small_sandbox, sqlite_url, monkeypatch
):
    ada = small_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    hidden: list[str] = []

    with between(small_sandbox.docebo_url, changed=not_showing(hidden)) as docebo:
        settings = settings_for({**small_sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        await import_that_dies(settings, ON, monkeypatch, ago=timedelta(hours=3))
        made = [account.username for account in small_sandbox.docebo.accounts if account.provisioned_by]
        hidden += made
        small_sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})
        later = await run_import(settings)

    assert [account.username for account in small_sandbox.docebo.accounts if account.provisioned_by] == made
    assert later.undecided == 1


async def import_that_dies_before_its_call(settings: Settings, rows: dict[str, str], monkeypatch) -> str:
    """Begin an import that has noted what it is about to send, and dies before it does; return its plan's id."""
    async with open_runtime(settings, read_rows(table(rows)), run_id="dies") as runtime:
        dead = await plan_import(runtime)
        begin(runtime, dead)
        with monkeypatch.context() as patch:
            patch.setattr("slack_docebo.engine.writing.sending.Sender._call", Mock(side_effect=Died))
            with pytest.raises(Died):
                await apply_accounts(runtime, dead, lambda _: None)
    return dead


def without_status_and_fields(call: Call, answer: Any) -> Any:
    """The view of one account, as some platforms show it."""
    if not re.fullmatch(r"/manage/v1/user/\d+", call.path):
        return None
    data = answer["data"]
    shown = {name: value for name, value in data["user_data"].items() if name not in {"valid", "status"}}
    return answer | {"data": {"user_data": shown}}


FIELD = {"ATTRIBUTES": 'first_name, last_name, field:"Unit" = title clear'}


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        pytest.param(returns, {"LEAVERS": "deactivate"}, id="an activation"),
        pytest.param(has_no_title, FIELD, id="an empty field"),
        pytest.param(leaves, {"LEAVERS": "deactivate"}, id="a deactivation"),
        pytest.param(has_another_title, FIELD, id="a field"),
    ],
)
@pytest.mark.variants(1)
async def test_what_a_dead_run_was_about_to_send_is_not_recorded_as_done(
    small_sandbox, sqlite_url, monkeypatch, change, rows
):
    rows = {**ON, "LIMIT_DEACTIVATIONS": "none", "SOURCE_MAY_SHRINK": "100", **rows}
    small_sandbox.docebo.add_field("Unit", "textfield", mandatory=False, invisible_to_user=False)
    small_sandbox.slack.add("Ada", "Lovelace", "ada@example.com", {"profile": {"title": "Pilot"}})
    with between(small_sandbox.facts()["docebo_url"], changed=without_status_and_fields) as url:
        settings = settings_for({**small_sandbox.facts(), "docebo_url": url}, sqlite_url)
        prove(settings)
        await run_import(settings, rows=rows)
        if change is returns:
            leaves(small_sandbox)
            await run_import(settings, rows=rows)
        change(small_sandbox)
        dead = await import_that_dies_before_its_call(settings, rows, monkeypatch)

        async with open_runtime(settings, read_rows(table(rows)), run_id="looks") as runtime:
            await settle_sent_by(runtime, dead)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        assert [entry.outcome for entry in tables.operations.rows(dead)] == [Outcome.PLANNED]


@pytest.mark.long
async def test_a_dead_run_gets_no_credit_for_what_an_event_has_brought_about_since(
    small_sandbox, sqlite_url, tmp_path, monkeypatch
):
    settings = settings_for(small_sandbox.facts(), sqlite_url)
    ada = small_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings)
    small_sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    dead = await import_that_dies_before_its_call(settings, ON, monkeypatch)
    async with world(small_sandbox, sqlite_url, tmp_path) as here:
        here.put(here.event(ada))
        await here.serve()
        [served] = here.plans()

    await run_import(settings)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        [of_dead], [of_event] = (list(tables.operations.rows(plan_id)) for plan_id in (dead, served.id))
    assert (of_dead.outcome, of_event.outcome) == (Outcome.SKIPPED, Outcome.APPLIED)
    assert of_dead.error.startswith("another run has written the same meanwhile")


@pytest.mark.parametrize("by", ["its plan", "its flow run"])
@pytest.mark.variants(1)
async def test_what_a_dead_run_has_sent_can_be_undone_at_once(small_sandbox, sqlite_url, monkeypatch, by):
    settings = settings_for(small_sandbox.facts(), sqlite_url)
    small_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    dead = await import_that_dies(settings, ON, monkeypatch)
    of = dead if by == "its plan" else "dies"

    async with open_runtime(settings, read_rows(table(ON)), run_id="undoes") as runtime:
        await settle_sent_by(runtime, of)
        await apply_saved(runtime, plan_undo(runtime, of, deactivate_created=True), lambda _: None)

    made = [account for account in small_sandbox.docebo.accounts if account.provisioned_by]
    assert [account.active for account in made] == [False]


@pytest.mark.long
async def test_what_a_dead_run_has_changed_is_recorded_also_where_the_view_of_an_account_lacks_it(
    small_sandbox, sqlite_url, monkeypatch
):
    settings, rows = settings_for(small_sandbox.facts(), sqlite_url), {**ON, "ATTRIBUTES": "first_name, language"}
    ada = small_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    small_sandbox.slack.change(ada, {"locale": "de-DE"})
    dead = await import_that_dies(settings, rows, monkeypatch)

    await run_import(settings, rows=rows)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        assert [entry.outcome for entry in tables.operations.rows(dead)] == [Outcome.APPLIED]


@pytest.mark.long
@pytest.mark.parametrize("ago", [timedelta(hours=2), timedelta(0)])
async def test_what_a_dead_run_for_named_people_has_sent_is_recorded_by_the_next_import(
    sandbox, sqlite_url, monkeypatch, ago
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    async with open_runtime(settings, read_rows(table(ON)), run_id="dies") as runtime:
        monkeypatch.setattr(runtime, "now", lambda: datetime.now(UTC) - ago)
        workspace = await validate(runtime)
        dead = await plan_named(runtime, workspace, await read_named(runtime, [ada], []))
        await die_before_recording(runtime, dead, monkeypatch)

    await run_import(settings)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        assert [entry.outcome for entry in tables.operations.rows(dead)] == [Outcome.APPLIED]
        assert tables.intents.of(dead) == set()


@pytest.mark.variants(1)
@pytest.mark.parametrize(
    ("lock", "outcome"),
    [
        ("free", Outcome.APPLIED),
        pytest.param("of another run", Outcome.APPLIED, marks=pytest.mark.long),
        ("of this run", Outcome.PLANNED),
    ],
)
async def test_what_a_run_for_events_has_sent_is_recorded_by_an_import_once_the_run_cannot_be_at_work(
    sandbox, sqlite_url, tmp_path, monkeypatch, lock, outcome
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    async with world(sandbox, sqlite_url, tmp_path) as here:
        with InboxLease(here.runtime) as lease:
            assert lease.take()
            here.put(here.event(ada))
            with monkeypatch.context() as patch:
                patch.setattr("slack_docebo.engine.writing.applying.record", _dies)
                with pytest.raises(Died):
                    await here.serve()
            if lock != "of this run":
                lease.hand_back()
            if lock == "of another run":
                lease.take()

            await run_import(settings)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        [plan] = tables.plans.recent(9, PlanKind.REALTIME_SYNC)
        assert [entry.outcome for entry in tables.operations.rows(plan.id)] == [outcome]
        assert bool(tables.intents.of(plan.id)) == (outcome is Outcome.PLANNED)


async def test_of_what_another_run_has_written_over_before_its_outcome_was_recorded_nobody_says_that_it_was_not_done(
    small_sandbox, sqlite_url, monkeypatch
):
    settings = settings_for(small_sandbox.facts(), sqlite_url)
    ada = small_sandbox.slack.add("Ada", "Byron", "ada@example.com")["id"]
    await run_import(settings)
    small_sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    async with open_runtime(settings, read_rows(table(ON)), run_id="is retried") as runtime:
        first = await plan_import(runtime)
        await die_before_recording(runtime, first, monkeypatch)
        small_sandbox.slack.change(ada, {"profile": {"last_name": "Lovelace"}})
        async with open_runtime(settings, read_rows(table(ON)), run_id="of named people") as other:
            named = await plan_named(other, await validate(other), await read_named(other, [ada], []))
            begin(other, named)
            await apply_accounts(other, named, lambda _: None)

        await apply_accounts(runtime, first, lambda _: None)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        [row] = [row for row in tables.operations.rows(first) if row.operation.kind is Kind.UPDATE]
        assert row.outcome is Outcome.SKIPPED
        assert row.error.endswith("it was sent before, and nobody can tell whether it was done")
    assert small_sandbox.docebo.accounts.by_username("ada@example.com").lastname == "Lovelace"


@pytest.mark.long
@pytest.mark.parametrize(("age", "taken", "asked"), [(30, 10, False), (70, 10, True), (70, 40, False), (130, 60, True)])
async def test_a_plain_change_rests_on_a_list_of_an_hour_or_of_twice_the_time_it_took(
    sandbox, sqlite_url, age, taken, asked
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings)
    sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    async with open_runtime(settings, read_rows(table(ON)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)
        runtime.listing.began_at -= timedelta(minutes=age)
        runtime.listing.took = timedelta(minutes=taken)
        await apply_accounts(runtime, plan_id, lambda _: None)

        assert runtime.evidence.calls == int(asked)
        assert finish(runtime, plan_id).count(Kind.UPDATE, outcome=Outcome.APPLIED) == 1


class Died(BaseException):
    """The run's process is gone: nothing that it would do about an error is done."""


def _dies(_runtime: object, _plan_id: str, _batch: object, results: list[RowOutcome]) -> None:
    if results:
        raise Died


async def test_an_order_to_stop_is_met_before_the_next_batch_and_taken_back(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    async with open_runtime(settings, read_rows(table(ON)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)
        calls = []

        def stop_now(rows: int) -> None:
            if rows and not calls:
                calls.append(rows)
                with runtime.store.transaction() as tables:
                    tables.halts.stop(settings.docebo_url, "audit", now=runtime.now())

        with pytest.raises(Halted, match="audit"):
            await apply_accounts(runtime, plan_id, stop_now)
        made = sandbox.docebo_gate.counters.rows["created"]
        assert made == calls[0]

        with runtime.store.transaction() as tables:
            assert tables.halts.go(settings.docebo_url)
        await apply_accounts(runtime, plan_id, stop_now)
        assert sandbox.docebo_gate.counters.rows["created"] > made


@pytest.mark.parametrize("meanwhile", ["somebody is forgotten", "everything is stopped"])
@pytest.mark.variants(1)
async def test_what_a_call_has_done_is_recorded_where_its_refused_rows_may_not_be_tried_otherwise(
    small_sandbox, sqlite_url, meanwhile
):
    refused, forgotten, *others = [
        str(small_sandbox.slack.add("New", f"Comer {n}", f"comer{n}@example.com")["id"]) for n in range(4)
    ]
    small_sandbox.slack.change(refused, {"tz": "Mars/Olympus"})
    disturbed: list[int] = []

    def disturb(call: Call, answer: Any) -> None:
        if call.path.endswith("/user/batch") and not disturbed:
            disturbed.append(len(answer["data"]))
            with Store.open(sqlite_url) as store, store.transaction() as tables:
                if meanwhile == "somebody is forgotten":
                    tables.journal.forget(forgotten)
                else:
                    tables.halts.stop(docebo, "audit", now=datetime.now(UTC))

    with between(small_sandbox.docebo_url, changed=disturb) as docebo:
        settings = settings_for({**small_sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        prove(settings)
        with nullcontext() if meanwhile == "somebody is forgotten" else pytest.raises(Halted):
            await run_import(settings, rows={"ATTRIBUTES": "email, first_name, last_name, time_zone"})

    with Store.open(sqlite_url) as store, store.reading() as tables:
        [plan] = tables.plans.recent(1)
        became = {one.operation.slack_id: one.outcome for one in tables.operations.rows(plan.id)}
    assert disturbed == [4]
    assert [became[slack_id] for slack_id in others] == [Outcome.APPLIED] * 2
    assert mapped(sqlite_url, small_sandbox.slack.team.id).keys() >= set(others)


@pytest.mark.long
async def test_whose_account_was_made_without_a_refused_value_as_the_plan_changed_is_not_told_as_refused(
    small_sandbox, sqlite_url
):
    forgotten, refused = [
        str(small_sandbox.slack.add("New", f"Comer {n}", f"comer{n}@example.com")["id"]) for n in range(2)
    ]
    small_sandbox.slack.change(refused, {"tz": "Mars/Olympus"})
    calls: list[int] = []

    def disturb(call: Call, answer: Any) -> None:
        if call.path.endswith("/user/batch"):
            calls.append(len(answer["data"]))
            if len(calls) == 2:  # the refused row has been tried without the time zone
                with Store.open(sqlite_url) as store, store.transaction() as tables:
                    tables.journal.forget(forgotten)

    with between(small_sandbox.docebo_url, changed=disturb) as docebo:
        settings = settings_for({**small_sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        prove(settings)
        await run_import(settings, rows={"ATTRIBUTES": "email, first_name, last_name, time_zone"})

    with Store.open(sqlite_url) as store, store.reading() as tables:
        [plan] = tables.plans.recent(1)
        became = {one.operation.slack_id: one.outcome for one in tables.operations.rows(plan.id)}
        mapping = tables.mappings(docebo).of(small_sandbox.slack.team.id, [refused])[refused]
    [account] = small_sandbox.docebo.accounts.by_email("comer1@example.com")
    assert calls == [2, 1]
    assert became[refused] is Outcome.APPLIED
    assert (mapping.docebo_id, mapping.fingerprint) == (account.user_id, "")  # what is left out is written by the next


@pytest.mark.long
async def test_rows_that_were_not_tried_otherwise_as_the_plan_changed_are_tried_later(small_sandbox, sqlite_url):
    people = [
        str(small_sandbox.slack.add("New", f"Comer {n}", f"comer{n}@example.com")["id"]) for n in range(TRIED + 1)
    ]
    for slack_id in people[1:]:
        small_sandbox.slack.change(slack_id, {"tz": "Mars/Olympus"})
    calls: list[int] = []

    def disturb(call: Call, answer: Any) -> None:
        if call.path.endswith("/user/batch"):
            calls.append(len(answer["data"]))
            if len(calls) == 1:
                with Store.open(sqlite_url) as store, store.transaction() as tables:
                    tables.journal.forget(people[0])

    with between(small_sandbox.docebo_url, changed=disturb) as docebo:
        settings = settings_for({**small_sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        prove(settings)
        done = await run_import(settings, rows={"ATTRIBUTES": "email, first_name, last_name, time_zone"})

    assert calls[:2] == [TRIED + 1, TRIED]
    assert done.count(Kind.CREATE, outcome=Outcome.FAILED) == 0
    assert mapped(sqlite_url, small_sandbox.slack.team.id).keys() >= set(people[1:])


async def test_on_days_that_are_frozen_nothing_is_written_and_a_dry_run_works(sandbox, sqlite_url):
    today = datetime.now(UTC).date()
    freeze = f"{today - timedelta(days=1)} to {today + timedelta(days=1)}"
    settings = settings_for(sandbox.facts(), sqlite_url)
    async with open_runtime(settings, read_rows(table({**ON, "FREEZE": freeze})), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)

        with pytest.raises(Frozen, match=f"until the end of {today + timedelta(days=1)}"):
            await apply_accounts(runtime, plan_id, lambda _: None)

        assert sandbox.docebo_gate.counters.rows["created"] == 0
        assert "FREEZE" in status(runtime).page(next_import=None, forms={}, shown=str)


async def test_on_days_that_are_frozen_nobody_is_asked_to_let_a_plan_through_that_is_over_a_limit(sandbox, sqlite_url):
    rows = {**ON, "FREEZE": str(datetime.now(UTC).date()), "LIMIT_CREATIONS": "1"}
    settings = settings_for(sandbox.facts(), sqlite_url)
    async with open_runtime(settings, read_rows(table(rows)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)

        with pytest.raises(Frozen):
            begin(runtime, plan_id)

        kept = finish(runtime, plan_id).plan
        assert (kept.state, bool(kept.over_limit)) == (PlanState.PLANNED, True)
        assert status(runtime).over_limit == []


@pytest.mark.long
async def test_a_run_that_is_at_work_when_frozen_days_begin_ends_before_its_next_batch(
    sandbox, sqlite_url, monkeypatch
):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = read_rows(table({**ON, "FREEZE": str(tomorrow.date())}))
    async with open_runtime(settings, rows, run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)

        def past_midnight(rows: int) -> None:
            if rows:
                monkeypatch.setattr(Runtime, "now", lambda _: tomorrow)

        with pytest.raises(Frozen, match=f"until the end of {tomorrow.date()}"):
            await apply_accounts(runtime, plan_id, past_midnight)
        assert finish(runtime, plan_id).count(Kind.CREATE, outcome=Outcome.APPLIED) > 0

    made = sandbox.docebo_gate.counters.rows["created"]
    monkeypatch.undo()
    async with open_runtime(settings, read_rows(table(ON)), run_id="after") as runtime:
        await apply_saved(runtime, plan_id, lambda _: None)
    assert sandbox.docebo_gate.counters.rows["created"] > made > 0


async def test_a_run_that_is_told_to_end_does_so_before_the_next_batch_and_the_next_one_does_the_rest(
    sandbox, sqlite_url
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    async with open_runtime(settings, read_rows(table(ON)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)
        with a_process_that_ends(), pytest.raises(ToBeContinued):
            await apply_accounts(runtime, plan_id, lambda rows: tell_to_end() if rows else None)
        finish(runtime, plan_id)
        made = sandbox.docebo_gate.counters.rows["created"]
        with runtime.store.reading() as tables:
            assert not tables.intents.of(plan_id)  # nothing is under way
            recorded = tables.operations.tally(plan_id)
        assert sum(people for _, _, outcome, people in recorded if outcome is Outcome.APPLIED) == made > 0

    await run_import(settings)
    people = [account.username for account in sandbox.docebo.accounts]
    assert sandbox.docebo_gate.counters.rows["created"] > made
    assert len(people) == len(set(people))


@pytest.mark.long
@pytest.mark.parametrize(
    ("calls", "minutes"), [("1000", 0), pytest.param("0", 11, id="an old list, whatever it takes")]
)
async def test_a_leaver_whose_account_came_back_to_use_meanwhile_is_asked_for_before_it_is_deactivated(
    sandbox, sqlite_url, monkeypatch, calls, minutes
):
    rows = {**ON, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "EVIDENCE_CALLS": calls}
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=rows)
    leavers = [user for user in sandbox.slack if sandbox_member(user)][:3]
    accounts = [sandbox.docebo.accounts.by_username(leaver["profile"]["email"]) for leaver in leavers]
    for leaver in leavers:
        sandbox.slack.deactivate(leaver["id"])
    async with open_runtime(settings, read_rows(table(rows)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        sandbox.docebo.edit(accounts[0].user_id, {"level": "godadmin"})
        sandbox.docebo.edit(accounts[1].user_id, {"email": "bob@example.com", "firstname": "Bob", "lastname": "Brown"})
        begin(runtime, plan_id)
        later = runtime.now() + timedelta(minutes=minutes)
        monkeypatch.setattr(runtime, "now", lambda: later)
        await apply_accounts(runtime, plan_id, lambda _: None)
        summary = finish(runtime, plan_id)

    assert [sandbox.docebo.accounts[account.user_id].active for account in accounts] == [True, True, False]
    assert summary.count(Kind.DEACTIVATE, outcome=Outcome.SKIPPED) == 2


async def test_a_leaver_whose_account_becomes_an_administrators_while_the_call_waits_for_long_is_asked_for_again(
    small_sandbox, sqlite_url, monkeypatch
):
    rows, settings = {**ON, "LEAVERS": "deactivate"}, settings_for(small_sandbox.facts(), sqlite_url)
    leavers = [small_sandbox.slack.add(name, "Lovelace", f"{name.lower()}@example.com") for name in ("Ada", "Bob")]
    await run_import(settings, rows=rows)
    accounts = [small_sandbox.docebo.accounts.by_username(leaver["profile"]["email"]) for leaver in leavers]
    for leaver in leavers:
        small_sandbox.slack.deactivate(leaver["id"])
    async with open_runtime(settings, read_rows(table(rows)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        at_once, later = runtime.gate.call, runtime.now() + timedelta(minutes=40)

        @asynccontextmanager
        async def for_long(check=lambda: None):
            small_sandbox.docebo.edit(accounts[0].user_id, {"level": "godadmin"})
            monkeypatch.setattr(runtime, "now", lambda: later)
            async with at_once(check):
                yield

        monkeypatch.setattr(runtime.gate, "call", for_long)
        begin(runtime, plan_id)
        await apply_accounts(runtime, plan_id, lambda _: None)
        summary = finish(runtime, plan_id)

    assert [account.active for account in accounts] == [True, False]
    assert summary.count(Kind.DEACTIVATE, outcome=Outcome.SKIPPED) == 1


async def test_where_no_list_is_evidence_for_a_minute_who_leaves_is_asked_for_once(small_sandbox, sqlite_url):
    rows = {**ON, "LEAVERS": "deactivate", "EVIDENCE_MINUTES": "0"}
    settings = settings_for(small_sandbox.facts(), sqlite_url)
    ada = small_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    await run_import(settings, rows=rows)
    small_sandbox.slack.deactivate(ada["id"])

    done = await run_import(settings, rows=rows)

    assert done.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1
    assert done.plan.facts["evidence_calls"] == 3  # Slack and Docebo before she is shut out, and Docebo after


@pytest.mark.long
async def test_more_leavers_than_may_be_asked_for_are_shut_out_by_a_list_that_is_young(sandbox, sqlite_url):
    rows = {"LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "EVIDENCE_CALLS": "1"}
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=rows)
    for leaver in [user for user in sandbox.slack if sandbox_member(user)][:3]:
        sandbox.slack.deactivate(leaver["id"])

    done = await run_import(settings, rows=rows)

    assert done.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 3
    assert done.plan.facts["evidence_calls"] == 2  # before the first of them is shut out, and after


@pytest.mark.variants(1)
@pytest.mark.parametrize(("is_shown", "is_shut_out"), [("nobody", True), ("everybody else", False)])
async def test_who_leaves_is_shut_out_by_a_list_that_is_young_where_docebo_shows_nobody_by_an_id(
    sandbox, sqlite_url, is_shown, is_shut_out
):
    rows, hidden = {"LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none"}, set[str]()

    def refused_by_id(call: Call) -> Answer | None:
        is_refused = call.path.removeprefix("/manage/v1/user/") in hidden
        return in_json({"message": ["You are not authorized"]}, 403) if is_refused else None

    with between(sandbox.docebo_url, refused_by_id) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=rows)
        leaver = next(user for user in sandbox.slack if sandbox_member(user))
        account = sandbox.docebo.accounts.by_username(leaver["profile"]["email"])
        sandbox.slack.deactivate(leaver["id"])
        others = sandbox.docebo.accounts if is_shown == "nobody" else ()
        hidden |= {str(one.user_id) for one in (account, *others)}

        await run_import(settings, rows=rows)

    assert account.active is not is_shut_out
