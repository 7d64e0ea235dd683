"""Rows of docs/safety.md: a fault, and the accounts that it must not change."""

import asyncio
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from sandbox.slack.population import Team
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.errors import (
    AccessDenied,
    ChangeLimitExceeded,
    IncompleteRead,
    PlanNotApplicable,
    WorkspaceMismatch,
)
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.plans import PlanState
from slack_docebo.storage.store import Store
from tests.between import Call, between
from tests.importing import ON, prove, run_import, settings_for
from tests.integration.commands import environment, run, start
from tests.waiting import PATIENCE_SECONDS, until

BATCH = "POST /manage/v1/user/batch"
LEAVERS = {"LEAVERS": "deactivate"}  # the most dangerous setting there is


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(users=24, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
async def sandbox(running: Sandbox, settings: Settings) -> Sandbox:
    """A sandbox in line with Slack."""
    await settled(settings)
    running.docebo_gate.reset()
    running.slack_gate.reset()
    return running


@pytest.fixture
def settings(running: Sandbox, sqlite_url: str) -> Settings:
    running.reset()
    return settings_for(running.facts(), sqlite_url)


async def settled(settings: Settings) -> None:
    await run_import(settings, rows=LEAVERS)
    await assert_clean(settings, runs=1)


async def assert_clean(settings: Settings, *, runs: int = 2) -> None:
    """Assert that the last of so many runs finds nothing to do."""
    for _ in range(runs - 1):
        await run_import(settings, rows=LEAVERS)
    last = await run_import(settings, dry_run=True, rows=LEAVERS)

    assert to_do(last) == []


def to_do(summary: Summary) -> list:
    return [row for row in summary.tally if row[0] is not Kind.LEAVE]


def target(sandbox: Sandbox) -> dict:
    return {
        a.user_id: (a.username, a.email, a.firstname, a.lastname, a.active, a.level) for a in sandbox.docebo.accounts
    }


def somebody(sandbox: Sandbox, place: int = 0) -> tuple[str, int]:
    """Return the Slack id and the account of somebody who was created."""
    account = [a for a in sandbox.docebo.accounts if a.provisioned_by][place]
    return sandbox.slack.by_email(account.email)["id"], account.user_id


async def apply_by_id(settings: Settings, plan_id: str, rows: dict[str, str] = LEAVERS) -> Summary:
    def unseen(_rows: int) -> None:
        pass

    behaviour = read_rows(table({**ON, **rows}))
    async with open_runtime(settings, behaviour, run_id=f"later-{plan_id}") as runtime:
        return await apply_saved(runtime, plan_id, unseen)


@pytest.mark.parametrize(
    "share",
    [
        pytest.param(0.92, id="shorter by less than SOURCE_MAY_SHRINK"),
        pytest.param(0.5, id="half of it", marks=pytest.mark.long),
        pytest.param(0.0, id="empty list"),
    ],
)
async def test_a_short_or_empty_list_changes_nobody(sandbox, settings, share):
    before = target(sandbox)
    sandbox.slack_gate.faults.add("users.list", "shrinking", share=share)

    with pytest.raises(IncompleteRead):
        await run_import(settings, rows=LEAVERS)

    assert target(sandbox) == before
    await assert_clean(settings)


async def test_a_missing_scope_changes_nobody(sandbox, settings):
    before = target(sandbox)
    sandbox.slack.scopes = frozenset({"users:read"})

    with pytest.raises(AccessDenied, match=r"users:read\.email"):
        await run_import(settings, rows=LEAVERS)

    assert target(sandbox) == before
    sandbox.slack.scopes |= {"users:read.email"}
    await assert_clean(settings)


async def test_a_token_of_another_workspace_changes_nobody(sandbox, settings, sqlite_url):
    before = target(sandbox)
    with Sandbox(users=60, seed=8, rate_limits=False, team=Team(id="T0OTHER")) as other:
        strange = settings_for({**sandbox.facts(), "slack_url": other.slack_url}, sqlite_url)
        with pytest.raises(WorkspaceMismatch):
            await run_import(strange, rows=LEAVERS)

    assert target(sandbox) == before
    await assert_clean(settings)


async def test_when_half_of_the_people_are_deactivated_the_run_is_refused(sandbox, settings):
    before = target(sandbox)
    people = [user["id"] for user in sandbox.slack if not user["deleted"] and not user["is_bot"]]
    for slack_id in people[::2]:
        sandbox.slack.deactivate(slack_id)

    with pytest.raises(ChangeLimitExceeded, match="deactivate"):
        await run_import(settings, rows=LEAVERS)
    assert target(sandbox) == before

    for slack_id in people[::2]:
        sandbox.slack.reactivate(slack_id)
    await assert_clean(settings)


async def test_half_of_the_list_missing_stops_the_run_even_when_the_read_is_let_through(sandbox, settings):
    before = target(sandbox)
    sandbox.slack_gate.faults.add("users.list", "shrinking", share=0.5)

    with pytest.raises(IncompleteRead, match="who is still there"):
        await run_import(settings, rows={**LEAVERS, "SOURCE_MAY_SHRINK": "100"})

    assert target(sandbox) == before
    await assert_clean(settings)


async def test_when_many_are_gone_from_slack_without_a_trace_the_run_is_refused(sandbox, settings, sqlite_url):
    before = target(sandbox)
    rename_all(sqlite_url, "'UGONE' || slack_id")
    addresses = {user["id"]: user["profile"].get("email") for user in sandbox.slack}
    for number, slack_id in enumerate(addresses):  # else all seem to be back under another id
        sandbox.slack.change(slack_id, {"profile": {"email": f"somebody.else{number}@example.com"}})

    with pytest.raises(ChangeLimitExceeded, match="deactivate"):
        await run_import(settings, rows=LEAVERS)

    assert target(sandbox) == before
    rename_all(sqlite_url, "substr(slack_id, 6)")
    for slack_id, address in addresses.items():
        sandbox.slack.change(slack_id, {"profile": {"email": address}})
    await assert_clean(settings)


@pytest.fixture
async def small(sqlite_url) -> AsyncIterator[tuple[Sandbox, Settings]]:
    """A platform of a few accounts, most of them of people of whom Slack knows nothing, and the settings that lead to it."""
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as sandbox:
        sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
        for number in range(12):
            sandbox.docebo.accounts.add(f"c{number}@customers.example", email=f"c{number}@customers.example")
        settings = settings_for(sandbox.facts(), sqlite_url)
        await run_import(settings, rows=LEAVERS)
        yield sandbox, settings


def delete_three(sandbox: Sandbox) -> None:
    for number in range(3):
        account = sandbox.docebo.accounts.by_username(f"c{number}@customers.example")
        sandbox.docebo.delete(account.user_id)


async def test_accounts_that_were_deleted_on_a_small_platform_stop_no_import(small):
    sandbox, settings = small
    delete_three(sandbox)

    found = await run_import(settings, rows=LEAVERS)
    again = await run_import(settings, rows=LEAVERS)

    assert (found.plan.facts["calls"]["user"], found.plan.facts["evidence_calls"]) == (3, 3)
    assert "user" not in again.plan.facts["calls"]


@pytest.mark.long
async def test_a_list_without_accounts_that_are_there_stops_the_import(small):
    sandbox, settings = small
    before = target(sandbox)
    sandbox.docebo_gate.faults.add("GET /manage/v1/user", "shrinking", share=0.5, uncounted=True)

    with pytest.raises(IncompleteRead, match="of which 0 are gone"):
        await run_import(settings, rows=LEAVERS)

    assert target(sandbox) == before


@pytest.mark.long
async def test_a_list_that_leaves_out_a_few_accounts_that_are_there_is_no_measure_for_the_next(small):
    sandbox, settings = small
    rows = {**LEAVERS, "TARGET_MAY_SHRINK": "40"}
    sandbox.docebo_gate.faults.add("GET /manage/v1/user", "shrinking", share=0.7, uncounted=True)
    await run_import(settings, rows=rows)
    sandbox.docebo_gate.faults.add("GET /manage/v1/user", "shrinking", share=0.5, uncounted=True)

    with pytest.raises(IncompleteRead, match="of which 0 are gone"):
        await run_import(settings, rows=rows)


@pytest.mark.long
async def test_too_many_missing_accounts_to_ask_for_stop_the_import_before_a_question(small):
    sandbox, settings = small
    delete_three(sandbox)
    sandbox.docebo_gate.reset()

    with pytest.raises(IncompleteRead, match="raise TARGET_MAY_SHRINK"):
        await run_import(settings, rows={**LEAVERS, "EVIDENCE_CALLS": "2"})

    assert not [call for call in sandbox.docebo_gate.counters.calls if "{id}" in call]


@pytest.mark.long
async def test_a_list_without_the_few_who_have_left_a_small_workspace_stops_no_import(small):
    sandbox, settings = small
    people = [sandbox.slack.add(f"First{n}", f"Last{n}", f"p{n}@example.com")["id"] for n in range(5)]
    await run_import(settings, rows=LEAVERS)
    for slack_id in people[-2:]:
        sandbox.slack.deactivate(slack_id)
    sandbox.slack_gate.faults.add("users.list", "shrinking", share=(len(sandbox.slack) - 2) / len(sandbox.slack))

    found = await run_import(settings, rows={**LEAVERS, "LIMIT_DEACTIVATIONS": "none"})

    assert [(kind, people) for kind, _, _, people in to_do(found)] == [(Kind.DEACTIVATE, 2)]


def rename_all(url: str, slack_id: str) -> None:
    """Let the mappings be those of other Slack users."""
    with Store.open(url) as store, store.transaction() as tables:
        for table in ("identity", "mapping"):
            tables.connection.exec_driver_sql(f"UPDATE {table} SET slack_id = {slack_id}")


async def test_a_saved_plan_is_not_applied_without_the_settings_it_needs(sandbox, settings, tmp_path):
    sandbox.slack.add("Grace", "Hopper", "grace@example.com")
    planned = await run_import(settings, dry_run=True, rows=LEAVERS)
    before = target(sandbox)

    with pytest.raises(PlanNotApplicable, match="PROVISION_SLACK_USER_DATA is off"):
        await apply_by_id(settings, planned.plan.id, {"PROVISION_SLACK_USER_DATA": "no"})
    url = settings.database_url.get_secret_value()
    # The address answers, and knows no Variable.
    env = environment(sandbox.facts(), url, tmp_path, PREFECT_API_URL=f"{sandbox.docebo_url}/api")
    refused = run(env, "plan", "apply", planned.plan.id, "--yes")

    assert (refused.returncode, "no Variable integration_settings" in refused.stderr) == (2, True)
    assert target(sandbox) == before
    await assert_clean(settings)


async def test_what_was_edited_by_hand_is_set_right_each_time_and_never_by_an_older_plan(sandbox, settings):
    slack_id, docebo_id = somebody(sandbox)
    before = target(sandbox)
    sandbox.slack.change(slack_id, {"profile": {"last_name": "Newname"}})
    planned = await run_import(settings, dry_run=True, rows=LEAVERS)
    sandbox.docebo.edit(docebo_id, {"lastname": "Byhand"})
    by_hand = target(sandbox)

    skipped = await apply_by_id(settings, planned.plan.id)
    assert target(sandbox) == by_hand
    assert skipped.plan.state is PlanState.PARTLY_APPLIED

    for _ in range(3):  # the same edit again is not taken for Docebo's own form of the name
        sandbox.docebo.edit(docebo_id, {"lastname": "Byhand"})
        await run_import(settings, rows=LEAVERS)
        assert sandbox.docebo.accounts[docebo_id].lastname == "Newname"
        await assert_clean(settings, runs=1)
    assert {i for i, account in target(sandbox).items() if account != before[i]} == {docebo_id}


async def test_a_name_that_docebo_turns_into_its_own_form_is_not_written_for_ever(sandbox, settings, monkeypatch):
    monkeypatch.setattr("sandbox.docebo.attributes._IN_ANGLE_BRACKETS", re.compile("!"))
    slack_id, docebo_id = somebody(sandbox)
    sandbox.slack.change(slack_id, {"profile": {"last_name": "Wow!"}})
    before = target(sandbox)

    await assert_clean(settings, runs=3)

    assert sandbox.docebo.accounts[docebo_id].lastname == "Wow"
    assert {i for i, account in target(sandbox).items() if account != before[i]} == {docebo_id}


async def test_a_database_restored_from_yesterday_changes_nobody(sandbox, settings, sqlite_url, tmp_path):
    yesterday = shutil.copy(sqlite_url.removeprefix("sqlite:///"), tmp_path / "yesterday.db")
    slack_id, _ = somebody(sandbox)
    sandbox.slack.change(slack_id, {"profile": {"last_name": "Newname"}})
    left, deactivated = somebody(sandbox, place=1)
    sandbox.slack.deactivate(left)
    sandbox.slack.add("Grace", "Hopper", "grace@example.com")
    await run_import(settings, rows=LEAVERS)
    before = target(sandbox)
    assert not sandbox.docebo.accounts[deactivated].active
    for leftover in Path(sqlite_url.removeprefix("sqlite:///")).parent.glob("store.db-*"):
        leftover.unlink()
    shutil.copy(yesterday, sqlite_url.removeprefix("sqlite:///"))

    await run_import(settings, rows=LEAVERS)

    assert target(sandbox) == before
    await assert_clean(settings, runs=1)
    sandbox.slack.reactivate(left)
    await run_import(settings, rows=LEAVERS)
    assert target(sandbox) == before


@pytest.mark.parametrize("days", [1, -1], ids=["set back", "set forward"])
@pytest.mark.variants(1)
async def test_a_clock_that_was_changed_holds_nobody_up_and_changes_nobody(sandbox, settings, sqlite_url, days):
    before = target(sandbox)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE call_budget SET arrival = arrival + ? * 86400", [days])
        database.execute("UPDATE batch_gate SET busy_since = datetime('now', ? || ' days')", [days])
        database.execute("UPDATE plan SET created_at = datetime(created_at, ? || ' days')", [days])
        database.execute("UPDATE proven_read SET proven_at = datetime(proven_at, ? || ' days')", [days])
    slack_id, docebo_id = somebody(sandbox)
    sandbox.slack.change(slack_id, {"profile": {"last_name": "Newname"}})

    async with asyncio.timeout(PATIENCE_SECONDS):
        await run_import(settings, rows=LEAVERS)

    assert {i for i, account in target(sandbox).items() if account != before[i]} == {docebo_id}
    await assert_clean(settings, runs=1)


@pytest.mark.parametrize("database", ["sqlite_url", "postgres_url"])
@pytest.mark.variants(1)  # test_gate.py has the locks of both
async def test_a_second_run_is_refused_and_the_lock_of_a_killed_one_is_taken_over(running, request, database, tmp_path):
    running.reset()
    url = request.getfixturevalue(database)
    settings = settings_for(running.facts(), url, report_dir=tmp_path)
    planned = await run_import(settings, dry_run=True, rows=LEAVERS)
    env = environment(running.facts(), url, tmp_path)
    running.slack_gate.reset()
    running.slack_gate.faults.add("users.list", "slow", seconds=600)
    before = target(running)

    with start(env, "plan", "make") as first:
        try:
            until(lambda: running.slack_gate.counters.calls["users.list"] == 1)
            second = run(env, "plan", "apply", planned.plan.id, "--yes")
        finally:
            first.kill()
    assert (second.returncode, "Another run is at work" in second.stderr) == (4, True)
    assert target(running) == before

    def run_again():
        third = run(env, "plan", "apply", planned.plan.id, "--yes")
        return third.returncode != second.returncode and third

    third = until(run_again)  # PostgreSQL notices a moment later that nobody is there any more
    assert third.returncode == 0, third.stderr
    await assert_clean(settings)


@pytest.mark.parametrize("resumed", [True, False], ids=["applied again by its id", "followed by a new import"])
@pytest.mark.variants(1)
async def test_after_kill_9_between_write_and_journal_nobody_is_written_twice(
    running, settings, sqlite_url, tmp_path, resumed
):
    file = sqlite_url.removeprefix("sqlite:///")
    gate = running.docebo_gate.counters
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as blocking:

        def no_outcome_can_be_recorded(call: Call) -> None:
            if call.path.endswith("/user/batch") and not killed and not blocking.in_transaction:
                blocking.execute("BEGIN IMMEDIATE")

        killed = False
        with between(settings.docebo_url, no_outcome_can_be_recorded) as docebo_url:
            settings = settings.model_copy(update={"docebo_url": docebo_url})
            prove(settings)
            planned = await run_import(settings, dry_run=True, rows=LEAVERS)
            env = environment({**running.facts(), "docebo_url": docebo_url}, sqlite_url, tmp_path)
            running.docebo_gate.reset()
            with start(env, "plan", "apply", planned.plan.id, "--yes") as process:
                try:
                    until(lambda: gate.rows["created"] > 0)
                finally:
                    process.kill()
                process.wait(PATIENCE_SECONDS)
            killed = True
            blocking.rollback()
            created = gate.rows["created"]
            with Store.open(sqlite_url) as store, store.reading() as tables:
                recorded = tables.connection.exec_driver_sql(
                    "SELECT count(*) FROM operation WHERE outcome = 'applied'"
                ).scalar_one()
            assert recorded == 0

            if resumed:
                assert (await apply_by_id(settings, planned.plan.id)).plan.state is PlanState.APPLIED
            else:
                await run_import(settings, rows=LEAVERS)

            assert gate.rows["created"] == created
            assert gate.rows["failed"] == 0
            await assert_clean(settings, runs=1)


@pytest.mark.long
async def test_an_account_that_was_handed_over_is_not_deactivated_by_an_undo(running, settings):
    done = await run_import(settings, rows=LEAVERS)
    behaviour = read_rows(table(ON | LEAVERS | {"LIMIT_DEACTIVATIONS": "none", "LIMIT_UNMAPPINGS": "none"}))

    async with open_runtime(settings, behaviour, run_id="undo") as runtime:
        with runtime.store.reading() as tables:
            applied = [entry.operation for entry in tables.journal.applied(plan_id=done.plan.id)]
        created = next(operation.docebo_id for operation in applied if operation.kind is Kind.CREATE)
        stranger = {"username": "bob@customers.example", "email": "bob@customers.example", "lastname": "Babbage"}
        running.docebo.edit(created, stranger)
        plan_id = plan_undo(runtime, done.plan.id, deactivate_created=True)
        undone = await apply_saved(runtime, plan_id, lambda _: None)

    assert undone.count(Kind.DEACTIVATE, outcome=Outcome.SKIPPED) == 1
    assert undone.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) > 1
    assert running.docebo.accounts[created].active
