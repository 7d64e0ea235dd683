"""Serving the inbox: one run at a time applies the waiting events, stays while more come, and leaves none behind.

Storing an event sets the wake-up. A run that ends gives up its lease first, and checks the wake-up afterwards. So if
the run for an event ended because another run held the lease, that other run sees the event.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Self

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.realtime.rounds import serve_round
from slack_docebo.engine.realtime.serve_result import Became, ServeResult
from slack_docebo.engine.writing.admitting import standing_order
from slack_docebo.errors import AlreadyRunning, Frozen, Halted, LockLost, StorageError, ToBeContinued
from slack_docebo.runtime import Runtime
from slack_docebo.safe_points import is_told_to_end
from slack_docebo.storage.events import OPEN, EventState
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import LONGEST_QUIET, WakeUp

FOR_EVER = -1
POLL_SECONDS = 0.25
LONGEST_SECONDS = 3600.0  # then another run takes over, with the settings of then
BURST = 50  # more people due than a second ago: a run waits for the next ones, so that all share its calls
LONGEST_DEBOUNCE_SECONDS = 60
BECAME = {
    EventState.WAITING: Became.RETRIED,
    EventState.CLAIMED: Became.AT_WORK,
    EventState.APPLIED: Became.APPLIED,
    EventState.SUPERSEDED: Became.SUPERSEDED,
    EventState.PARKED: Became.PARKED,
}
QUIET = timedelta(seconds=20)  # how long no other run is asked for after a heartbeat
QUIET_AFTER_FAILURE = timedelta(minutes=5)  # and after a failure; the sweep tries again, too
QUIET_WHILE_HALTED = LONGEST_QUIET  # and while nobody may write: the sweep looks as often


class InboxLease:
    """The lease of the inbox: only the run that holds it applies events. It ends with the process that took it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = RunLock(
            runtime.store, runtime.settings.docebo_url, PlanKind.REALTIME_SYNC, holder=runtime.run_name
        )
        self._held = False

    def take(self) -> bool:
        """Take the lease and release what dead runs had claimed; return False if another run holds it."""
        try:
            self._lock.acquire()
        except AlreadyRunning:
            return False
        self._held = True
        with self._runtime.store.transaction() as tables:
            tables.inbox.release()
            tables.wake_ups.quiet(self._runtime.now() + QUIET)
        return True

    @property
    def taken_by(self) -> str:
        """Say who took the lease last."""
        return self._lock.taken_by()

    def hand_back(self, *, failed: bool = False) -> None:
        """Give up the lease; after a failure no run is asked for during QUIET_AFTER_FAILURE."""
        if not self._held:
            return
        self._held = False
        try:
            with suppress(StorageError, LockLost), self._runtime.store.transaction() as tables:
                tables.wake_ups.quiet(self._runtime.now() + QUIET_AFTER_FAILURE if failed else None)
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hand_back(failed=isinstance(error, Exception) and not isinstance(error, ToBeContinued))


def rest_while_halted(runtime: Runtime) -> Halted | None:
    """Return the order by which nobody may write to Docebo now, or None.

    If there is one, no run is asked for during QUIET_WHILE_HALTED. A freeze is recorded as a milestone.
    """
    with runtime.store.reading() as tables:
        order = standing_order(runtime, tables)
    if order:
        with runtime.store.transaction() as tables:
            tables.wake_ups.quiet(runtime.now() + QUIET_WHILE_HALTED)
            if isinstance(order, Frozen):
                tables.milestones.reach(runtime.settings.docebo_url, Milestone.FREEZE, now=runtime.now())
    return order


async def no_report() -> None:
    """Report nothing after a round."""


