from collections import Counter
from datetime import timedelta

import pytest

from slack_docebo.domain.observation import Present
from slack_docebo.domain.operations import Kind
from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.importing import plan_everybody
from slack_docebo.engine.mappings.forgetting import forget, traces
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.realtime import case_reader, rounds
from slack_docebo.engine.realtime.serve_result import Became, ServeResult
from slack_docebo.engine.realtime.upkeep import parked_rows
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.engine.reporting.outcomes import table
from slack_docebo.engine.reporting.summary import summary
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import AccessDenied
from slack_docebo.storage.events import EventState
from slack_docebo.storage.inbox import InboxRepository
from slack_docebo.storage.plans import PlanKind, PlanState
from slack_docebo.storage.reads import ProvenRead
from slack_docebo.storage.store import Store
from tests.importing import carry_out, paged
from tests.integration.realtime_world import World, replaced, world

USERS = 50


@pytest.fixture
async def settled(here: World) -> World:
    await here.settle()
    return here


def member(here: World) -> str:
    """Somebody with a mapping whose account is an ordinary one."""
    return next(
        slack_id for slack_id in here.slack_ids if here.docebo_id(slack_id) and here.account(slack_id).level == "user"
    )


async def test_a_person_who_joins_gets_an_account_and_a_mapping(settled):
    ada = settled.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    event = settled.event(ada["id"], kind="team_join")
    settled.put(event)

    served = await settled.serve()

    assert settled.account(ada["id"]).username == "ada@example.com"
    assert settled.state(event) is EventState.APPLIED
    assert served.operations == {Kind.CREATE: 1}
    assert settled.docebo_calls == 2  # one look, one write


async def test_a_new_name_arrives(settled):
    slack_id = member(settled)
    settled.sandbox.slack.change(slack_id, {"profile": {"last_name": "King"}})
    settled.put(settled.event(slack_id))

    await settled.serve()

    assert settled.account(slack_id).lastname == "King"
    assert settled.docebo_calls == 2
    assert settled.slack_calls == 0


async def test_a_leaver_is_deactivated(settled):
    slack_id = member(settled)
    settled.sandbox.slack.deactivate(slack_id)
    settled.put(settled.event(slack_id))

    await settled.serve()

    assert not settled.account(slack_id).active


@pytest.mark.long
async def test_a_leaver_is_left_alone_where_that_is_the_policy(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, LEAVERS="keep") as here:
        await here.settle()
        slack_id = member(here)
        here.sandbox.slack.deactivate(slack_id)
        here.put(here.event(slack_id))

        await here.serve()

        assert here.account(slack_id).active
        assert here.docebo_calls == 0


@pytest.mark.long
async def test_a_person_who_comes_back_is_activated_again(settled):
    slack_id = member(settled)
    settled.sandbox.slack.deactivate(slack_id)
    settled.put(settled.event(slack_id))
    await settled.serve()
    settled.sandbox.slack.reactivate(slack_id)
    settled.put(settled.event(slack_id))

    await settled.serve()

    assert settled.account(slack_id).active


@pytest.mark.long
async def test_noise_costs_no_call_and_leaves_no_plan(settled):
    before = len(settled.plans())
    for slack_id in settled.slack_ids:
        settled.sandbox.slack.set_status(slack_id, "in a meeting")
        settled.put(settled.event(slack_id))

    served = await settled.serve()

    assert settled.sandbox.docebo_gate.counters.calls == {}
    assert len(settled.plans()) == before
    assert served.count(Became.IN_LINE) == USERS


async def test_who_is_in_line_costs_no_look_into_the_database_that_others_need(settled, monkeypatch):
    opened: list[str] = []

    def counting(way: str):
        open_ = getattr(Store, way)
        return lambda store, **how: opened.append(way) or open_(store, **how)

    for way in ("reading", "transaction"):
        monkeypatch.setattr(Store, way, counting(way))
    slack_id = member(settled)
    settled.sandbox.slack.set_status(slack_id, "in a meeting")
    settled.put(settled.event(slack_id))
    opened.clear()
    await rounds.serve_round(settled.runtime, settled.workspace, served := ServeResult())

    assert served.count(Became.IN_LINE) == 1
    # What is left of the hour, what was sent before, who is forgotten, who is known; the claim, and what became of it.
    assert Counter(opened) == {"reading": 4, "transaction": 2}


