"""Somebody returns under a new Slack id with the same address, and the account is mapped to the former one."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.people import Mapping
from slack_docebo.engine.looking.explaining import explain
from slack_docebo.engine.mappings.exporting import export_person
from slack_docebo.engine.mappings.forgetting import forget
from slack_docebo.engine.planning.named import plan_named, read_named
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.realtime.holding import let_through
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ChangeLimitExceeded, IncompleteRead, PlanNotApplicable
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.events import EventState
from slack_docebo.storage.personal import rows_about
from slack_docebo.storage.schema import metadata
from slack_docebo.storage.store import Store
from tests.between import Call, between, in_json
from tests.importing import ON, carry_out, mapped, plan_import, prove, run_import, settings_for
from tests.integration.after_an_import import apply_by_id, delete_mappings, refused_plan, undo
from tests.integration.realtime_world import world

LEAVERS = pytest.mark.parametrize("leavers", ["keep", "deactivate"])


@pytest.fixture
def sandbox():
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        running.slack.add("Eva", "Stays", "eva@example.com")
        yield running


def entry_of(settings, summary, slack_id):
    with Store.of(settings) as store, store.reading() as tables:
        return next(e for e in tables.operations.rows(summary.plan.id) if e.operation.slack_id == slack_id)


async def leave_and_return(sandbox, settings, rows, *, nights_between=1):
    """Let Ada leave and come back; return her two Slack ids and her account."""
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    account = mapped(settings.database_url.get_secret_value(), sandbox.slack.team.id)[old]
    sandbox.slack.deactivate(old)
    for _ in range(nights_between):
        await run_import(settings, rows=rows)
    return old, sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"], account


@pytest.mark.long
@LEAVERS
async def test_who_returns_under_a_new_id_is_reported_once_and_visibly(sandbox, sqlite_url, leavers):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": leavers}
    old, new, account = await leave_and_return(sandbox, settings, rows)

    summary = await run_import(settings, rows=rows)

    entry = entry_of(settings, summary, new)
    assert entry.operation.kind is Kind.LEAVE
    assert f"account {account}" in entry.operation.reason
    assert f"mapped to {old}" in entry.operation.reason
    assert "set REHIRES to hand-over" in entry.operation.reason
    assert (summary.undecided, summary.newly_undecided) == (1, 1)
    assert "1 of them waiting for somebody's decision" in summary.line

    async with open_runtime(settings, read_rows(table(rows)), run_id="explain") as runtime:
        assert (await explain(runtime, new)).operation.reason == entry.operation.reason
    again = await run_import(settings, rows=rows)
    assert (again.undecided, again.newly_undecided) == (1, 0)


@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
@pytest.mark.variants(1)
async def test_who_returned_under_a_new_id_in_time_is_not_shut_out_while_nobody_has_decided(
    sandbox, sqlite_url, leavers
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": leavers}
    old, new, account = await leave_and_return(sandbox, settings, rows, nights_between=0)
    shown = sandbox.docebo.accounts[account]

    summary = await run_import(settings, rows=rows)

    assert (shown.active, shown.expiration, summary.undecided) == (True, None, 1)
    assert f"; {new} has come with the address" in entry_of(settings, summary, old).operation.reason

    await run_import(settings, rows={**rows, "REHIRES": "hand-over"})
    assert mapped(sqlite_url, sandbox.slack.team.id)[new] == account
    assert (await run_import(settings, rows=rows)).count(outcome=Outcome.APPLIED) == 0


@pytest.mark.parametrize("way", ["import", "event"])
@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
@pytest.mark.variants(1)
async def test_who_waits_for_the_account_of_a_former_id_is_not_shut_out_by_a_saved_plan(
    sandbox, sqlite_url, tmp_path, leavers, way
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": leavers}
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    shown = sandbox.docebo.accounts[mapped(sqlite_url, sandbox.slack.team.id)[old]]
    sandbox.slack.deactivate(old)
    saved = await run_import(settings, rows=rows, dry_run=True)
    new = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    if way == "import":
        await run_import(settings, rows=rows)
    else:
        async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
            here.put(here.event(new, kind="team_join"))
            await here.serve()

    applied = await apply_by_id(settings, rows, saved.plan.id)

    assert (shown.active, shown.expiration) == (True, None)
    assert f"{new} has come with the address" in entry_of(settings, applied, old).error


@pytest.mark.parametrize("has_an_account", [False, True])
@pytest.mark.variants(1)
async def test_who_is_back_under_a_new_id_of_which_nothing_was_heard_is_not_shut_out_by_a_saved_plan(
    sandbox, sqlite_url, has_an_account
):
    """Somebody else who has the address by now, and an own account, keeps nobody's account open."""
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate"}
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    [account] = sandbox.docebo.accounts.by_email("ada@example.com")
    sandbox.slack.deactivate(old)
    saved = await run_import(settings, rows=rows, dry_run=True)
    if has_an_account:
        new = sandbox.slack.by_email("eva@example.com")["id"]
        sandbox.slack.change(new, {"profile": {"email": "ada@example.com"}})
    else:
        new = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]

    applied = await apply_by_id(settings, rows, saved.plan.id)

    assert account.active is not has_an_account
    error = "" if has_an_account else f"{new} has come with the address"
    assert entry_of(settings, applied, old).error.startswith(error)