async def serve(
    runtime: Runtime,
    workspace: Workspace,
    lease: InboxLease,
    served: ServeResult,
    *,
    linger_seconds: int,
    after_round: Callable[[], Awaitable[None]] = no_report,
) -> None:
    """Apply the waiting events until none has come for *linger_seconds*, and add their results to *served*.

    *after_round* is called after each round that had events, and must not raise. The *lease* is already taken, and is
    given up at the end. With FOR_EVER, the run does not end because no events come. No run begins a round after an
    hour, or after it was told to end, whatever waits: it sets the wake-up, and another run takes over.
    """
    begun = time.monotonic()
    while True:
        async with _heartbeat(runtime):
            goes_on = await _serve_until_quiet(
                runtime, workspace, served, linger_seconds=linger_seconds, begun=begun, after_round=after_round
            )
        if not goes_on:
            with runtime.store.transaction() as tables:
                tables.wake_ups.want(WakeUp.REALTIME_SYNC, runtime.now())
        lease.hand_back()
        if not (goes_on and _wake_up_is_set(runtime.store) and lease.take()):
            return


async def take_or_watch(
    runtime: Runtime, lease: InboxLease, incident: str, event_ids: Collection[str]
) -> ServeResult | None:
    """Take the lease and return None, or wait until the run that has it is done with these events; return the result.

    The events were let through with *incident*. If this run is told to end, it returns the result so far.
    """
    while not lease.take():
        with runtime.store.reading() as tables:
            entries = tables.inbox.of(event_ids)
        if is_told_to_end() or all(entry.attempts or entry.state not in OPEN for entry in entries):
            served = ServeResult(elsewhere=lease.taken_by)
            served.take(entries)
            for entry in entries:
                became, at = BECAME[entry.state], entry.done_at or runtime.now()
                if became is Became.PARKED and entry.incident != incident:  # no limit, but MAX_ACCOUNTS
                    became = Became.HELD
                served.note([entry.event.event_id], became, at, why=entry.error, incident=entry.incident)
            return served
        await asyncio.sleep(POLL_SECONDS)
    return None


async def _serve_until_quiet(
    runtime: Runtime,
    workspace: Workspace,
    served: ServeResult,
    *,
    linger_seconds: int,
    begun: float,
    after_round: Callable[[], Awaitable[None]],
) -> bool:
    """Return True once no event has come for *linger_seconds*, or False after LONGEST_SECONDS or when told to end."""

    def is_to_end() -> bool:
        return time.monotonic() - begun >= LONGEST_SECONDS or is_told_to_end()

    last = time.monotonic()
    has_work = True
    while True:
        if has_work:
            await _debounce(runtime)
            while await serve_round(runtime, workspace, served):
                await after_round()
                if is_to_end():
                    break
            last = time.monotonic()  # also if the new event has to wait: this run stays to apply it
        if is_to_end():
            return False
        if linger_seconds != FOR_EVER and time.monotonic() - last >= linger_seconds:
            return True
        await asyncio.sleep(POLL_SECONDS)
        has_work = await to_completion(_has_work, runtime)


async def _debounce(runtime: Runtime) -> None:
    """Wait while events of BURST or more people a second become due, so that they share calls; at most a minute."""
    before = await to_completion(_people_due, runtime)
    for _ in range(LONGEST_DEBOUNCE_SECONDS):
        if before < BURST:
            return
        await asyncio.sleep(1)
        now = await to_completion(_people_due, runtime)
        if now - before < BURST:
            return
        before = now


@asynccontextmanager
async def _heartbeat(runtime: Runtime) -> AsyncIterator[None]:
    """Note regularly that a run is at work, also during a long call to Docebo."""

    def beat() -> None:
        with suppress(StorageError), runtime.store.transaction() as tables:
            tables.wake_ups.quiet(runtime.now() + QUIET)

    async def keep_beating() -> None:
        while True:
            await asyncio.sleep(QUIET.total_seconds() / 4)
            await to_completion(beat)

    beating = asyncio.create_task(keep_beating())
    try:
        yield
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


def _wake_up_is_set(store: Store) -> bool:
    with store.reading() as tables:
        return tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC)


def _has_work(runtime: Runtime) -> bool:
    """Tell whether a new event has come, or one that had to wait is due."""
    left = runtime.budget.part_left()
    with runtime.store.reading() as tables:
        return tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC) or tables.inbox.due(runtime.now(), 1, left=left) > 0


def _people_due(runtime: Runtime) -> int:
    left = runtime.budget.part_left()
    with runtime.store.reading() as tables:
        return tables.inbox.people_due(runtime.now(), 100_000, left=left)