@pytest.mark.long
async def test_twin_events_are_one_change(settled):
    slack_id = member(settled)
    settled.sandbox.slack.change(slack_id, {"profile": {"last_name": "King"}})
    twins = [settled.event(slack_id, kind=kind) for kind in ("user_change", "user_profile_changed")]
    settled.put(*twins)

    await settled.serve()

    assert settled.docebo_calls == 2
    assert [settled.state(twin) for twin in twins] == [EventState.APPLIED] * 2


@pytest.mark.long
async def test_an_event_stored_twice_is_there_once(settled):
    event = settled.event(member(settled))
    settled.put(event)
    settled.put(event)

    assert (await settled.serve()).events == 1


async def test_only_the_newest_of_several_changes_is_written(settled):
    slack_id = member(settled)
    first = settled.event(slack_id, profile={"last_name": "One"})
    first = replaced(first, updated=first.updated + 10)
    second = replaced(settled.event(slack_id, profile={"last_name": "Two"}), updated=first.updated + 10)
    settled.put(second, first)  # out of order

    await settled.serve()

    assert settled.account(slack_id).lastname == "Two"
    assert settled.state(first) is EventState.SUPERSEDED
    assert settled.docebo_calls == 2


@pytest.mark.long
async def test_what_is_older_than_what_was_applied_is_superseded(settled):
    slack_id = member(settled)
    late = settled.event(slack_id, profile={"last_name": "Old"})
    late = replaced(late, updated=late.updated + 5)
    newer = replaced(settled.event(slack_id, profile={"last_name": "New"}), updated=late.updated + 5)
    settled.put(newer)
    await settled.serve()
    settled.put(late)

    await settled.serve()

    assert settled.account(slack_id).lastname == "New"
    assert settled.state(late) is EventState.SUPERSEDED


@pytest.mark.long
async def test_slack_is_asked_which_of_two_profiles_of_the_same_second_is_the_newer(settled):
    slack_id = member(settled)
    settled.sandbox.slack.change(slack_id, {"profile": {"last_name": "Last"}})
    last = settled.event(slack_id)
    settled.put(last, replaced(last, event_id="EvTwin", profile={"last_name": "First"}))

    await settled.serve()

    assert settled.account(slack_id).lastname == "Last"
    assert settled.slack_calls == 1


@pytest.mark.long
@pytest.mark.parametrize("missing", ["profile", "email"])
async def test_what_an_event_leaves_out_is_read_from_slack(settled, missing):
    ada = settled.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    event = settled.event(ada["id"], bare=missing == "profile")
    settled.put(replaced(event, profile={"email": ""}) if missing == "email" else event)

    await settled.serve()

    assert settled.account(ada["id"]).username == "ada@example.com"


@pytest.mark.long
async def test_an_event_older_than_an_import_is_checked_with_slack(settled):
    slack_id = member(settled)
    stale = settled.event(slack_id, profile={"last_name": "Stale"})
    stale = replaced(stale, updated=stale.updated + 1)
    settled.put(stale)
    with settled.runtime.store.transaction() as tables:
        at = stale.received_at + timedelta(seconds=1)
        tables.reads.record(ProvenRead(f"slack:{settled.workspace.team}", USERS, 1, at))

    await settled.serve()

    assert settled.account(slack_id).lastname != "Stale"


@pytest.mark.long
async def test_an_import_does_not_write_what_it_read_before_an_event_that_was_applied_meanwhile(settled):
    runtime = settled.runtime
    slack_id = member(settled)
    settled.sandbox.slack.change(slack_id, {"profile": {"last_name": "Earlier"}})
    seen = await runtime.slack.user(slack_id)
    assert isinstance(seen, Present)
    earlier = seen.value
    accounts = await read_target(runtime)
    plan_id = await make_plan(runtime, settled.workspace, paged([earlier]), accounts, kind=PlanKind.BULK_IMPORT)
    settled.sandbox.slack.change(slack_id, {"profile": {"last_name": "Later"}})
    settled.put(settled.event(slack_id))
    await settled.serve()
    begin(runtime, plan_id)
    await apply_accounts(runtime, plan_id, _no_progress)
    finish(runtime, plan_id)

    assert settled.account(slack_id).lastname == "Later"


def _no_progress(_rows: int) -> None:
    pass


