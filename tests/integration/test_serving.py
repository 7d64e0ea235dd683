"""One run of real time from its first look at the inbox until it hands its lease back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from slack_docebo.engine.realtime import rounds, serving
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.realtime.serving import FOR_EVER, InboxLease, no_report, serve
from slack_docebo.errors import AccessDenied, Halted
from slack_docebo.safe_points import tell_to_end
from slack_docebo.storage import shares
from slack_docebo.storage.events import EventState
from slack_docebo.storage.wake_ups import WakeUp
from tests.ending import a_process_that_ends
from tests.integration.realtime_world import World
from tests.waiting import until

USERS = 50


def joined(here: World, name: str = "ada"):
    user = here.sandbox.slack.add("Ada", "Lovelace", f"{name}@example.com")
    event = here.event(user["id"], kind="team_join")
    here.put(event)
    return event


async def one_run(
    here: World, linger_seconds: int = 0, after_round: Callable[[], Awaitable[None]] = no_report
) -> ServeResult:
    served = ServeResult()
    with InboxLease(here.runtime) as lease:
        assert lease.take()
        await serve(here.runtime, here.workspace, lease, served, linger_seconds=linger_seconds, after_round=after_round)
    return served


def wanted(here: World) -> bool:
    with here.runtime.store.reading() as tables:
        return tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC)


async def test_what_comes_after_an_order_to_stop_waits_for_the_order_to_go_on(here):
    event = joined(here)
    docebo = here.runtime.settings.docebo_url
    with here.runtime.store.transaction() as tables:
        tables.halts.stop(docebo, "audit", now=here.runtime.now())

    with pytest.raises(Halted, match="audit"):
        await one_run(here)
    assert (here.state(event), here.entry(event).attempts) == (EventState.WAITING, 0)
    assert here.sandbox.docebo_gate.counters.calls["POST /manage/v1/user/batch"] == 0

    with here.runtime.store.transaction() as tables:
        assert tables.halts.go(docebo)
    await one_run(here)
    assert here.state(event) is EventState.APPLIED


async def test_a_run_that_is_told_to_end_finishes_what_it_serves_and_hands_over(here):
    event = joined(here)
    with a_process_that_ends():
        run = asyncio.create_task(one_run(here, FOR_EVER))
        await asyncio.to_thread(until, lambda: here.state(event) is EventState.APPLIED)
        tell_to_end()
        served = await run

    assert served.events == 1
    assert wanted(here)


async def test_a_run_serves_what_waits_and_ends(here):
    event = joined(here)

    assert (await one_run(here, 1)).events == 1
    assert here.state(event) is EventState.APPLIED
    assert not wanted(here)


@pytest.mark.long
async def test_a_lingering_run_serves_what_comes_meanwhile(here):
    with a_process_that_ends():
        run = asyncio.create_task(one_run(here, 600))
        await asyncio.sleep(0.3)  # it lingers by now
        event = joined(here)
        await asyncio.to_thread(until, lambda: here.state(event) is EventState.APPLIED)
        tell_to_end()
        served = await run

    assert served.rounds == 1


@pytest.mark.long
async def test_a_lingering_run_sees_to_who_had_to_wait(here):
    event = joined(here)
    book(here, event.slack_id, ahead=shares.HOUR)
    with a_process_that_ends():
        run = asyncio.create_task(one_run(here, 600))
        await asyncio.sleep(0.3)
        assert here.state(event) is EventState.WAITING

        book(here, event.slack_id, ahead=shares.HOUR - 2 * shares.INTERVAL)  # as it would be two minutes later
        await asyncio.to_thread(until, lambda: here.state(event) is EventState.APPLIED)
        tell_to_end()
        await run


def book(here: World, slack_id: str, *, ahead: float) -> None:
    """Let the next look at this person be due in so many seconds, had all been spread evenly."""
    with here.runtime.store.transaction() as tables:
        row = {"slack_id": slack_id, "arrival": here.runtime.now().timestamp() + ahead}
        tables.connection.execute(shares.BOOK, row)


@pytest.mark.long
async def test_an_event_that_comes_when_the_run_has_looked_for_the_last_time_is_served_by_it(here, monkeypatch):
    late = []

    def hand_back(lease: InboxLease, *, failed: bool = False) -> None:
        original(lease, failed=failed)
        if not late:
            late.append(joined(here))

    original = InboxLease.hand_back
    monkeypatch.setattr(InboxLease, "hand_back", hand_back)

    await one_run(here)

    assert here.state(late[0]) is EventState.APPLIED


async def test_only_one_run_has_the_turn(here):
    with InboxLease(here.runtime) as one, InboxLease(here.runtime) as other:
        assert one.take()
        assert not other.take()
        one.hand_back()
        assert other.take()


@pytest.mark.long
async def test_who_takes_the_turn_frees_what_dead_runs_have_claimed(here):
    event = joined(here)
    with here.runtime.store.transaction() as tables:
        tables.inbox.claim("dead", 10, here.runtime.now())

    await one_run(here)

    assert here.state(event) is EventState.APPLIED


async def test_an_old_run_leaves_a_wake_up_for_the_next(here, monkeypatch):
    monkeypatch.setattr(serving, "LONGEST_SECONDS", 0.0)

    await one_run(here, FOR_EVER)

    assert wanted(here)


async def test_a_run_leaves_what_still_waits_after_an_hour_to_the_next_which_goes_by_the_settings_of_then(
    here, monkeypatch
):
    monkeypatch.setattr(serving, "LONGEST_SECONDS", 0.0)
    monkeypatch.setattr(rounds, "CLAIMED_AT_ONCE", 1)
    first, second = joined(here, "ada"), joined(here, "bob")

    await one_run(here)

    assert (here.state(first), here.state(second)) == (EventState.APPLIED, EventState.WAITING)
    assert wanted(here)


@pytest.mark.long
@pytest.mark.parametrize(("what", "ends"), [("LONGEST_SECONDS", 0.0), ("is_told_to_end", lambda: True)])
async def test_what_the_last_round_of_a_run_has_done_is_told_like_that_of_any(here, monkeypatch, what, ends):
    monkeypatch.setattr(serving, what, ends)
    joined(here)
    told = []

    async def tell() -> None:
        told.append("a round")

    await one_run(here, after_round=tell)

    assert told == ["a round"]


async def test_after_a_failure_nobody_is_asked_for_a_while(here):
    user = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    here.put(here.event(user["id"], bare=True))
    here.sandbox.slack_gate.faults.add("*", "ok_false", error="token_revoked", times=-1)
    with pytest.raises(AccessDenied):
        await one_run(here)
    here.put(replace(here.event(user["id"]), event_id="EvNext"))

    with here.runtime.store.transaction() as tables:
        now = here.runtime.now()
        assert not tables.wake_ups.may_ask(now, patience=serving.QUIET)
        assert tables.wake_ups.may_ask(now + serving.QUIET_AFTER_FAILURE, patience=serving.QUIET)


async def test_a_burst_shares_the_calls(here, monkeypatch):
    monkeypatch.setattr(serving, "BURST", 10)
    people = here.slack_ids[:40]
    here.put(*(here.event(slack_id) for slack_id in people[:20]))
    run = asyncio.create_task(one_run(here))
    await asyncio.sleep(0.5)  # it waits until the burst is over
    here.put(*(here.event(slack_id) for slack_id in people[20:]))

    served = await run

    assert (served.rounds, served.events) == (1, 40)
