"""Arrival, claim, end of run, crash and wake-up in every order: no event without a run, no storm of runs."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import count as counting
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from slack_docebo.engine.realtime.serving import QUIET, InboxLease
from slack_docebo.storage.events import OPEN, Event, EventState
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp
from tests.examples import examples

PATIENCE = timedelta(seconds=30)
START = datetime(2026, 3, 1, tzinfo=UTC)


class _Runtime:
    """As much of a runtime as the lease needs: the store, an address, and a clock that the test moves."""

    class settings:  # noqa: N801
        docebo_url = "https://lms.example.com"

    def __init__(self, machine: "Wakefulness", run_id: str) -> None:
        self.store = machine.store
        self.run_id = self.run_name = run_id
        self._machine = machine

    def now(self) -> datetime:
        return self._machine.clock


class Run:
    """One run, step by step: every step is a transaction after which anything may happen."""

    def __init__(self, machine: "Wakefulness", number: int) -> None:
        self.runtime = _Runtime(machine, f"run-{number}")
        self.lease = InboxLease(self.runtime)
        self.stage = "started"

    def step(self) -> bool:
        """Do the next thing a run does; False: it has ended."""
        with self.runtime.store.transaction() as tables:
            inbox = tables.inbox
            match self.stage:
                case "claiming":
                    self.claimed = inbox.claim(self.runtime.run_id, 3, self.runtime.now())
                    self.stage = "finishing" if self.claimed else "quiet"
                    return True
                case "finishing":
                    ids = [entry.event.event_id for entry in self.claimed]
                    inbox.finish(ids, EventState.APPLIED, self.runtime.now(), run=self.runtime.run_id)
                    self.stage = "claiming"
                    return True
                case "quiet":  # nothing has come for the time it lingers
                    self.stage = "claiming" if tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC) else "handing back"
                    return True
        match self.stage:
            case "started":
                if not self.lease.take():
                    return False
                self.stage = "claiming"
            case "handing back":
                self.lease.hand_back()
                self.stage = "looking once more"
            case "looking once more":
                with self.runtime.store.reading() as tables:
                    if not tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC):
                        return False
                self.stage = "started"
        return True


class Wakefulness(RuleBasedStateMachine):
    """Slack, webhook and worker as one sequence of steps, in the order hypothesis thinks of."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="slack-docebo-wake-up-"))
        self.store = Store.open(f"sqlite:///{shutil.copy(self.template, self.folder / 'store.db')}")
        self.clock = START
        self.alive: list[Run] = []
        self.put: list[str] = []
        self.numbers = counting(1)
        self.asked_at: datetime | None = None  # for the wake-up that is on

    def teardown(self) -> None:
        """Nothing comes any more: the runs end, and the webhook looks once more. Then everything must be done."""
        self._finish_runs()
        self.clock += PATIENCE
        self.webhook_looks()
        self._finish_runs()
        assert self.states() <= {EventState.APPLIED}, "an event was left without a run"
        self.store.close()
        shutil.rmtree(self.folder)

    def states(self) -> set[EventState]:
        with self.store.reading() as tables:
            return set(tables.inbox.status().counts)

    @rule(count=st.integers(1, 4))
    def slack_sends(self, count: int) -> None:
        ids = [f"Ev{len(self.put) + number}" for number in range(count)]
        with self.store.transaction() as tables:
            tables.inbox.put(
                [
                    Event(name, "T1", f"U{name}", updated=1, kind="user_change", received_at=self.clock, profile={})
                    for name in ids
                ]
            )
        self.put += ids

    @rule()
    def webhook_looks(self) -> None:
        with self.store.transaction() as tables:
            wanted = tables.wake_ups.may_ask(self.clock, patience=PATIENCE)
        if wanted:
            assert not any(run.lease._held for run in self.alive), "asked for a run while one was at work"
            assert self.asked_at is None or self.clock - self.asked_at >= PATIENCE, "asked too often"
            self.asked_at = self.clock
            self._start()

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), steps=st.integers(1, 6))
    def run_works(self, data: st.DataObject, steps: int) -> None:
        run = data.draw(st.sampled_from(self.alive))
        for _ in range(steps):
            alive = run.step()
            if run.stage == "quiet":  # it has found nothing
                self.asked_at = None
            if not alive:
                self.alive.remove(run)
                break

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def run_is_killed(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.alive))
        self.alive.remove(run)
        run.lease._lock.release()  # what the operating system does; nothing else is tidied up

    @rule(seconds=st.sampled_from([1, 10, 40, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.clock += timedelta(seconds=seconds)
        for run in self.alive:
            if run.lease._held:  # it says so every few seconds
                with self.store.transaction() as tables:
                    tables.wake_ups.quiet(self.clock + QUIET)

    @invariant()
    def nothing_is_lost(self) -> None:
        with self.store.reading() as tables:
            stored = {entry.event.event_id for entry in tables.inbox.oldest(10_000)}
        assert stored == set(self.put)

    @invariant()
    def one_run_at_a_time_has_the_turn(self) -> None:
        assert sum(run.lease._held for run in self.alive) <= 1

    @invariant()
    def a_run_is_wanted_until_every_event_is_done(self) -> None:
        with self.store.reading() as tables:
            assert tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC) or not tables.inbox.oldest(1, *OPEN)

    def _start(self) -> None:
        self.alive.append(Run(self, next(self.numbers)))

    def _finish_runs(self) -> None:
        while self.alive:
            run = self.alive[0]
            while run.step():
                pass
            self.alive.remove(run)


@pytest.mark.hypothesis  # to be found with the other property tests
def test_every_event_finds_a_run_and_no_storm_arises(migrated_sqlite):
    class Machine(Wakefulness):
        template = migrated_sqlite

    run_state_machine_as_test(
        Machine,
        settings=examples(15, stateful_step_count=30, suppress_health_check=list(HealthCheck)),
    )
