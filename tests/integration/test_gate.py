import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from slack_docebo.errors import AlreadyRunning, OutcomeUnknown, Rejected, StorageError, TransientError
from slack_docebo.storage.gate import BatchGate, RunLock
from slack_docebo.storage.schema import batch_gate
from slack_docebo.storage.store import Store
from tests.waiting import PATIENCE_SECONDS

PROGRAM = Path(__file__).with_name("gate_user.py")
DOCEBO = "https://lms.example.com"
GRACE = 60
NOW = datetime(2026, 3, 4, tzinfo=UTC)


class Clock:
    """A clock that only sleeping moves on."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(store: Store, clock: Clock) -> BatchGate:
    return gate_of(store, clock)


def gate_of(store: Store, clock: Clock, docebo: str = DOCEBO) -> BatchGate:
    return BatchGate(store, docebo, grace_seconds=GRACE, poll_seconds=0.005, clock=clock, sleep=clock.sleep)


async def test_nobody_waits_without_end_for_the_call_of_somebody_who_stands_still(store, clock):
    standing, waiting = gate_of(store, clock), BatchGate(store, DOCEBO, grace_seconds=GRACE, patience_seconds=0.05)
    async with standing.call():
        with pytest.raises(TransientError, match="stands still"):
            async with waiting.call():
                pytest.fail("two calls at once")
    async with waiting.call():
        pass


async def lose_an_answer(gate: BatchGate, clock: Clock, seconds: float) -> None:
    async with gate.call():
        clock.now += timedelta(seconds=seconds)
        raise OutcomeUnknown("create users")


def busy_since(store: Store) -> datetime | None:
    with store.reading() as tables:
        return tables.connection.scalar(select(batch_gate.c.busy_since))


@contextmanager
def process(what: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Run gate_user.py until it says that it is inside, and kill it at the end."""
    with subprocess.Popen([sys.executable, PROGRAM, what, url, "."], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            assert running.stdout.readline() == "inside\n"
            yield running
        finally:
            running.kill()


async def test_the_gate_notes_a_call_before_it_and_its_end_after_it(gate, store):
    async with gate.call():
        assert busy_since(store) == NOW
    assert busy_since(store) is None


async def test_calls_of_one_process_wait_for_each_other(gate):
    inside = 0

    async def call() -> None:
        nonlocal inside
        async with gate.call():
            inside += 1
            await asyncio.sleep(0.005)
            assert inside == 1
            inside -= 1

    await asyncio.gather(*(call() for _ in range(6)))


async def test_the_gates_of_two_docebos_are_independent(store, clock):
    async with gate_of(store, clock).call(), gate_of(store, clock, "https://other.example.com").call():
        pass


async def test_an_answered_call_that_failed_is_over(gate, store, clock):
    with pytest.raises(Rejected):
        async with gate.call():
            raise Rejected("create users", status=400)

    assert busy_since(store) is None
    async with gate.call():
        pass
    assert clock.slept == []


async def test_after_an_answer_was_lost_the_next_call_waits_for_the_grace_period_from_then(gate, store, clock):
    with pytest.raises(OutcomeUnknown):
        await lose_an_answer(gate, clock, seconds=20)

    assert busy_since(store) == NOW + timedelta(seconds=20)
    async with gate.call():
        pass
    assert clock.slept == [GRACE]
    assert busy_since(store) is None


async def test_a_call_that_must_be_over_by_now_is_not_waited_for(gate, clock):
    with pytest.raises(OutcomeUnknown):
        await lose_an_answer(gate, clock, seconds=0)
    clock.now += timedelta(seconds=GRACE)

    async with gate.call():
        pass
    assert clock.slept == []


async def test_a_clock_that_is_far_behind_does_not_make_the_wait_longer(gate, store, clock):
    with pytest.raises(OutcomeUnknown):
        await lose_an_answer(gate, clock, seconds=0)
    behind = Clock(NOW - timedelta(days=1))

    async with gate_of(store, behind).call():
        pass
    assert behind.slept == [GRACE]


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyError], ids=["cancellation", "bug"])
async def test_what_says_nothing_about_the_answer_leaves_the_call_unknown(gate, store, clock, error):
    with pytest.raises(error):
        async with gate.call():
            raise error

    assert busy_since(store) == NOW
    async with gate.call():
        pass
    assert clock.slept == [GRACE]


