"""Limits: over time, over all runs, and what waits until somebody lets it through."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import time_machine

from sandbox.server import Sandbox
from slack_docebo.domain.guards import Change
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.people import Mapping
from slack_docebo.domain.targets import EXPIRATION, USERNAME
from slack_docebo.engine.importing import apply_saved, plan_import
from slack_docebo.engine.mappings.forgetting import forget
from slack_docebo.engine.planning.limits import AHEAD, end_of_window
from slack_docebo.engine.planning.named import plan_named, read_named
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.accounts import INDEX_LAG, read_target
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.realtime import rounds
from slack_docebo.engine.realtime.holding import let_through
from slack_docebo.engine.realtime.round_plans import withdraw_unsent
from slack_docebo.engine.realtime.rounds import serve_round
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.realtime.serving import InboxLease, take_or_watch
from slack_docebo.engine.realtime.upkeep import tidy
from slack_docebo.engine.writing.admitting import admit
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ChangeLimitExceeded, ConfigurationError, TooManyRejected
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.storage.events import EventState
from slack_docebo.storage.intents import IntentRepository
from slack_docebo.storage.journal import LOOKED_AT, JournalRepository
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import LET_THROUGH, OVER, Plan, PlanKind, PlanState
from slack_docebo.storage.store import Store
from tests.importing import ON, carry_out, run_import, settings_for
from tests.integration.commands import environment, run
from tests.integration.realtime_world import World, world

USERS = 60

DOCEBO = "https://lms.example.com"
LEAVERS = {"LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "1"}
NOW = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
async def here(shared_sandbox: Sandbox, sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, LIMIT_DEACTIVATIONS="1") as made:
        await made.settle()
        yield made


def leave(here: World, *slack_ids: str):
    for slack_id in slack_ids:
        here.sandbox.slack.deactivate(slack_id)
    events = [here.event(slack_id) for slack_id in slack_ids]
    here.put(*events)
    return events


async def test_events_over_a_limit_wait_as_one_incident_and_are_let_through_by_its_id(here):
    people = here.members()
    first = leave(here, *people[:3])
    served = await here.serve()
    second = leave(here, *people[3:5])
    again = await here.serve()

    [incident] = served.incidents
    assert (served.held, again.held, again.incidents) == (3, 2, {incident: 2})
    assert f"3 held back by a limit, as incident {incident}" in served.line
    assert {here.entry(event).incident for event in (*first, *second)} == {incident}
    assert [plan.id for plan in here.plans() if plan.state is PlanState.REFUSED] == [incident]
    assert all(here.account(slack_id).active for slack_id in people[:5])

    assert len(let_through(here.runtime.store, incident, here.runtime.now())) == 5
    await here.serve()

    assert not any(here.account(slack_id).active for slack_id in people[:5])
    assert {here.state(event) for event in (*first, *second)} == {EventState.APPLIED}


async def test_an_incident_that_a_former_release_has_let_through_is_not_held_once_more(here):
    people = here.members()[:3]
    leave(here, *people)
    [incident] = (await here.serve()).incidents
    let_through(here.runtime.store, incident, here.runtime.now())
    with here.runtime.store.transaction() as tables:  # which did not note in what it exceeds the limits
        plan = tables.plans.read(incident)
        facts = {name: fact for name, fact in plan.facts.items() if name != OVER}
        tables.plans.set_state(incident, plan.state, facts=facts)

    await here.serve()

    assert not any(here.account(slack_id).active for slack_id in people)


@pytest.mark.parametrize("at_work", [False, True], ids=["before its first call", "while it is at work"])
@pytest.mark.variants(1)
async def test_an_import_stops_where_events_have_used_up_its_limit_meanwhile(here, at_work):
    first, second = here.members()[:2]
    here.sandbox.slack.deactivate(first)
    settings, behaviour = here.runtime.settings, here.runtime.behaviour
    async with open_runtime(settings, behaviour, run_id="an import") as runtime:
        plan_id = await plan_import(runtime)
        if at_work:
            begin(runtime, plan_id)
        leave(here, second)
        await here.serve()

        with pytest.raises(ChangeLimitExceeded, match=rf"{plan_id}.*: 2 to deactivate \(1 of them by runs before\)"):
            await (apply_accounts(runtime, plan_id, lambda _: None) if at_work else carry_out(runtime, plan_id))
        finish(runtime, plan_id)
    assert [here.account(slack_id).active for slack_id in (first, second)] == [True, False]

    async with open_runtime(settings, behaviour, run_id="somebody who looked") as runtime:
        await apply_saved(runtime, plan_id, lambda _: None)
    assert not here.account(first).active


async def test_who_waits_as_another_run_has_used_a_limit_up_during_the_round_has_not_failed(here, monkeypatch):
    first, renamed, gone = here.members()[:3]
    here.sandbox.slack.deactivate(first)
    other = await plan_named(here.runtime, here.workspace, await read_named(here.runtime, [first], []))

    def begin_after_another_run(runtime: Runtime, plan_id: str) -> None:
        monkeypatch.setattr(rounds, "begin", begin)
        with runtime.store.transaction() as tables:
            done = [RowOutcome(0, Outcome.APPLIED, here.docebo_id(first))]
            tables.operations.record(other, done, now=runtime.now(), flow_run="another")
        begin(runtime, plan_id)

    monkeypatch.setattr(rounds, "begin", begin_after_another_run)
    here.sandbox.slack.change(renamed, {"profile": {"last_name": "King"}})
    here.put(here.event(renamed))
    [left] = leave(here, gone)

    served = await here.serve()

    assert (here.entry(left).attempts, here.state(left), here.account(gone).active) == (0, EventState.PARKED, True)
    assert here.account(renamed).lastname == "King"
    assert (served.held, served.operations) == (1, {Kind.UPDATE: 1})

    let_through(here.runtime.store, here.entry(left).incident, here.runtime.now())
    await here.serve()
    assert not here.account(gone).active


@pytest.mark.long
async def test_who_was_changed_before_is_counted_for_what_has_a_limit_alone(here, monkeypatch):
    counted, count = [], JournalRepository.people_changed

    def counting(journal: JournalRepository, plan_id: str, *sizes: Any, **window: Any) -> dict[Change, int]:
        counted.append(plan_id)
        return count(journal, plan_id, *sizes, **window)

    monkeypatch.setattr(JournalRepository, "people_changed", counting)
    first, second = here.members()[:2]
    here.sandbox.slack.change(first, {"profile": {"last_name": "Byron"}})
    here.put(here.event(first))
    await here.serve()

    assert here.account(first).lastname == "Byron"
    assert not counted

    leave(here, second)
    await here.serve()

    assert not here.account(second).active
    assert counted


async def test_two_runs_that_are_about_to_send_at_the_same_moment_exceed_no_limit_together(
    shared_sandbox, postgres_url, tmp_path, monkeypatch
):
    shared_sandbox.reset()
    async with world(shared_sandbox, postgres_url, tmp_path, LIMIT_DEACTIVATIONS="1") as here:
        await here.settle()
        people = here.members()[:2]
        async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="runs") as runtime:
            plans = []
            for slack_id in people:
                shared_sandbox.slack.deactivate(slack_id)
                plans.append(await plan_named(runtime, here.workspace, await read_named(runtime, [slack_id], [])))
            may_send: list[str] = []

            def admit_all(plan_id: str) -> None:
                with runtime.store.reading() as tables:
                    plan, batch = tables.plans.read(plan_id), tables.operations.pending(plan_id, Kind.DEACTIVATE, 10)
                with suppress(ChangeLimitExceeded):
                    policy = runtime.behaviour.policy(here.workspace.team)
                    admitted, _ = admit(runtime, plan, batch, accounts=None, policy=policy)
                    may_send.extend(operation.slack_id for _, operation in admitted)

            note, other = IntentRepository.note, threading.Thread(target=admit_all, args=plans[1:])

            def while_another_one_measures(*noted, **details) -> None:
                if not other.ident:
                    other.start()
                    other.join(0.3)  # nothing of the first is committed yet
                note(*noted, **details)

            monkeypatch.setattr(IntentRepository, "note", while_another_one_measures)
            admit_all(plans[0])
            other.join()

        assert may_send == people[:1]


@pytest.mark.parametrize("is_shown", [False, True], ids=["deleted meanwhile", "shown as before"])
@pytest.mark.variants(1)
async def test_whom_a_run_may_have_shut_before_it_died_counts_where_docebo_cannot_show_it_any_more(here, is_shown):
    """However late the next run looks: that the account is gone does not say that it was not shut before."""
    first, second = here.members()[:2]
    docebo_id, settings, behaviour = here.docebo_id(first), here.runtime.settings, here.runtime.behaviour
    here.sandbox.slack.deactivate(first)
    async with open_runtime(settings, behaviour, run_id="dies") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)
        with runtime.store.reading() as tables:
            plan, batch = tables.plans.read(plan_id), tables.operations.pending(plan_id, Kind.DEACTIVATE, 10)
        admit(runtime, plan, batch, accounts=None, policy=behaviour.policy(here.workspace.team))
    if is_shown:
        here.sandbox.slack.reactivate(first)
    else:
        here.sandbox.docebo.delete(docebo_id)
    with time_machine.travel(datetime.now(UTC) + 2 * INDEX_LAG):
        await run_import(settings, rows=LEAVERS)
        here.sandbox.slack.deactivate(second)
        with nullcontext() if is_shown else pytest.raises(ChangeLimitExceeded, match=r"\(1 of them by runs before\)"):
            await run_import(settings, rows=LEAVERS)

    assert here.account(second).active is not is_shown


@pytest.mark.long
async def test_whom_an_event_has_changed_before_the_import_came_to_it_counts_for_the_rest_of_the_import(
    shared_sandbox, sqlite_url, tmp_path
):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, LIMIT_DEACTIVATIONS="2") as here:
        await here.settle()
        first, second, third = here.members()[:3]
        for slack_id in (first, second):
            shared_sandbox.slack.deactivate(slack_id)
        async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="dry") as runtime:
            plan_id = await plan_import(runtime)
        leave(here, first)
        await here.serve()
        leave(here, third)
        await here.serve()

        async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="somebody") as runtime:
            with pytest.raises(ChangeLimitExceeded, match=r"3 to deactivate \(2 of them by runs before\)"):
                await apply_saved(runtime, plan_id, lambda _: None)

        assert [here.account(slack_id).active for slack_id in (first, second, third)] == [False, True, False]


@pytest.mark.long
async def test_what_was_let_through_does_not_count_and_lets_nobody_else_through(here):
    people = here.members()
    leave(here, *people[:3])
    [incident] = (await here.serve()).incidents
    let_through(here.runtime.store, incident, here.runtime.now())
    await here.serve()

    leave(here, people[3])
    await here.serve()
    leave(here, people[4])
    later = await here.serve()

    assert not here.account(people[3]).active  # one a day is allowed
    assert here.account(people[4]).active
    assert later.held == 1
    assert incident not in later.incidents


@pytest.mark.long
async def test_people_whose_change_is_under_no_limit_are_served_in_the_same_round(here):
    people = here.members()
    here.sandbox.slack.change(people[5], {"profile": {"last_name": "King"}})
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    here.put(here.event(people[5]), here.event(ada["id"]))
    leave(here, *people[:3])

    served = await here.serve()

    assert (served.held, served.operations) == (3, {Kind.UPDATE: 1, Kind.CREATE: 1})
    assert here.account(people[5]).lastname == "King"


@pytest.mark.long
async def test_somebody_who_waits_and_keeps_changing_is_let_through_with_the_incident(here):
    people = here.members()
    leave(here, *people[:3])
    [incident] = (await here.serve()).incidents
    let_through(here.runtime.store, incident, here.runtime.now())
    here.sandbox.slack.change(people[0], {"profile": {"title": "gone"}, "updated": here.event(people[0]).updated + 5})
    here.put(here.event(people[0]))

    served = await here.serve()

    assert served.held == 0
    assert not any(here.account(slack_id).active for slack_id in people[:3])


async def test_who_is_let_through_one_limit_and_leaves_before_that_is_done_is_let_through_no_other(here):
    here.runtime.behaviour = read_rows(
        table({**ON, "LIMIT_UPDATES": "1", "LIMIT_DEACTIVATIONS": "1", "LEAVERS": "deactivate"})
    )
    people = here.members()[:3]
    for slack_id in people:
        here.sandbox.slack.change(slack_id, {"profile": {"last_name": "King"}})
    here.put(*(here.event(slack_id) for slack_id in people))
    [named] = (await here.serve()).incidents
    let_through(here.runtime.store, named, here.runtime.now())
    left = leave(here, *people)

    [incident] = (await here.serve()).incidents

    assert incident != named
    assert {(here.state(event), here.entry(event).incident) for event in left} == {("parked", incident)}
    assert all(here.account(slack_id).active for slack_id in people)

    let_through(here.runtime.store, incident, here.runtime.now())
    await here.serve()
    assert not any(here.account(slack_id).active for slack_id in people)


async def test_who_waits_for_a_limit_and_comes_back_waits_for_nobody_any_more(here):
    people = here.members()[:2]
    left, gone = leave(here, *people)
    await here.serve()
    here.sandbox.slack.reactivate(people[0])
    back = here.event(people[0])
    here.put(back)

    served = await here.serve()

    assert (here.state(left), here.state(back), here.state(gone)) == ("applied", "applied", "parked")
    assert (served.held, here.account(people[0]).active) == (0, True)


@pytest.mark.long
async def test_events_that_are_replayed_and_not_let_through_wait_again(here):
    people = here.members()
    events = leave(here, *people[:3])
    [incident] = (await here.serve()).incidents
    here.replay(*events)

    assert list((await here.serve()).incidents) == [incident]
    assert all(here.account(slack_id).active for slack_id in people[:3])


@pytest.mark.long
async def test_who_is_parked_for_another_reason_is_held_back_by_no_limit_any_more(here):
    people = here.members()[:3]
    *through, replayed = [event.event_id for event in leave(here, *people)]
    [incident] = (await here.serve()).incidents
    store, now = here.runtime.store, here.runtime.now()
    with store.transaction() as tables:
        tables.inbox.replay([replayed], now)
        tables.inbox.park([replayed], "no room", now, run="")
        assert tables.inbox.incidents() == {incident: 2}

    let_through(store, incident, now)
    with store.transaction() as tables:
        tables.inbox.park(through, "no room", now, run="")
        assert tables.inbox.incidents() == {}
        assert len(tables.inbox.parked_errors(here.workspace.team, people)) == 3

        tables.inbox.replay(through, now)
    await here.serve()
    assert [here.account(slack_id).active for slack_id in people] == [False, False, True]  # they stay let through


async def test_one_command_lets_the_events_of_an_incident_through(here, shared_sandbox, sqlite_url, tmp_path):
    events = leave(here, *here.members()[:3])
    [incident] = (await here.serve()).incidents
    env = environment(shared_sandbox.facts(), sqlite_url, tmp_path)

    listed = json.loads(run(env, "events", "list", "--parked", "--json").stdout)
    done = run(env, "events", "let-through", incident)
    others = [run(env, "events", "let-through", one) for one in (incident, "unheardof")]

    assert {row["incident"] for row in listed} == {incident}
    assert f"slack-docebo events let-through {incident}" in listed[0]["error"]
    assert (done.returncode, done.stdout) == (0, "3 events will be applied over the limit.\n")
    assert {here.state(event) for event in events} == {EventState.WAITING}
    assert [(other.returncode, "no event is held back" in other.stderr) for other in others] == [(2, True)] * 2


@pytest.mark.long
async def test_applying_the_refused_plan_lets_its_incident_through_as_well(here):
    people = here.members()
    events = leave(here, *people[:3])
    [incident] = (await here.serve()).incidents
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="somebody") as runtime:
        await apply_saved(runtime, incident, lambda _: None)

    assert not any(here.account(slack_id).active for slack_id in people[:3])
    await here.serve()
    assert {here.state(event) for event in events} == {EventState.APPLIED}


@pytest.mark.long
async def test_an_incident_can_be_let_through_however_long_it_has_waited(here, monkeypatch):
    leave(here, *here.members()[:2])
    [incident] = (await here.serve()).incidents
    later = here.runtime.now() + timedelta(days=1000)
    monkeypatch.setattr(here.runtime, "now", lambda: later)
    plan_of(here.runtime.store, "1newest", at=later)

    assert tidy(here.runtime).plans > 0

    assert len(let_through(here.runtime.store, incident, later)) == 2


@pytest.mark.long
async def test_who_lets_an_incident_through_while_a_run_lingers_is_told_what_that_has_made_of_it(here):
    done, late, failed = leave(here, *here.members()[:3])
    [incident] = (await here.serve()).incidents
    with InboxLease(here.runtime) as lingering:
        assert lingering.take()
        let_through(here.runtime.store, incident, here.runtime.now())
        events = {done.event_id, late.event_id, failed.event_id}
        watching = asyncio.create_task(take_or_watch(here.runtime, InboxLease(here.runtime), incident, events))
        with here.runtime.store.transaction() as tables:
            tables.inbox.retry_later([late.event_id], "no answer", here.runtime.now() + timedelta(hours=1), run="")
            tables.inbox.park([failed.event_id], "no room", here.runtime.now(), run="")
        await serve_round(here.runtime, here.workspace, ServeResult())
        seen_to = await watching

    told = "3 events: 1 applied, 1 to be retried, 1 parked; seen to by the run that is at work: "
    assert seen_to.line.startswith(told)
    assert not here.account(done.slack_id).active


@pytest.mark.long
async def test_who_lets_an_incident_through_while_a_run_ends_takes_its_place(here):
    leave(here, *here.members()[:2])
    [incident] = (await here.serve()).incidents
    event_ids = let_through(here.runtime.store, incident, here.runtime.now())

    with InboxLease(here.runtime) as lease:
        assert await take_or_watch(here.runtime, lease, incident, event_ids) is None
        assert not InboxLease(here.runtime).take()


@pytest.mark.long
async def test_nothing_is_let_through_that_nobody_holds_back(here):
    with pytest.raises(ConfigurationError, match="no event is held back"):
        let_through(here.runtime.store, here.plans()[0].id, here.runtime.now())


async def test_a_saved_plan_is_measured_again_when_it_is_applied(here):
    people = here.members()
    for slack_id in people[:1]:
        here.sandbox.slack.deactivate(slack_id)
    behaviour = read_rows(table({**ON, **LEAVERS}))
    async with open_runtime(here.runtime.settings, behaviour, run_id="dry") as runtime:
        plan_id = await plan_import(runtime)
    leave(here, people[1])
    await here.serve()  # the one of today

    async with open_runtime(here.runtime.settings, behaviour, run_id="somebody") as runtime:
        with pytest.raises(ChangeLimitExceeded):
            await apply_saved(runtime, plan_id, lambda _: None)
        assert here.account(people[0]).active
        await apply_saved(runtime, plan_id, lambda _: None)  # who was told lets it through

    assert not here.account(people[0]).active


async def test_who_lets_a_plan_through_one_limit_lets_it_through_no_other_that_came_later(here):
    leaver = here.members()[0]
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    here.sandbox.slack.deactivate(leaver)
    limits = {"LEAVERS": "deactivate", "LIMIT_CREATIONS": "0"}
    settings, behaviour = here.runtime.settings, read_rows(table({**ON, **limits}))
    async with open_runtime(settings, behaviour, run_id="dry") as runtime:
        plan_id = await plan_import(runtime)

    nobody_leaves = read_rows(table({**ON, **limits, "LIMIT_DEACTIVATIONS": "0"}))
    async with open_runtime(settings, nobody_leaves, run_id="somebody") as runtime:
        with pytest.raises(ChangeLimitExceeded, match="1 to deactivate, the limit is 0; nothing was written"):
            await apply_saved(runtime, plan_id, lambda _: None)
        assert here.docebo_id(ada["id"]) is None
        assert here.account(leaver).active
        await apply_saved(runtime, plan_id, lambda _: None)  # who was told of both

    assert here.docebo_id(ada["id"])
    assert not here.account(leaver).active


@pytest.mark.long
async def test_only_what_was_over_a_limit_is_noted_as_let_through(here):
    settings = here.runtime.settings
    here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    async with open_runtime(settings, here.runtime.behaviour, run_id="dry") as runtime:
        plan_id = await plan_import(runtime)
    async with open_runtime(settings, here.runtime.behaviour, run_id="somebody") as runtime:
        done = await apply_saved(runtime, plan_id, lambda _: None)

    assert not done.plan.facts[LET_THROUGH]


async def test_nothing_is_created_beyond_the_most_accounts_whoever_lets_it_through(shared_sandbox, sqlite_url):
    shared_sandbox.reset()
    settings = settings_for(shared_sandbox.facts(), sqlite_url)
    before = len(shared_sandbox.docebo.accounts)
    rows = {"MAX_ACCOUNTS": str(before + 1)}
    dry = await run_import(settings, rows=rows, dry_run=True)
    more = dry.count(Kind.CREATE)

    assert f"Docebo has {before} accounts, this plan makes it {before + more}." in dry.markdown()
    with pytest.raises(ChangeLimitExceeded, match="MAX_ACCOUNTS"):
        await run_import(settings, rows=rows)
    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="somebody") as runtime:
        with pytest.raises(ChangeLimitExceeded, match="MAX_ACCOUNTS"):
            await apply_saved(runtime, dry.plan.id, lambda _: None)
    assert len(shared_sandbox.docebo.accounts) == before

    done = await run_import(settings, rows={"MAX_ACCOUNTS": str(before + more)})
    assert done.count(Kind.CREATE, outcome=Outcome.APPLIED) == more


@pytest.mark.long
async def test_real_time_creates_nobody_beyond_the_most_accounts(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    settings = settings_for(shared_sandbox.facts(), sqlite_url)
    await run_import(settings)
    most = len(shared_sandbox.docebo.accounts) + 1
    async with world(shared_sandbox, sqlite_url, tmp_path, MAX_ACCOUNTS=str(most)) as here:
        for name in ("ada", "bea"):
            user = shared_sandbox.slack.add(name, "Lovelace", f"{name}@example.com")
            here.put(here.event(user["id"], kind="team_join"))
            served = await here.serve()

    assert len(shared_sandbox.docebo.accounts) == most
    assert served.held == 1


@pytest.mark.long
async def test_who_lets_leavers_through_a_limit_lets_nobody_through_who_waits_for_the_most_accounts(
    shared_sandbox, sqlite_url, tmp_path
):
    shared_sandbox.reset()
    await run_import(settings_for(shared_sandbox.facts(), sqlite_url))
    most = len(shared_sandbox.docebo.accounts)
    async with world(shared_sandbox, sqlite_url, tmp_path, LIMIT_DEACTIVATIONS="1", MAX_ACCOUNTS=str(most)) as here:
        leave(here, *here.members()[:2])
        [incident] = (await here.serve()).incidents
        held = []
        for name in ("ada", "bea"):
            user = shared_sandbox.slack.add(name, "Lovelace", f"{name}@example.com")
            here.put(here.event(user["id"], kind="team_join"))
            held += (await here.serve()).incidents

        assert held[0] == held[1] != incident


async def test_whom_an_event_gave_an_account_while_an_import_was_planned_counts_for_the_most_accounts(
    shared_sandbox, sqlite_url, tmp_path
):
    shared_sandbox.reset()
    await run_import(settings_for(shared_sandbox.facts(), sqlite_url))
    most = len(shared_sandbox.docebo.accounts) + 1
    async with world(shared_sandbox, sqlite_url, tmp_path, MAX_ACCOUNTS=str(most)) as here:

        async def join(name: str) -> ServeResult:
            user = shared_sandbox.slack.add(name, "Lovelace", f"{name}@example.com")
            here.put(here.event(user["id"], kind="team_join"))
            return await here.serve()

        async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="import") as runtime:
            with SourceSnapshot() as people:
                await read_source(runtime, here.workspace, people, partial(read_page, runtime, here.workspace))
                accounts = await read_target(runtime)
                await join("ada")
                await make_plan(runtime, here.workspace, people, accounts, kind=PlanKind.BULK_IMPORT, listed=people)
        served = await join("bea")

    assert (served.held, len(shared_sandbox.docebo.accounts)) == (1, most)


@pytest.mark.long
async def test_what_others_create_while_a_plan_is_applied_counts_for_the_most_accounts(shared_sandbox, sqlite_url):
    shared_sandbox.reset()
    settings = settings_for(shared_sandbox.facts(), sqlite_url)
    before = len(shared_sandbox.docebo.accounts)
    more = (await run_import(settings, dry_run=True)).count(Kind.CREATE)
    behaviour = read_rows(table({**ON, "MAX_ACCOUNTS": str(before + more)}))
    async with open_runtime(settings, behaviour, run_id="import") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)
        other = Plan("1other", PlanKind.REALTIME_SYNC, runtime.now(), docebo=settings.docebo_url, slack_team="T1")
        with runtime.store.transaction() as tables:
            tables.plans.create(other)
            tables.operations.add(other.id, 0, [operation("U0NEW", Kind.CREATE, None)])
            tables.operations.record(other.id, [RowOutcome(0, Outcome.APPLIED, 99)], now=runtime.now(), flow_run="r")
        with pytest.raises(ChangeLimitExceeded, match="MAX_ACCOUNTS"):
            await apply_accounts(runtime, plan_id, lambda _: None)

    assert len(shared_sandbox.docebo.accounts) == before


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


def operation(
    slack_id: str, kind: Kind, docebo_id: int | None = 1, prior: int | None = None, former: str = ""
) -> Operation:
    mapping = None if prior is None else Mapping(former or slack_id, "T1", slack_id, prior)
    return Operation(slack_id, "T1", slack_id, kind, reason="", docebo_id=docebo_id, maps=True, prior=mapping)


def plan_of(store: Store, plan_id: str, *operations: Operation, outcome=Outcome.APPLIED, at=NOW, **facts) -> None:
    with store.transaction() as tables:
        tables.plans.create(Plan(plan_id, PlanKind.REALTIME_SYNC, at, docebo=DOCEBO, slack_team="T1", facts=facts))
        tables.operations.add(plan_id, 0, operations)
        done = [RowOutcome(seq, outcome, op.docebo_id or 99) for seq, op in enumerate(operations)]
        tables.operations.record(plan_id, done, now=at, flow_run="r")


@pytest.mark.parametrize(("state", "taken_out"), [(PlanState.APPLYING, {"U1"}), (PlanState.REFUSED, set())])
def test_who_was_not_sent_yet_is_taken_out_of_a_plan_only_if_it_was_begun(store, state, taken_out):
    plan_of(store, "1plan", operation("U1", Kind.CREATE, None), outcome=Outcome.PLANNED)
    with store.transaction() as tables:
        tables.plans.set_state("1plan", state)

    assert withdraw_unsent(store, "1plan") == taken_out


def changed(store: Store) -> dict[str, int]:
    with store.transaction() as tables:
        tables.plans.create(Plan("9plan", PlanKind.BULK_IMPORT, NOW, docebo=DOCEBO, slack_team="T1"))
        tables.operations.add("9plan", 0, [operation("U9", Kind.UPDATE)])
        sizes = dict.fromkeys(Change, 0) | tables.journal.sizes("9plan", NOW.date())
        before = tables.journal.people_changed("9plan", sizes, since=NOW, until=NOW + AHEAD, ends_by=NOW.date())
        return {str(change): people for change, people in before.items()}


def test_a_moved_mapping_counts_as_one_whatever_moves_it(store):
    with store.transaction() as tables:
        tables.people.register("T1", ["U5", "U6", "U7"], now=NOW)
        tables.people.note_ids("T1", {"W7": "U7"})
    plan_of(
        store,
        "1plan",
        operation("U1", Kind.MAP, 2, prior=1),
        operation("U2", Kind.CREATE, None, prior=1),
        operation("U3", Kind.UPDATE, 1, prior=1),
        operation("U4", Kind.MAP, 2),
        operation("U6", Kind.MAP, 3, prior=3, former="U5"),
        operation("W7", Kind.MAP, 4, prior=4, former="U7"),
    )

    assert changed(store) == {"move mapping": 3, "create": 1, "update": 1}


@pytest.mark.long
def test_people_are_counted_once_over_however_many_plans_and_not_where_somebody_let_them_through(store):
    for number in range(1500):
        plan_of(store, f"p{number}", operation("U1", Kind.UPDATE))
    plan_of(store, "let", operation("U2", Kind.UPDATE), **{LET_THROUGH: True})
    plan_of(store, "mapped", operation("U1", Kind.UPDATE, prior=1))
    plan_of(store, "not", operation("U3", Kind.UPDATE), **{LET_THROUGH: False})
    plan_of(store, "old", operation("U4", Kind.UPDATE), at=NOW - timedelta(seconds=1))
    plan_of(store, "own", operation("U9", Kind.UPDATE))

    assert changed(store) == {"update": 2}


def test_an_account_that_ends_today_where_the_day_begins_before_that_of_utc_counts_as_deactivated():
    rows = {"TIME_ZONE": "Pacific/Kiritimati", "LIMIT_WINDOW_HOURS": "1"}
    at_noon = NOW + timedelta(hours=12)

    assert end_of_window(read_rows(table({**ON, **rows})), at_noon) == NOW.date() + timedelta(days=1)


def test_of_a_plan_that_was_let_through_what_is_under_another_limit_counts(store):
    changes = operation("U1", Kind.UPDATE), operation("U2", Kind.DEACTIVATE)
    plan_of(store, "let", *changes, **{LET_THROUGH: True, OVER: ["update"]})

    assert changed(store) == {"deactivate": 1}


def test_who_was_changed_in_several_ways_on_one_day_counts_as_one_of_each(store):
    renamed = replace(operation("U1", Kind.UPDATE), changes={USERNAME: "ada@example.com"})
    ended = replace(operation("U1", Kind.UPDATE), changes={EXPIRATION: "2026-01-01"})
    for number, one in enumerate((operation("U1", Kind.UPDATE), renamed, ended, operation("U1", Kind.DEACTIVATE))):
        plan_of(store, f"p{number}", one)
    plan_of(store, "moved", operation("U1", Kind.UPDATE, 2, prior=1), operation("U1", Kind.MAP, 3, prior=2))

    assert changed(store) == {"update": 1, "change username": 1, "deactivate": 1, "move mapping": 1}


@pytest.mark.variants(1)
def test_who_was_changed_before_counts_unless_the_plan_changes_that_person_in_the_same_way(store):
    renamed = {
        slack_id: replace(operation(slack_id, Kind.UPDATE), changes={USERNAME: "ada"}) for slack_id in ("U1", "U2")
    }
    plan_of(store, "1plan", *renamed.values(), operation("U3", Kind.DEACTIVATE))
    with store.transaction() as tables:
        tables.plans.create(Plan("9plan", PlanKind.BULK_IMPORT, NOW, docebo=DOCEBO, slack_team="T1"))
        planned = [renamed["U1"], operation("U2", Kind.UPDATE), operation("U3", Kind.DEACTIVATE)]
        tables.operations.add("9plan", 0, planned)
        tables.operations.record("9plan", [RowOutcome(2, Outcome.SKIPPED)], now=NOW, flow_run="r")

        sizes = dict.fromkeys(Change, 0) | tables.journal.sizes("9plan", NOW.date())
        before = tables.journal.people_changed("9plan", sizes, since=NOW, until=NOW + AHEAD, ends_by=NOW.date())

    assert before == {Change.RENAME: 1, Change.DEACTIVATE: 1}


@pytest.mark.parametrize("of_own", [1, LOOKED_AT + 1], ids=["a small plan", "a large plan"])
@pytest.mark.parametrize("ended", [False, True], ids=["at work", "ended since"])
@pytest.mark.variants(2)
def test_what_another_run_has_done_since_is_seen_however_much_the_own_plan_has_done(store, of_own, ended):
    long_ago = NOW - timedelta(hours=1)
    plan_of(store, "own", *(operation(f"U0{number}", Kind.UPDATE) for number in range(of_own)))
    for plan_id, at in (("dead", long_ago), ("ended", long_ago)):
        plan_of(store, plan_id, operation("U1", Kind.UPDATE), at=at)
    with store.transaction() as tables:
        tables.plans.set_state("own", PlanState.APPLYING)
        tables.plans.set_state("dead", PlanState.APPLYING)
        tables.plans.set_state("ended", PlanState.APPLIED, finished_at=long_ago)
        assert not tables.journal.others_at_work("own", NOW)

    plan_of(store, "other", operation("U2", Kind.UPDATE), at=NOW)
    with store.transaction() as tables:
        state, finished_at = (PlanState.APPLIED, NOW) if ended else (PlanState.APPLYING, None)
        tables.plans.set_state("other", state, finished_at=finished_at)
        assert tables.journal.others_at_work("own", NOW)


@pytest.mark.long
def test_who_was_sent_by_a_run_that_died_and_who_was_forgotten_since_counts_as_changed(store, tmp_path):
    with store.transaction() as tables:
        tables.plans.create(Plan("1dead", PlanKind.BULK_IMPORT, NOW, docebo=DOCEBO, slack_team="T1"))
        tables.operations.add("1dead", 0, [operation(f"U0{n}", Kind.DEACTIVATE, n) for n in range(1, 4)])
        tables.intents.note("1dead", [0, 1], flow_run="dead", now=NOW)
    plan_of(store, "2plan", *(operation(f"U0{n}", Kind.DEACTIVATE, n) for n in range(4, 7)))
    for slack_id in ("U04", "U05"):
        forget(store, tmp_path, slack_id)

    assert changed(store) == {"deactivate": 5}


@pytest.mark.parametrize("are_given_up", [True, False])
def test_what_was_sent_once_more_counts_from_then_on_as_what_may_have_been_done(store, are_given_up):
    with store.transaction() as tables:
        tables.plans.create(Plan("1dead", PlanKind.BULK_IMPORT, NOW, docebo=DOCEBO, slack_team="T1"))
        tables.operations.add("1dead", 0, [operation("U1", Kind.DEACTIVATE, 1)])
        for sent_at in (NOW - timedelta(days=1), NOW):
            tables.intents.note("1dead", [0], flow_run="dead", now=sent_at)
            if are_given_up:
                tables.intents.give_up("1dead", [0])

    assert changed(store) == {"deactivate": 1}


@pytest.mark.parametrize("mapping", ["true", "false"])
@pytest.mark.variants(1)
async def test_a_limit_is_a_share_of_everybody_whoever_few_a_run_is_about(
    shared_sandbox, sqlite_url, tmp_path, mapping
):
    shared_sandbox.reset()
    rows = {"LIMIT_UPDATES": "5%", "LIMIT_MINIMUM_SAMPLE": "20", "MAP_SLACK_USER_DATA": mapping}
    await run_import(settings_for(shared_sandbox.facts(), sqlite_url), rows={**ON, "MAP_SLACK_USER_DATA": mapping})
    everybody = [user["id"] for user in shared_sandbox.slack.of_kind("member")]
    async with world(shared_sandbox, sqlite_url, tmp_path, **rows) as here:
        for place, slack_id in enumerate(everybody[:6]):
            shared_sandbox.slack.change(slack_id, {"profile": {"last_name": "King"}})
            if place % 2:
                here.put(here.event(slack_id))
                await here.serve()
            else:
                plan_id = await plan_named(here.runtime, here.workspace, await read_named(here.runtime, [slack_id], []))
                with suppress(ChangeLimitExceeded):
                    await carry_out(here.runtime, plan_id)

        updated = shared_sandbox.docebo_gate.counters.rows["updated"]
    assert 0 < updated <= USERS * 5 // 100


def test_refusals_are_counted_by_people_and_end_with_the_next_row_that_is_taken(store):
    plan_of(store, "p1", *(operation(f"U{n}", Kind.UPDATE) for n in range(3)), outcome=Outcome.FAILED)
    plan_of(store, "p2", operation("U0", Kind.UPDATE), outcome=Outcome.FAILED, at=NOW + timedelta(minutes=1))
    plan_of(store, "p3", operation("U1", Kind.UPDATE), at=NOW + timedelta(minutes=2))

    with store.reading() as tables:
        assert tables.journal.refusals(DOCEBO, NOW) == (3, 2)


async def test_docebos_refusals_of_all_runs_of_a_day_stop_the_next(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    names = [f"n{number:03}@example.com" for number in range(122)]
    people = [shared_sandbox.slack.add("Ada", f"N{n}", name)["id"] for n, name in enumerate(names)]
    async with world(shared_sandbox, sqlite_url, tmp_path, REALTIME_RETRY_DELAYS="") as here:
        refused = shared_sandbox.docebo_gate.faults
        refused.add("POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=names, message="no room")
        for start in range(0, 120, 40):
            here.put(*(here.event(slack_id) for slack_id in people[start : start + 40]))
            await here.serve()

        with pytest.raises(TooManyRejected, match="121 of 121 people in 24 hours"):
            await apply_named(here, people[120])
        refused.clear()
        await apply_named(here, people[121])  # nothing is refused any more, so nothing is stopped

        assert len(shared_sandbox.docebo.accounts.by_email(names[121])) == 1


async def apply_named(here: World, slack_id: str) -> None:
    """Synchronise one person who is named, as an administrator does."""
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id=f"for {slack_id}") as runtime:
        plan_id = await plan_named(runtime, here.workspace, await read_named(runtime, [slack_id], []))
        begin(runtime, plan_id)
        await apply_accounts(runtime, plan_id, lambda _: None)


@pytest.mark.long
async def test_who_lets_an_incident_through_one_limit_lets_nobody_through_another(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, LIMIT_DEACTIVATIONS="1", LIMIT_CREATIONS="1") as here:
        async with open_runtime(here.runtime.settings, read_rows(table(ON)), run_id="before") as unlimited:
            await carry_out(unlimited, plan_id := await plan_import(unlimited))
            finish(unlimited, plan_id)
        leavers = here.members()[:2]
        leave(here, *leavers)
        [incident] = (await here.serve()).incidents
        joining = [shared_sandbox.slack.add(name, "Lovelace", f"{name}@example.com")["id"] for name in ("ada", "bea")]
        here.put(*(here.event(slack_id, kind="team_join") for slack_id in joining))
        assert incident not in (await here.serve()).incidents

        let_through(here.runtime.store, incident, here.runtime.now())
        await here.serve()

        assert not any(here.account(slack_id).active for slack_id in leavers)
        assert [here.docebo_id(slack_id) for slack_id in joining] == [None, None]
