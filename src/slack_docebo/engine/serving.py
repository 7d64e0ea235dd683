"""Serving: one run at a time works for the inbox, lingers while events come, and leaves none without a run.

An event sets the wake-up. Whoever ends hands back the turn first and looks for the wake-up afterwards, so an event that
came while another run was sent away is seen by the one that held the turn.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Self

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.connection import Workspace
from slack_docebo.engine.realtime import Served, serve_round
from slack_docebo.errors import AlreadyRunning, LockLost, StorageError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.inbox import InboxRepository

NAME = "realtime-sync"
FOR_EVER = -1
POLL_SECONDS = 0.25
LONGEST_SECONDS = 3600.0  # then another run takes over, with the settings of then
FLOOD = 50  # people a second: then the next are waited for, so that they share the calls
LONGEST_FLOOD_SECONDS = 60
QUIET = timedelta(seconds=20)  # a run that is alive says so well within this time
QUIET_AFTER_FAILURE = timedelta(minutes=5)  # the sweep tries again, too


class Turn:
    """The right to work for the inbox; lost with the process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = RunLock(runtime.store, runtime.settings.docebo_url, NAME, holder=runtime.run_name)
        self._held = False

    def take(self) -> bool:
        """Take the turn and free what dead runs have claimed; False: another run has it."""
        try:
            self._lock.acquire()
        except AlreadyRunning:
            return False
        self._held = True
        with self._runtime.store.transaction() as connection:
            inbox = InboxRepository(connection)
            inbox.release()
            inbox.quiet(self._runtime.now() + QUIET)
        return True

    @property
    def taken_by(self) -> str:
        """Say who took the turn last."""
        return self._lock.taken_by()

    def hand_back(self, *, failed: bool = False) -> None:
        """Let others have it; after a failure nobody is asked for a while."""
        if not self._held:
            return
        self._held = False
        try:
            with suppress(StorageError, LockLost), self._runtime.store.transaction() as connection:
                InboxRepository(connection).quiet(self._runtime.now() + QUIET_AFTER_FAILURE if failed else None)
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hand_back(failed=isinstance(error, Exception))


async def serve(runtime: Runtime, workspace: Workspace, turn: Turn, served: Served, *, linger_seconds: int) -> None:
    """Work for the inbox with the *turn* that was taken, counting in *served*, until nothing came for *linger_seconds*.

    With FOR_EVER there is no such end. No run lives longer than an hour: it leaves a wake-up for the next.
    """
    begun = time.monotonic()
    while True:
        async with _saying_so(runtime):
            is_young = await _serve_until_quiet(runtime, workspace, served, linger_seconds, begun)
        if not is_young:
            with runtime.store.transaction() as connection:
                InboxRepository(connection).wake_up(runtime.now())
        turn.hand_back()
        if not (is_young and _is_wanted(runtime) and turn.take()):
            return


async def _serve_until_quiet(
    runtime: Runtime, workspace: Workspace, served: Served, linger_seconds: int, begun: float
) -> bool:
    """Return True when nothing has come for a while, False when this run is old enough."""
    last = time.monotonic()
    look = True
    while True:
        if look:
            await _let_the_flood_pass(runtime)
            while await serve_round(runtime, workspace, served):
                pass
            last = time.monotonic()  # also when what came has to wait: this run is the one to see to it
        now = time.monotonic()
        if now - begun >= LONGEST_SECONDS:
            return False
        if linger_seconds != FOR_EVER and now - last >= linger_seconds:
            return True
        await asyncio.sleep(POLL_SECONDS)
        look = await to_completion(_is_stirring, runtime)


async def _let_the_flood_pass(runtime: Runtime) -> None:
    """Wait while more people change than calls can be made for: the later ones share the calls of the earlier."""
    before = await to_completion(_people_due, runtime)
    for _ in range(LONGEST_FLOOD_SECONDS):
        if before < FLOOD:
            return
        await asyncio.sleep(1)
        now = await to_completion(_people_due, runtime)
        if now - before < FLOOD:
            return
        before = now


@asynccontextmanager
async def _saying_so(runtime: Runtime) -> AsyncIterator[None]:
    """Keep saying that a run is at work, also while a call to Docebo takes long."""

    def say() -> None:
        with suppress(StorageError), runtime.store.transaction() as connection:
            InboxRepository(connection).quiet(runtime.now() + QUIET)

    async def keep_saying() -> None:
        while True:
            await asyncio.sleep(QUIET.total_seconds() / 4)
            await to_completion(say)

    saying = asyncio.create_task(keep_saying())
    try:
        yield
    finally:
        saying.cancel()
        with suppress(asyncio.CancelledError):
            await saying


def _is_wanted(runtime: Runtime) -> bool:
    with runtime.store.reading() as connection:
        return InboxRepository(connection).wake_up_wanted()


def _is_stirring(runtime: Runtime) -> bool:
    """Tell whether an event has come, or the time of one that had to wait."""
    left = runtime.budget.part_left()
    with runtime.store.reading() as connection:
        inbox = InboxRepository(connection)
        return inbox.wake_up_wanted() or inbox.due(runtime.now(), 1, left=left) > 0


def _people_due(runtime: Runtime) -> int:
    left = runtime.budget.part_left()
    with runtime.store.reading() as connection:
        return InboxRepository(connection).people_due(runtime.now(), 100_000, left=left)