@pytest.mark.long
async def test_who_was_parked_and_replayed_counts_as_what_became_of_the_event_last(settled):
    ada = settled.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    settled.refuse("ada@example.com")
    event = settled.event(ada)
    settled.put(event)
    served = ServeResult()

    async def serve():
        while await rounds.serve_round(settled.runtime, settled.workspace, served):
            pass

    await serve()
    [parked], [to_look_at] = served.rows, served.in_need
    settled.sandbox.docebo_gate.faults.clear()
    settled.replay(event)
    await serve()
    [healed] = served.rows

    assert (parked["Slack user"], parked["what"]) == (ada, "parked")
    assert "no room" in str(parked["why"])
    assert (to_look_at["Slack user"], to_look_at["what happened"]) == (ada, "parked")
    assert "no room" in str(to_look_at["what is wrong"])
    assert served.in_need == []
    assert (healed["what"], served.parked, served.line) == ("created", 0, "1 event: 1 created")
    assert float(str(healed["seconds until then"])) >= 0


async def test_a_refused_row_is_tried_again_then_parked_then_replayed(settled):
    ada = settled.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    settled.refuse("ada@example.com")
    event = settled.event(ada["id"])
    settled.put(event)

    served = await settled.serve()

    assert settled.state(event) is EventState.PARKED
    assert (served.events, served.parked, served.line) == (1, 1, "1 event: 1 parked")
    assert "no room" in settled.entry(event).error
    settled.sandbox.docebo_gate.faults.clear()
    assert settled.replay(event) == 1

    await settled.serve()

    assert settled.state(event) is EventState.APPLIED
    assert settled.account(ada["id"]).lastname == "Lovelace"


@pytest.mark.long
async def test_what_was_parked_is_tried_once_more_after_an_import_has_brought_the_person_in_line(settled):
    ada = settled.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    settled.refuse("ada@example.com")
    event = settled.event(ada)
    settled.put(event)
    await settled.serve()
    assert settled.state(event) is EventState.PARKED
    settled.sandbox.docebo_gate.faults.clear()

    with SourceSnapshot() as people:
        plan_id = await plan_everybody(settled.runtime, settled.workspace, people)
        await carry_out(settled.runtime, plan_id)
        finish(settled.runtime, plan_id)
    served = await settled.serve()

    assert (settled.state(event), served.line) == (EventState.APPLIED, "1 event: 1 in line")
    assert settled.account(ada).lastname == "Lovelace"


async def test_a_refusal_that_names_somebody_else_is_whole_only_in_the_owners_report(settled, tmp_path):
    ada = settled.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    said = "Refused, ask Grace Hopper (ghopper, +49 30 1234567)"
    settled.refuse("ada@example.com", said)
    event = settled.event(ada["id"])
    settled.put(event)

    await settled.serve()

    store, plan = settled.runtime.store, settled.plans()[0]
    with store.reading() as tables:
        entries = list(tables.operations.rows(plan.id))
    told = f"{table(store, plan.id, PeopleShown.IDS)} {parked_rows(store, PeopleShown.IDS)} {summary(store, plan.id).markdown()} {entries}"
    assert "Refused, …" in told
    assert not [word for word in ("Grace", "Hopper", "ghopper", "1234567") if word in told]
    for file in write_files(store, plan.id, tmp_path / "reports").written:
        assert said in file.read_text()
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.long
async def test_a_failing_person_does_not_hold_up_the_others(settled):
    ada = settled.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    ghost = replaced(settled.event(ada["id"], bare=True), slack_id="U0GHOST")
    joined = settled.event(ada["id"])
    settled.put(ghost, joined)

    await settled.serve()

    assert settled.state(ghost) is EventState.PARKED
    assert settled.state(joined) is EventState.APPLIED


@pytest.mark.parametrize("kind", ["drip", "bomb"])
@pytest.mark.parametrize("call", ["GET /manage/v1/user", "POST /manage/v1/user/batch"])
@pytest.mark.long
async def test_an_answer_out_of_bounds_does_not_hold_up_the_others(shared_sandbox, sqlite_url, tmp_path, call, kind):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, docebo_timeout_seconds=2) as here:
        await here.settle()
        people = [here.sandbox.slack.add("Ada", f"No {n}", f"ada.{n}@example.com")["id"] for n in range(3)]
        events = [here.event(slack_id) for slack_id in people]
        asked_again = 2 if kind == "drip" and call.startswith("GET") else 1
        here.sandbox.docebo_gate.faults.add(call, kind, times=asked_again)
        here.put(*events)

        await here.serve()

        assert {here.state(event) for event in events} == {EventState.APPLIED}
        assert [len(here.sandbox.docebo.accounts.by_email(f"ada.{n}@example.com")) for n in range(3)] == [1, 1, 1]
        assert not here.sandbox.docebo_gate.counters.violations