@LEAVERS
@pytest.mark.parametrize("nights_between", [0, 1])
@pytest.mark.parametrize("verify_target", [True, False])
@pytest.mark.variants(1)
async def test_who_returns_under_a_new_id_gets_the_mapping_and_the_account_back(
    sandbox, sqlite_url, leavers, nights_between, verify_target
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": leavers, "REHIRES": "hand-over"}
    old, new, account = await leave_and_return(sandbox, settings, rows, nights_between=nights_between)

    summary = await run_import(settings, rows=rows, verify_target=verify_target)

    entry = entry_of(settings, summary, new)
    assert entry.outcome is Outcome.APPLIED
    assert entry.operation.reason.startswith(f"known as {old} so far")
    assert summary.count(Kind.DEACTIVATE) == 0
    mapping = mapped(sqlite_url, sandbox.slack.team.id)
    assert (mapping.get(new), old in mapping) == (account, False)
    assert sandbox.docebo.accounts[account].active
    assert (await run_import(settings, rows=rows)).count(outcome=Outcome.APPLIED) == 0


async def test_what_became_of_the_former_id_is_told_also_where_slack_lists_it_no_more(sandbox, sqlite_url):
    rows = {**ON, "LEAVERS": "deactivate", "REHIRES": "hand-over"}
    settings = settings_for(sandbox.facts(), sqlite_url)
    old, new, _ = await leave_and_return(sandbox, settings, rows, nights_between=0)

    def without_old(call, answer):
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [one for one in answer["members"] if one["id"] != old]}

    with between(sandbox.slack_url.removesuffix("/api/"), changed=without_old) as url:
        lacking = settings_for({**sandbox.facts(), "slack_url": f"{url}/api/"}, sqlite_url)
        summary = await run_import(lacking, rows={**rows, "SOURCE_MAY_SHRINK": "100"})

    assert entry_of(settings, summary, old).operation.reason.endswith(f"; {new} is back in this place")


@pytest.mark.parametrize("name", ["Ada", "Augusta"])
@pytest.mark.variants(1)
async def test_who_returns_gets_a_mapping_of_before_also_while_nobody_new_is_mapped(sandbox, sqlite_url, name):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "keep", "REHIRES": "hand-over"}
    prove(settings)
    old, new, account = await leave_and_return(sandbox, settings, rows, nights_between=0)
    sandbox.slack.change(new, {"profile": {"first_name": name}})
    off = {**rows, "MAP_SLACK_USER_DATA": "false", "LIMIT_REMAPPINGS": "0"}

    with pytest.raises(ChangeLimitExceeded, match="map to another account or person") as refused:
        await run_import(settings, rows=off)
    await apply_by_id(settings, off, refused_plan(refused))
    sandbox.slack.reactivate(old)
    sandbox.slack.change(old, {"profile": {"email": "lovelace@example.com"}})
    for _ in range(2):
        await run_import(settings, rows=off)

    shown = sandbox.docebo.accounts[account]
    assert (shown.firstname, shown.email) == (name, "ada@example.com")
    assert mapped(sqlite_url, sandbox.slack.team.id)[new] == account