async def test_who_gives_up_waiting_keeps_nobody_out_and_changes_no_call(gate, store, clock):
    async def call() -> None:
        async with gate.call():
            raise AssertionError

    async with gate.call():
        waiting = asyncio.create_task(call())
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        clock.now += timedelta(seconds=1)
        gate.begin_attempt()
        assert busy_since(store) == clock.now

    async with asyncio.timeout(PATIENCE_SECONDS), gate.call():
        pass


async def test_who_lost_the_lock_does_not_end_the_call_of_the_next(gate, store, clock):
    late = gate_of(store, clock)
    await late._enter("late")
    clock.now += timedelta(seconds=GRACE)
    async with gate.call():
        late._leave("late")
        assert busy_since(store) is not None


async def test_a_call_is_waited_for_from_its_last_attempt_on(gate, store, clock):
    async def die_in_a_later_attempt() -> None:
        async with gate.call():
            clock.now += timedelta(seconds=50)
            gate.begin_attempt()
            raise KeyError

    with pytest.raises(KeyError):
        await die_in_a_later_attempt()

    clock.now += timedelta(seconds=20)
    async with gate.call():
        pass
    assert clock.slept == [GRACE - 20]


async def test_who_waits_goes_on_waiting_while_the_call_is_tried_again(store, clock):
    cut_off = gate_of(store, clock)
    await cut_off._enter("cut off from the database")
    attempts = [timedelta(seconds=40)]

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        for since in attempts:
            clock.now -= since
            cut_off._renew("cut off from the database")
            clock.now += since
        attempts.clear()

    gate = BatchGate(store, DOCEBO, grace_seconds=GRACE, clock=clock, sleep=sleep)
    async with gate.call():
        pass
    assert clock.slept == [GRACE, GRACE - 40]


async def test_who_was_cut_off_while_another_entered_makes_no_further_attempt(gate, store, clock):
    other = gate_of(store, clock)

    async def be_cut_off() -> None:
        async with gate.call():
            clock.now += timedelta(seconds=GRACE)
            await other._enter("another")
            gate.begin_attempt()

    with pytest.raises(StorageError, match="another call began: run again"):
        await be_cut_off()
    assert busy_since(store) == clock.now  # the other's call goes on


@pytest.mark.variants(1)
def test_processes_never_make_two_calls_at_once(database_url, tmp_path):
    processes = [subprocess.Popen([sys.executable, PROGRAM, "calls", database_url, tmp_path]) for _ in range(2)]

    assert [process.wait(PATIENCE_SECONDS) for process in processes] == [0, 0]


@pytest.mark.variants(1)
async def test_when_the_holder_is_killed_the_lock_is_free_and_its_call_is_waited_for(store, database_url):
    with process("hang", database_url) as holder:
        began = busy_since(store)
        assert began is not None
        clock = Clock(began)
        gate = gate_of(store, clock)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), gate.call():
                pass
        holder.kill()
        holder.wait(PATIENCE_SECONDS)

        async with asyncio.timeout(PATIENCE_SECONDS), gate.call():
            pass
    assert clock.slept == [GRACE]
    assert busy_since(store) is None


def test_a_second_run_is_sent_away_until_the_first_has_ended(store):
    with RunLock(store, DOCEBO, "bulk-import"):
        with pytest.raises(AlreadyRunning, match="Another run is at work on https://lms"):
            RunLock(store, DOCEBO, "bulk-import").acquire()
        with RunLock(store, DOCEBO, "reset-mappings"), RunLock(store, "https://other.example.com", "bulk-import"):
            pass

    with RunLock(store, DOCEBO, "bulk-import"):
        pass


@pytest.mark.variants(1)
async def test_the_run_lock_of_a_killed_process_is_free(store, database_url):
    with process("run", database_url) as holder:
        lock = RunLock(store, DOCEBO, "bulk-import")
        with pytest.raises(AlreadyRunning):
            lock.acquire()
        holder.kill()
        holder.wait(PATIENCE_SECONDS)

        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    lock.acquire()
                except AlreadyRunning:
                    await asyncio.sleep(0.02)
                else:
                    break
    lock.release()


def test_since_when_a_run_holds_the_lock_is_known_and_to_look_takes_it_from_nobody(store):
    lock, looking = RunLock(store, DOCEBO, "realtime-sync"), RunLock(store, DOCEBO, "realtime-sync")
    assert looking.held_since() is None
    before = datetime.now(UTC)

    with lock:
        began = looking.held_since()
        assert began is not None
        assert before <= began <= datetime.now(UTC)
        with pytest.raises(AlreadyRunning):
            looking.acquire()
    assert looking.held_since() is None