@pytest.mark.long
async def test_where_nobody_may_be_read_the_round_ends_and_the_events_wait_without_an_attempt(settled):
    slack_id = member(settled)
    event = settled.event(slack_id, bare=True)
    settled.put(event)
    settled.sandbox.slack_gate.faults.add("*", "ok_false", error="token_revoked", times=-1)

    with pytest.raises(AccessDenied):
        await settled.serve()

    assert (settled.state(event), settled.entry(event).attempts) == (EventState.WAITING, 0)
    settled.sandbox.slack_gate.faults.clear()
    await settled.serve()
    assert settled.state(event) is EventState.APPLIED


async def test_more_leavers_than_the_limit_are_parked_with_their_plan(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, LIMIT_DEACTIVATIONS="1") as here:
        await here.settle()
        leavers = [
            slack_id
            for slack_id in here.slack_ids
            if here.docebo_id(slack_id) and here.account(slack_id).level == "user"
        ][:2]
        for slack_id in leavers:
            here.sandbox.slack.deactivate(slack_id)
        events = [here.event(slack_id) for slack_id in leavers]
        here.put(*events)

        await here.serve()

        assert all(here.account(slack_id).active for slack_id in leavers)
        assert [here.state(event) for event in events] == [EventState.PARKED] * 2
        plan = here.plans()[0]
        assert plan.state is PlanState.REFUSED
        assert plan.id in here.entry(events[0]).error


@pytest.mark.long
async def test_a_burst_takes_few_calls(here):
    events = [here.event(slack_id) for slack_id in here.slack_ids for _ in range(3)]
    here.put(*events)

    await here.serve()

    counters = here.sandbox.docebo_gate.counters
    assert counters.calls["POST /manage/v1/user/batch"] <= 4  # the first creation and the first update go alone
    assert not counters.violations
    assert all(here.state(event) in {EventState.APPLIED, EventState.SUPERSEDED} for event in events)


@pytest.mark.long
async def test_what_is_recorded_but_not_finished_is_found_done(settled, monkeypatch):
    """The run dies between the outcome and the end of the event."""
    slack_id = member(settled)
    settled.sandbox.slack.change(slack_id, {"profile": {"last_name": "King"}})
    event = settled.event(slack_id)
    settled.put(event)
    with monkeypatch.context() as patch:
        patch.setattr(InboxRepository, "finish", _dies)
        with pytest.raises(Killed):
            await settled.serve()
    calls = settled.docebo_calls

    await settled.serve()

    assert settled.state(event) is EventState.APPLIED
    assert settled.docebo_calls == calls


@pytest.mark.long
@pytest.mark.parametrize(
    ("module", "stage"),
    [(case_reader, "look_up"), (rounds, "apply_accounts")],
    ids=["before the plan", "before the write"],
)
async def test_who_is_forgotten_during_a_round_stays_forgotten(settled, tmp_path, monkeypatch, module, stage):
    ada, bob = settled.members()[:2]
    for slack_id in (ada, bob):
        settled.sandbox.slack.change(slack_id, {"profile": {"last_name": "King"}})
    settled.put(settled.event(ada), settled.event(bob))
    go_on = getattr(module, stage)

    async def after_forgetting(*arguments):
        forget(settled.runtime.store, tmp_path, ada)
        return await go_on(*arguments)

    monkeypatch.setattr(module, stage, after_forgetting)
    await settled.serve()

    assert traces(settled.runtime.store, tmp_path, ada).lines == []
    assert settled.account(bob).lastname == "King"


@pytest.mark.long
async def test_a_round_that_dies_counts_against_the_share(settled, monkeypatch):
    slack_id = member(settled)
    settled.sandbox.slack.change(slack_id, {"profile": {"last_name": "King"}})
    settled.put(settled.event(slack_id))
    monkeypatch.setattr("slack_docebo.engine.realtime.case_reader.look_up", _dies)
    with pytest.raises(Killed):
        await settled.serve()

    now = settled.runtime.now()
    with settled.runtime.store.reading() as tables:
        inbox = tables.inbox
        assert (inbox.due(now, 10), inbox.due(now, 10, left=0.0)) == (1, 0)


@pytest.mark.long
async def test_what_changes_nothing_that_is_mapped_costs_nothing_of_the_share(settled):
    slack_id = member(settled)
    settled.put(settled.event(slack_id))
    await settled.serve()
    settled.put(settled.event(slack_id))

    with settled.runtime.store.reading() as tables:
        assert tables.inbox.due(settled.runtime.now() + timedelta(minutes=1), 10, left=0.0) == 1


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


def _dies(*arguments: object, **_: object) -> int:
    if arguments[1]:
        raise Killed
    return 0