@pytest.mark.long
async def test_a_mapping_that_was_handed_over_comes_back_by_an_undo(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate", "REHIRES": "hand-over"}
    old, _, account = await leave_and_return(sandbox, settings, rows)
    summary = await run_import(settings, rows=rows)

    async with open_runtime(settings, read_rows(table(rows)), run_id="undo") as runtime:
        await carry_out(runtime, plan_undo(runtime, summary.plan.id))

    assert mapped(sqlite_url, sandbox.slack.team.id)[old] == account
    assert not sandbox.docebo.accounts[account].active


async def test_that_a_return_was_undone_can_be_undone_itself_with_all_that_was_changed(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate", "REHIRES": "hand-over"}
    old, new, account = await leave_and_return(sandbox, settings, rows)
    sandbox.slack.change(new, {"profile": {"last_name": "Byron"}})
    summary, shown = await run_import(settings, rows=rows), sandbox.docebo.accounts[account]

    undone = await undo(settings, rows, summary.plan.id)
    assert (shown.lastname, shown.active) == ("Lovelace", False)
    assert mapped(sqlite_url, sandbox.slack.team.id)[old] == account
    await undo(settings, rows, undone.plan.id)

    assert (shown.lastname, shown.active) == ("Byron", True)
    assert mapped(sqlite_url, sandbox.slack.team.id)[new] == account


@pytest.mark.long
async def test_a_return_that_was_undone_is_not_undone_once_more_over_that_of_the_next_import(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate", "REHIRES": "hand-over"}
    _, new, account = await leave_and_return(sandbox, settings, rows)
    summary = await run_import(settings, rows=rows)
    undone = await undo(settings, rows, summary.plan.id)
    await run_import(settings, rows=rows)

    with pytest.raises(PlanNotApplicable, match=f"{summary.plan.id} was undone before, by plan {undone.plan.id}"):
        await undo(settings, rows, summary.plan.id)

    assert mapped(sqlite_url, sandbox.slack.team.id)[new] == account


@pytest.mark.variants(1)
@pytest.mark.parametrize("undone", [False, True], ids=["handed over", "not any more"])
async def test_who_has_returned_is_forgotten_under_the_former_id_too_unless_the_account_went_back(
    sandbox, sqlite_url, tmp_path, undone
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate", "REHIRES": "hand-over"}
    old, new, _ = await leave_and_return(sandbox, settings, rows)
    summary = await run_import(settings, rows=rows)
    if undone:
        async with open_runtime(settings, read_rows(table(rows)), run_id="undo") as runtime:
            await carry_out(runtime, plan_undo(runtime, summary.plan.id))

    with Store.open(sqlite_url) as store:
        assert export_person(store, tmp_path, new)["slack_ids"] == ([new] if undone else sorted([old, new]))
        forget(store, tmp_path, new)
        with store.reading() as tables:
            is_known = "operation" in rows_about(tables.connection, [old])
    sandbox.slack.deactivate(new)
    again = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)

    assert (is_known, again in mapped(sqlite_url, sandbox.slack.team.id)) == (undone, undone)


async def test_who_has_returned_is_forgotten_under_the_former_id_that_is_mapped_on_another_platform_still(
    sandbox, sqlite_url, tmp_path
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate", "REHIRES": "hand-over"}
    old, new, account = await leave_and_return(sandbox, settings, rows)
    team, now = sandbox.slack.team.id, datetime.now(UTC)
    with Store.open(sqlite_url) as store:
        with store.transaction() as tables:
            tables.platforms.relink("https://other.example.com", now=now)
            tables.mappings("https://other.example.com").save([Mapping(old, team, "ada", account)], now=now)
            tables.platforms.relink(settings.docebo_url, now=now)
        await run_import(settings, rows=rows)

        assert export_person(store, tmp_path, new)["slack_ids"] == sorted([old, new])


@pytest.mark.variants(1)
@pytest.mark.parametrize("became", ["handed over", "only planned", "undone"])
async def test_of_a_former_id_that_is_forgotten_nothing_is_kept_with_the_new_one(sandbox, sqlite_url, tmp_path, became):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate", "REHIRES": "hand-over"}
    old, new, account = await leave_and_return(sandbox, settings, rows)
    summary = await run_import(settings, rows=rows, dry_run=became == "only planned")
    async with open_runtime(settings, read_rows(table(rows)), run_id="undo") as runtime:
        if became == "undone":
            await carry_out(runtime, plan_undo(runtime, summary.plan.id))
        forget(runtime.store, tmp_path, old)
        if became == "handed over":
            await carry_out(runtime, plan_undo(runtime, summary.plan.id))
        with runtime.store.reading() as tables:
            kept = [row for one in metadata.sorted_tables for row in tables.connection.execute(select(one))]

    named = [slack_id for slack_id in (old, new) if slack_id in str(kept)]
    assert named == ([] if became == "handed over" else [new])
    assert sandbox.docebo.accounts[account].active is (became == "handed over")


@pytest.mark.long
async def test_who_returns_under_a_new_id_has_the_account_again_once_its_mapping_was_deleted(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate"}
    old, new, account = await leave_and_return(sandbox, settings, rows)
    delete_mappings(settings, sandbox.slack.team.id, old)

    await run_import(settings, rows=rows)

    assert mapped(sqlite_url, sandbox.slack.team.id)[new] == account
    assert sandbox.docebo.accounts[account].active
    assert (await run_import(settings, rows=rows)).count(outcome=Outcome.APPLIED) == 0


@pytest.mark.long
async def test_who_gets_an_account_that_we_shut_has_it_open_though_an_own_one_was_shut_before(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate"}
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    new = sandbox.slack.add("Ada", "Lovelace", "ada.lovelace@example.com")["id"]
    await run_import(settings, rows=rows)
    accounts = mapped(sqlite_url, sandbox.slack.team.id)
    for slack_id in (old, new):
        sandbox.slack.deactivate(slack_id)
    await run_import(settings, rows=rows)
    delete_mappings(settings, sandbox.slack.team.id, old, new)
    sandbox.docebo.delete(accounts[new])
    sandbox.slack.reactivate(new)
    sandbox.slack.change(new, {"profile": {"email": "ada@example.com"}})

    await run_import(settings, rows=rows)

    assert mapped(sqlite_url, sandbox.slack.team.id)[new] == accounts[old]
    assert sandbox.docebo.accounts[accounts[old]].active


@pytest.mark.long
async def test_nothing_is_taken_from_a_holder_who_is_there(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "REHIRES": "hand-over"}
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")

    summary = await run_import(settings, rows=rows)

    assert summary.undecided == 1  # two people, and one account
    assert old in mapped(sqlite_url, sandbox.slack.team.id)


@pytest.mark.long
async def test_an_account_that_was_deactivated_by_hand_stays_so_when_it_is_handed_over(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "REHIRES": "hand-over"}
    _, new, account = await leave_and_return(sandbox, settings, rows)
    sandbox.docebo.edit(account, {"active": False})

    await run_import(settings, rows=rows)

    assert mapped(sqlite_url, sandbox.slack.team.id)[new] == account
    assert not sandbox.docebo.accounts[account].active


async def test_nothing_is_handed_over_by_a_saved_plan_whose_former_holder_is_back(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "REHIRES": "hand-over"}
    old, _, account = await leave_and_return(sandbox, settings, rows)
    async with open_runtime(settings, read_rows(table(rows)), run_id="test") as runtime:
        plan_id = await plan_import(runtime)
        sandbox.slack.reactivate(old)
        runtime.behaviour = runtime.behaviour.model_copy(update={"evidence_minutes": 0})
        await carry_out(runtime, plan_id)

    assert mapped(sqlite_url, sandbox.slack.team.id)[old] == account


@pytest.mark.parametrize("keeps_mappings", [True, False], ids=["a mapping", "what was given, without mappings"])
@pytest.mark.variants(1)
async def test_nothing_is_handed_over_by_an_import_once_an_event_has_shown_that_the_former_holder_is_back(
    sandbox, sqlite_url, tmp_path, keeps_mappings
):
    rules = {"REHIRES": "hand-over", "LEAVERS": "keep", "ATTRIBUTES": "first_name, last_name"}
    rules |= {"MAP_SLACK_USER_DATA": str(keeps_mappings).lower()}
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, **rules}
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    sandbox.slack.deactivate(old)
    new = sandbox.slack.add("Ada", "Byron", "ada@example.com")["id"]
    async with open_runtime(settings, read_rows(table(rows)), run_id="import") as runtime:
        plan_id = await plan_import(runtime)
        sandbox.slack.reactivate(old)
        sandbox.slack.change(old, {"profile": {"email": "ada.lovelace@example.com"}})
        async with world(sandbox, sqlite_url, tmp_path, **rules) as here:
            back = here.event(old)
            here.put(back)
            await here.serve()
            assert here.state(back) is EventState.APPLIED
        await carry_out(runtime, plan_id)
        summary = finish(runtime, plan_id)

    assert entry_of(settings, summary, new).outcome is Outcome.SKIPPED
    assert sandbox.docebo.accounts.by_username("ada@example.com").lastname == "Lovelace"


async def test_whose_account_an_import_hands_over_while_an_older_event_is_served_gets_no_other_one(
    sandbox, sqlite_url, tmp_path
):
    """The account bears an address of before, so nobody finds it by the one with which the person is back."""
    rules = {"REHIRES": "hand-over", "LEAVERS": "keep", "ATTRIBUTES": "first_name, last_name"}
    rows, imported = {**ON, **rules}, []
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]

    def handing_over(call: Call) -> None:
        if call.path.endswith(f"/{account}") and not imported:
            sandbox.slack.deactivate(old)
            imported.append(sandbox.slack.add("Ada", "Byron", "ada.byron@example.com")["id"])
            asyncio.run(run_import(settings, rows=rows))

    with between(sandbox.docebo_url, handing_over) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        account = 0
        await run_import(settings, rows=rows)
        account = mapped(sqlite_url, sandbox.slack.team.id)[old]
        async with world(sandbox, sqlite_url, tmp_path, addresses={"DOCEBO_URL": url}, **rules) as here:
            sandbox.slack.change(old, {"profile": {"email": "ada.byron@example.com", "last_name": "Byron"}})
            here.put(here.event(old))
            await here.serve()

    assert [mapped(sqlite_url, sandbox.slack.team.id).get(one) for one in (old, *imported)] == [None, account]
    assert sandbox.docebo.accounts.by_username("ada.byron@example.com") is None


async def assert_not_handed_over(sandbox, sqlite_url, leavers, changed):
    """Apply a saved plan that hands a mapping over, once *changed* has changed the former holder or the next in Slack."""
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": leavers, "REHIRES": "hand-over"}
    old, new, account = await leave_and_return(sandbox, settings, rows)
    planned = await run_import(settings, rows=rows, dry_run=True)
    changed(old, new)

    applied = await apply_by_id(settings, rows, planned.plan.id)

    assert mapped(sqlite_url, sandbox.slack.team.id)[old] == account
    assert entry_of(settings, applied, new).outcome is Outcome.SKIPPED


@LEAVERS
@pytest.mark.long
async def test_nothing_is_handed_over_by_a_plan_of_before_the_former_holder_came_back(sandbox, sqlite_url, leavers):
    await assert_not_handed_over(sandbox, sqlite_url, leavers, lambda old, new: sandbox.slack.reactivate(old))


@LEAVERS
@pytest.mark.long
async def test_nothing_is_handed_over_by_a_saved_plan_to_somebody_who_has_left_again(sandbox, sqlite_url, leavers):
    await assert_not_handed_over(sandbox, sqlite_url, leavers, lambda old, new: sandbox.slack.deactivate(new))


@pytest.mark.long
async def test_a_plan_that_hands_over_more_than_slack_may_be_asked_for_stops_before_the_first(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "REHIRES": "hand-over"}
    old, _, account = await leave_and_return(sandbox, settings, rows)
    planned = await run_import(settings, rows=rows, dry_run=True)

    with pytest.raises(IncompleteRead, match="EVIDENCE_CALLS"):
        await apply_by_id(settings, {**rows, "EVIDENCE_CALLS": "0"}, planned.plan.id)

    assert mapped(sqlite_url, sandbox.slack.team.id)[old] == account


@pytest.mark.long
@pytest.mark.parametrize("rehires", ["report", "hand-over"])
async def test_an_event_of_who_returns_is_reported_or_hands_over_at_once(sandbox, sqlite_url, tmp_path, rehires):
    async with world(sandbox, sqlite_url, tmp_path, REHIRES=rehires) as here:
        old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        await here.settle()
        account = here.docebo_id(old)
        sandbox.slack.deactivate(old)
        here.put(here.event(old))
        await here.serve()
        assert not here.sandbox.docebo.accounts[account].active
        new = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        here.put(here.event(new, kind="team_join"))

        served = await here.serve()

        if rehires == "report":
            assert served.undecided == 1
            assert "1 of them waiting for somebody's decision" in served.line
            assert here.docebo_id(old) == account
            with here.runtime.store.reading() as tables:
                reasons = [e.operation.reason for e in tables.operations.rows(served.plans[-1])]
            assert "set REHIRES to hand-over" in reasons[0]
        else:
            assert here.docebo_id(new) == account
            assert here.sandbox.docebo.accounts[account].active


@pytest.mark.parametrize("mapping", ["true", "false"])
@pytest.mark.parametrize("rehires", ["report", "hand-over"])
@pytest.mark.parametrize("nights_between", [0, 1])
@pytest.mark.variants(2)
async def test_who_left_with_an_address_that_docebo_never_got_and_returns_with_it_gets_no_second_account(
    sandbox, sqlite_url, mapping, rehires, nights_between
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = {**ON, "LEAVERS": "deactivate", "MAP_SLACK_USER_DATA": mapping, "REHIRES": rehires}
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    theirs = next(one for one in sandbox.docebo.accounts if one.email == "ada@example.com")
    sandbox.slack.change(old, {"profile": {"email": "ada.king@example.com"}})
    sandbox.slack.deactivate(old)
    for _ in range(nights_between):
        await run_import(settings, rows=rows)
    accounts = len(list(sandbox.docebo.accounts))
    new = sandbox.slack.add("Ada", "Lovelace", "ada.king@example.com")["id"]

    summary = await run_import(settings, rows=rows)

    assert len(list(sandbox.docebo.accounts)) == accounts
    if rehires == "report":
        assert summary.undecided == 1
        assert "who had this address and is gone" in entry_of(settings, summary, new).operation.reason
        assert theirs.email == "ada@example.com"
    else:
        assert (theirs.email, theirs.active) == ("ada.king@example.com", True)
        await run_import(settings, rows=rows)
    again = await run_import(settings, rows=rows)
    assert (again.count(outcome=Outcome.APPLIED), len(list(sandbox.docebo.accounts))) == (0, accounts)


@pytest.mark.parametrize("rehires", ["report", "hand-over"])
async def test_who_left_and_returned_with_an_address_that_docebo_never_got_is_known_by_the_events_of_both_ids(
    sandbox, sqlite_url, tmp_path, rehires
):
    async with world(sandbox, sqlite_url, tmp_path, LEAVERS="deactivate", REHIRES=rehires) as here:
        old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        await here.settle()
        theirs, accounts = here.account(old), len(list(sandbox.docebo.accounts))
        sandbox.slack.change(old, {"profile": {"email": "ada.king@example.com"}})
        sandbox.slack.deactivate(old)
        new = sandbox.slack.add("Ada", "Lovelace", "ada.king@example.com")["id"]

        here.put(here.event(new, kind="team_join"), here.event(old))
        await here.serve()

        assert (theirs.active, len(list(sandbox.docebo.accounts))) == (True, accounts)
        assert here.docebo_id(old if rehires == "report" else new) == theirs.user_id


@pytest.mark.parametrize("seen_by", ["event", "import", "answer"])
@pytest.mark.parametrize("rehires", ["report", "hand-over"])
@pytest.mark.parametrize("mapping", ["true", "false"])
@pytest.mark.parametrize("leavers", ["keep", "deactivate"])
@pytest.mark.variants(3)
async def test_with_which_address_somebody_left_is_known_when_only_an_event_tells_of_the_new_id(
    sandbox, sqlite_url, tmp_path, seen_by, leavers, mapping, rehires
):
    rows = {"LEAVERS": leavers, "REHIRES": rehires, "MAP_SLACK_USER_DATA": mapping}
    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        await here.settle([old])
        theirs = next(one for one in sandbox.docebo.accounts if one.email == "ada@example.com")
        sandbox.slack.change(old, {"profile": {"email": "ada.king@example.com"}})
        sandbox.slack.deactivate(old)
        if seen_by == "event":
            await here.settle([old])
        elif seen_by == "import":
            await run_import(here.runtime.settings, rows={**ON, **rows})
        else:
            answers = await read_named(here.runtime, [old], [])
            await carry_out(here.runtime, await plan_named(here.runtime, here.workspace, answers))
        accounts = len(list(sandbox.docebo.accounts))
        new = sandbox.slack.add("Ada", "Lovelace", "ada.king@example.com")["id"]
        told = await explain(here.runtime, new)

        await here.settle([new])

        assert len(list(sandbox.docebo.accounts)) == accounts
        assert told.operation.docebo_id == theirs.user_id
        if rehires == "hand-over":
            assert (theirs.email, theirs.active) == ("ada.king@example.com", True)


async def leave_with_another_address(here, *, before, after):
    """Let somebody leave, with an address that Docebo never got; return that person's Slack id and account."""
    old = here.sandbox.slack.add("Ada", "Lovelace", before)["id"]
    await here.settle([old])
    account = next(one for one in here.sandbox.docebo.accounts if one.email == before)
    here.sandbox.slack.change(old, {"profile": {"email": after}})
    here.sandbox.slack.deactivate(old)
    await here.settle([old])
    return old, account


@pytest.mark.parametrize("road", ["event", "import"])
@pytest.mark.parametrize("deleted", [None, 0, 1])
@pytest.mark.variants(3)
async def test_where_two_have_left_with_one_address_nobody_gets_an_account_unless_that_of_one_is_gone(
    sandbox, sqlite_url, tmp_path, road, deleted
):
    rows = {"LEAVERS": "deactivate", "REHIRES": "hand-over"}
    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        await here.settle()
        left = [
            (await leave_with_another_address(here, before=before, after="ada.king@example.com"))[1]
            for before in ("ada@example.com", "ada.byron@example.com")
        ]
        if deleted is not None:
            sandbox.docebo.delete(left[deleted].user_id)
        accounts = len(list(sandbox.docebo.accounts))
        new = sandbox.slack.add("Ada", "Lovelace", "ada.king@example.com")["id"]
        told = await explain(here.runtime, new)

        if road == "event":
            await here.settle([new])
        else:
            await run_import(here.runtime.settings, rows={**ON, **rows})

        assert len(list(sandbox.docebo.accounts)) == accounts
        if deleted is None:
            assert told.operation.reason.startswith("several accounts match")
            assert (here.docebo_id(new), [one.active for one in left]) == (None, [False, False])
        else:
            assert here.docebo_id(new) == left[1 - deleted].user_id


@pytest.mark.parametrize("road", ["event", "import"])
@pytest.mark.parametrize("mapping", ["true", "false"])
@pytest.mark.parametrize("names", [("Ada", "Bea"), ("Bea", "Ada")])
@pytest.mark.variants(4)
async def test_two_who_come_with_the_address_of_one_who_left_get_neither_an_account_each_nor_both_the_same(
    sandbox, sqlite_url, tmp_path, road, mapping, names
):
    rows = {"LEAVERS": "deactivate", "REHIRES": "hand-over", "MAP_SLACK_USER_DATA": mapping}
    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        await here.settle()
        await leave_with_another_address(here, before="ada@example.com", after="ada.king@example.com")
        accounts = len(list(sandbox.docebo.accounts))
        both = [sandbox.slack.add(name, "Lovelace", "ada.king@example.com")["id"] for name in names]
        if road == "event":
            await here.settle(both)
        else:
            await run_import(here.runtime.settings, rows={**ON, **rows})
        with here.runtime.store.reading() as tables:
            [last] = tables.plans.recent(1)
            written = [row for row in tables.operations.rows(last.id) if row.outcome is Outcome.APPLIED]

    assert len(list(sandbox.docebo.accounts)) == accounts
    assert len([row for row in written if row.operation.slack_id in both]) == (mapping == "false")


async def test_whose_address_somebody_left_with_whose_account_docebo_does_not_show_waits_until_it_does(
    sandbox, sqlite_url, tmp_path
):
    async with world(sandbox, sqlite_url, tmp_path, LEAVERS="deactivate", REHIRES="hand-over") as here:
        _, account = await leave_with_another_address(here, before="ada@example.com", after="ada.king@example.com")
        accounts = len(list(sandbox.docebo.accounts))
        new = sandbox.slack.add("Ada", "Lovelace", "ada.king@example.com")["id"]
        event = here.event(new, kind="team_join")
        sandbox.docebo_gate.faults.add("GET /manage/v1/user/{id}", "error_500", times=-1)
        here.put(event)
        await here.serve()

        assert len(list(sandbox.docebo.accounts)) == accounts
        assert here.state(event) is EventState.PARKED
        assert f"account {account.user_id}" in here.entry(event).error

        sandbox.docebo_gate.faults.clear()
        here.replay(event)
        await here.serve()
        assert (here.docebo_id(new), len(list(sandbox.docebo.accounts))) == (account.user_id, accounts)


async def test_an_import_that_assumes_docebo_unchanged_makes_nobody_an_account_in_place_of_one_that_is_not_shown(
    sandbox, sqlite_url, tmp_path
):
    rows = {"LEAVERS": "deactivate", "REHIRES": "hand-over"}
    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        await here.settle()
        _, account = await leave_with_another_address(here, before="ada@example.com", after="ada.king@example.com")
    new = sandbox.slack.add("Ada", "Lovelace", "ada.king@example.com")["id"]
    sandbox.docebo_gate.faults.add("GET /manage/v1/user/{id}", "error_500", times=-1)

    def without_leavers(call, answer):
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [one for one in answer["members"] if not one["deleted"]]}

    with between(sandbox.slack_url.removesuffix("/api/"), changed=without_leavers) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/api/"}, sqlite_url)
        summary = await run_import(settings, rows={**ON, **rows, "SOURCE_MAY_SHRINK": "100"}, verify_target=False)

    entry = entry_of(settings, summary, new)
    assert entry.operation.kind is Kind.LEAVE
    assert f"account {account.user_id}, whose person has left with this address" in entry.operation.reason
    assert summary.undecided == 1


@pytest.mark.parametrize("road", ["event", "import"])
@pytest.mark.parametrize("mapping", ["true", "false"])
@pytest.mark.variants(2)
async def test_whose_address_somebody_left_with_gets_no_account_while_slack_does_not_say_that_the_leaver_is_gone(
    sandbox, sqlite_url, tmp_path, road, mapping
):
    rows = {"LEAVERS": "deactivate", "REHIRES": "hand-over", "MAP_SLACK_USER_DATA": mapping}
    hidden = set()

    def instead(call):
        is_asked_for = "users.info" in call.path and any(one in call.path + call.body.decode() for one in hidden)
        return in_json({"ok": False, "error": "user_not_visible"}) if is_asked_for else None

    def changed(call, answer):
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [one for one in answer["members"] if one["id"] not in hidden]}

    with between(sandbox.slack_url.removesuffix("/api/"), instead, changed) as url:
        addresses = {"SLACK_API_URL": f"{url}/api/"}
        async with world(sandbox, sqlite_url, tmp_path, addresses=addresses, **rows) as here:
            await here.settle()
            old, _ = await leave_with_another_address(here, before="ada@example.com", after="ada.king@example.com")
            accounts = len(list(sandbox.docebo.accounts))
            new = sandbox.slack.add("Ada", "Lovelace", "ada.king@example.com")["id"]
            hidden.add(old)
            if road == "event":
                await here.settle([new])
            else:
                await run_import(here.runtime.settings, rows={**ON, **rows, "SOURCE_MAY_SHRINK": "100"})

    assert len(list(sandbox.docebo.accounts)) == accounts


@pytest.mark.parametrize("road", ["event", "import"])
async def test_whose_address_somebody_left_with_who_is_back_under_the_same_id_gets_an_own_account(
    sandbox, sqlite_url, tmp_path, road
):
    async with world(sandbox, sqlite_url, tmp_path, REHIRES="hand-over") as here:
        old, account = await leave_with_another_address(here, before="ada@example.com", after="ada.king@example.com")
        sandbox.slack.reactivate(old)
        sandbox.slack.change(old, {"profile": {"email": "ada.byron@example.com"}})
        new = sandbox.slack.add("Eve", "Adams", "ada.king@example.com")["id"]
        told = await explain(here.runtime, new)
        if road == "event":
            await here.settle([new])
        else:
            await run_import(here.runtime.settings, rows={**ON, "REHIRES": "hand-over"})

        assert told.operation.kind is Kind.CREATE
        assert here.account(new).user_id != account.user_id
        assert here.docebo_id(old) == account.user_id


@pytest.mark.parametrize("match_by", ["email", "email-and-username"])
async def test_who_returns_is_not_shut_out_though_the_address_is_the_username_of_somebody_elses_account(
    sandbox, sqlite_url, match_by
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate", "MATCH_BY": match_by}
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    eva = next(one for one in sandbox.slack if one["profile"].get("email") == "eva@example.com")["id"]
    await run_import(settings, rows=rows)
    sandbox.slack.change(eva, {"profile": {"email": "eva.king@example.com"}})
    sandbox.slack.change(old, {"profile": {"email": "eva@example.com"}})
    await run_import(settings, rows=rows)
    accounts = mapped(sqlite_url, sandbox.slack.team.id)
    assert sandbox.docebo.accounts[accounts[eva]].username == "eva@example.com"
    sandbox.slack.deactivate(old)
    new = sandbox.slack.add("Ada", "Lovelace", "eva@example.com")["id"]

    summary = await run_import(settings, rows=rows)

    assert "set REHIRES to hand-over" in entry_of(settings, summary, new).operation.reason
    assert sandbox.docebo.accounts[accounts[old]].active
    await run_import(settings, rows={**rows, "REHIRES": "hand-over"})
    assert mapped(sqlite_url, sandbox.slack.team.id)[new] == accounts[old]


ZOES = {"email": "zoe@else.example", "firstname": "Zoe"}


async def test_whose_address_somebody_left_with_whose_account_was_handed_over_since_gets_an_own_one(
    sandbox, sqlite_url
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "REHIRES": "hand-over"}
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    former = mapped(sqlite_url, sandbox.slack.team.id)[old]
    sandbox.slack.change(old, {"profile": {"email": "ada.king@example.com"}})
    sandbox.slack.deactivate(old)
    sandbox.docebo.edit(former, {"username": "zoe@else.example", **ZOES})
    new = sandbox.slack.add("Ada", "Lovelace", "ada.king@example.com")["id"]

    await run_import(settings, rows=rows)

    assert mapped(sqlite_url, sandbox.slack.team.id)[new] != former
    assert sandbox.docebo.accounts[former].email == "zoe@else.example"


async def test_whose_address_somebody_left_with_whose_account_shows_another_one_by_now_waits_for_a_decision(
    sandbox, sqlite_url, tmp_path
):
    async with world(sandbox, sqlite_url, tmp_path, REHIRES="hand-over") as here:
        _, account = await leave_with_another_address(here, before="ada@example.com", after="ada.king@example.com")
        sandbox.docebo.edit(account.user_id, ZOES)
        new = sandbox.slack.add("Ada", "Lovelace", "ada.king@example.com")["id"]

        here.put(here.event(new))
        await here.serve()

        assert here.docebo_id(new) is None
        assert sandbox.docebo.accounts.by_username("ada.king@example.com") is None
        assert account.email == "zoe@else.example"
        waiting = await run_import(here.runtime.settings, rows={**ON, "REHIRES": "hand-over"})
        assert (waiting.undecided, here.docebo_id(new)) == (1, None)

        sandbox.docebo.edit(account.user_id, {"username": "zoe@else.example"})
        await run_import(here.runtime.settings, rows={**ON, "REHIRES": "hand-over"})
        assert here.docebo_id(new) not in {None, account.user_id}


@pytest.mark.parametrize("rehires", ["report", "hand-over"])
@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
@pytest.mark.variants(1)
async def test_who_is_back_under_a_new_id_of_which_no_event_came_yet_is_not_shut_out(
    sandbox, sqlite_url, tmp_path, leavers, rehires
):
    async with world(sandbox, sqlite_url, tmp_path, LEAVERS=leavers, REHIRES=rehires) as here:
        old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        await here.settle()
        account = here.account(old)
        sandbox.slack.deactivate(old)
        new = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]

        here.put(here.event(old))
        await here.serve()

        assert (account.active, account.expiration) == (True, None)
        here.put(here.event(new, kind="team_join"))
        await here.serve()
        assert (account.active, account.expiration) == (True, None)
        assert here.docebo_id(old if rehires == "report" else new) == account.user_id


@pytest.mark.parametrize("rehires", ["report", "hand-over"])
async def test_who_is_synchronised_by_a_former_id_is_not_shut_out_under_the_new_one(sandbox, sqlite_url, rehires):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate", "REHIRES": rehires}
    old, new, account = await leave_and_return(sandbox, settings, rows, nights_between=0)

    async with open_runtime(settings, read_rows(table(rows)), run_id="by name") as runtime:
        plan_id = await plan_named(runtime, await validate(runtime), await read_named(runtime, [old], []))
        await carry_out(runtime, plan_id)
        finish(runtime, plan_id)

    assert sandbox.docebo.accounts[account].active
    await run_import(settings, rows={**rows, "REHIRES": "hand-over"})
    assert (mapped(sqlite_url, sandbox.slack.team.id)[new], sandbox.docebo.accounts[account].active) == (account, True)


@pytest.mark.parametrize("bearer", ["nobody", "somebody with an own account", "unknown"])
async def test_a_leaver_is_shut_out_by_an_event_for_one_call_unless_slack_does_not_say_who_bears_the_address(
    sandbox, sqlite_url, tmp_path, bearer
):
    async with world(sandbox, sqlite_url, tmp_path, LEAVERS="deactivate") as here:
        old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        eva = next(user["id"] for user in sandbox.slack if user["profile"].get("email") == "eva@example.com")
        await here.settle()
        sandbox.slack.deactivate(old)
        if bearer == "somebody with an own account":
            sandbox.slack.change(eva, {"profile": {"email": "ada@example.com"}})
        if bearer == "unknown":
            sandbox.slack_gate.faults.add("users.lookupByEmail", "error_500", times=-1)

        event = here.event(old)
        here.put(event)
        await here.serve()

        assert here.account(old).active == (bearer == "unknown")
        assert here.state(event) is EventState.APPLIED or bearer == "unknown"
        assert sandbox.slack_gate.counters.calls["users.lookupByEmail"] == 1 or bearer == "unknown"


@pytest.mark.long
async def test_mappings_that_pass_to_another_person_count_as_moved_by_events_and_imports_together(
    sandbox, sqlite_url, tmp_path
):
    async with world(sandbox, sqlite_url, tmp_path, REHIRES="hand-over", LIMIT_REMAPPINGS="1") as here:
        people = {name: sandbox.slack.add(name, "L", f"{name}@example.com")["id"] for name in ("ada", "bob")}
        await here.settle()
        for old in people.values():
            sandbox.slack.deactivate(old)
            here.put(here.event(old))
        await here.serve()
        back = {name: sandbox.slack.add(name, "L", f"{name}@example.com")["id"] for name in people}
        first, second = (here.event(new, kind="team_join") for new in back.values())

        here.put(first)
        await here.serve()
        here.put(second)
        served = await here.serve()

        assert [here.docebo_id(back["ada"]) is not None, here.docebo_id(back["bob"])] == [True, None]
        [incident] = served.incidents
        assert here.state(second) is EventState.PARKED
        plan_id = await plan_import(here.runtime)
        with pytest.raises(ChangeLimitExceeded, match="2 to map to another account or person"):
            await carry_out(here.runtime, plan_id)
        assert here.docebo_id(people["bob"]) is not None

        let_through(here.runtime.store, incident, here.runtime.now())
        await here.serve()
        assert here.docebo_id(back["bob"]) is not None


@pytest.mark.long
async def test_a_list_that_shows_the_organisations_ids_alone_loses_nobody(sandbox, sqlite_url, monkeypatch):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate"}
    await run_import(settings, rows=rows)
    before = mapped(sqlite_url, sandbox.slack.team.id)
    shown = type(sandbox._slack_api)._shown

    def of_organisation(self, user, arguments):
        return (
            shown(self, {**user, "id": f"W9{user['id'][2:]}"}, arguments)
            if user["id"] in before
            else shown(self, user, arguments)
        )

    monkeypatch.setattr(type(sandbox._slack_api), "_shown", of_organisation)

    summary = await run_import(settings, rows={**rows, "LIMIT_DEACTIVATIONS": "none", "LIMIT_REMAPPINGS": "0"})

    assert mapped(sqlite_url, sandbox.slack.team.id) == {f"W9{slack_id[2:]}": before[slack_id] for slack_id in before}
    assert summary.count(Kind.DEACTIVATE) == 0


@pytest.mark.long
async def test_who_is_named_is_reported_or_gets_the_mapping_too(sandbox, sqlite_url):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate"}
    _, new, account = await leave_and_return(sandbox, settings, rows)
    for rehires, kind in (("report", Kind.LEAVE), ("hand-over", Kind.UPDATE)):
        behaviour = read_rows(table({**rows, "REHIRES": rehires}))
        async with open_runtime(settings, behaviour, run_id=f"named-{rehires}") as runtime:
            workspace = await validate(runtime)
            plan_id = await plan_named(runtime, workspace, await read_named(runtime, [new], []))
            await carry_out(runtime, plan_id)
            summary = finish(runtime, plan_id)
        assert entry_of(settings, summary, new).operation.kind is kind
        assert summary.newly_undecided == (rehires == "report")

    assert mapped(sqlite_url, sandbox.slack.team.id)[new] == account


async def test_an_account_that_we_have_shut_is_not_opened_for_somebody_else_to_whom_it_was_handed_over(
    sandbox, sqlite_url
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**ON, "LEAVERS": "deactivate"}
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    account = mapped(sqlite_url, sandbox.slack.team.id)[ada]
    sandbox.slack.deactivate(ada)
    await run_import(settings, rows=rows)
    delete_mappings(settings, sandbox.slack.team.id, ada)
    bobs = {"username": "bob@example.com", "email": "bob@example.com", "firstname": "Bob", "lastname": "Hope"}
    sandbox.docebo.edit(account, bobs)
    bob = sandbox.slack.add("Bob", "Hope", "bob@example.com")["id"]

    for days in (1, 2):
        with time_machine.travel(datetime.now(UTC) + timedelta(days=days)):
            await run_import(settings, rows=rows)

    assert mapped(sqlite_url, sandbox.slack.team.id)[bob] == account
    assert not sandbox.docebo.accounts[account].active


@pytest.mark.long
@pytest.mark.parametrize("leavers", ["keep", "deactivate"])
async def test_an_account_that_was_linked_by_hand_and_handed_over_is_not_written_by_the_events_of_who_left_and_is_back(
    sandbox, sqlite_url, tmp_path, leavers
):
    async with world(sandbox, sqlite_url, tmp_path, LEAVERS=leavers, LEAVERS_AFTER_DAYS="0") as here:
        ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        await here.settle()
        account = here.account(ada)
        with here.runtime.store.transaction() as tables:
            tables.sightings(here.runtime.settings.docebo_url).forget([account.user_id])
        sandbox.slack.deactivate(ada)
        here.put(here.event(ada))
        await here.serve()
        bobs = {"username": "bob@example.com", "email": "bob@example.com", "firstname": "Bob", "lastname": "Hope"}
        sandbox.docebo.edit(account.user_id, bobs)
        sandbox.slack.reactivate(ada)
        sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
        here.put(here.event(ada))
        await here.serve()

    assert (account.firstname, account.email) == ("Bob", "bob@example.com")


@pytest.mark.parametrize("road", ["import", "event"])
@pytest.mark.parametrize("heir", [True, False])
@pytest.mark.variants(2)
async def test_who_has_another_address_keeps_the_account_though_the_mapping_is_gone(
    sandbox, sqlite_url, tmp_path, road, heir
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings)
    account = sandbox.docebo.accounts.by_username("ada@example.com")
    delete_mappings(settings, sandbox.slack.team.id, ada)  # as a reset does
    sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})
    bob = sandbox.slack.add("Bob", "Byron", "ada@example.com")["id"] if heir else ""

    if road == "import":
        await run_import(settings)
    else:
        async with world(sandbox, sqlite_url, tmp_path) as here:
            for slack_id in filter(None, (bob, ada)):
                here.put(here.event(slack_id))
                await here.serve()

    assert mapped(sqlite_url, sandbox.slack.team.id)[ada] == account.user_id
    assert (account.firstname, account.email) == ("Ada", "king@example.com")
    assert bob not in mapped(sqlite_url, sandbox.slack.team.id)
    assert sum(one.provisioned_by is not None for one in sandbox.docebo.accounts) == 2


@pytest.mark.parametrize("match_by", ["email", "username"])
@pytest.mark.parametrize("told_of", ["by an event", "by an import"])
@pytest.mark.variants(1)
async def test_who_have_swapped_addresses_keep_their_accounts_though_the_mappings_are_gone(
    sandbox, sqlite_url, tmp_path, told_of, match_by
):
    settings, team = settings_for(sandbox.facts(), sqlite_url), sandbox.slack.team.id
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    bob = sandbox.slack.add("Bob", "Byron", "bob@example.com")["id"]
    await run_import(settings)
    before = mapped(sqlite_url, team)
    delete_mappings(settings, team, ada, bob)  # as a reset does
    sandbox.slack.change(ada, {"profile": {"email": "bob@example.com"}})
    sandbox.slack.change(bob, {"profile": {"email": "ada@example.com"}})
    if told_of == "by an event":
        async with world(sandbox, sqlite_url, tmp_path, MATCH_BY=match_by) as here:
            here.put(here.event(ada), here.event(bob))
            await here.serve()
        adas, bobs = (sandbox.docebo.accounts[before[slack_id]] for slack_id in (ada, bob))
        assert (adas.firstname, bobs.firstname) == ("Ada", "Bob")

    await run_import(settings, rows={"MATCH_BY": match_by})

    assert mapped(sqlite_url, team) == before
    adas, bobs = (sandbox.docebo.accounts[before[slack_id]] for slack_id in (ada, bob))
    assert (adas.firstname, bobs.firstname) == ("Ada", "Bob")
    assert (adas.email, bobs.email) == ("bob@example.com", "ada@example.com")


@pytest.fixture
async def former(sandbox, sqlite_url) -> tuple[str, str, Any]:
    """Ada, without a mapping and with another address by now, and Bob, to whom her former account was given since."""
    settings = settings_for(sandbox.facts(), sqlite_url)
    ada = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(settings)
    account = sandbox.docebo.accounts.by_username("ada@example.com")
    bob, team = str(sandbox.slack.add("Bob", "Byron", "bob@example.com")["id"]), sandbox.slack.team.id
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        mappings = tables.mappings(settings.docebo_url)
        mappings.delete(team, [ada])
        mappings.save([Mapping(bob, team, "bob", account.user_id)], now=datetime.now(UTC))
    sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})
    return ada, bob, account


@pytest.mark.long
async def test_whose_former_account_is_mapped_to_somebody_else_gets_another_one(sandbox, sqlite_url, former):
    ada, bob, account = former

    await run_import(settings_for(sandbox.facts(), sqlite_url))

    of = mapped(sqlite_url, sandbox.slack.team.id)
    assert (of[bob], of[ada]) == (account.user_id, sandbox.docebo.accounts.by_username("king@example.com").user_id)


@pytest.mark.long
async def test_a_former_account_that_was_given_to_somebody_else_since_is_nobodys_by_that(sandbox, sqlite_url, former):
    _, bob, account = former
    settings, team = settings_for(sandbox.facts(), sqlite_url), sandbox.slack.team.id
    delete_mappings(settings, team, bob)

    await run_import(settings)

    assert account.user_id not in mapped(sqlite_url, team).values()
    assert account.email == "ada@example.com"
