"""Who may act on a Docebo: one batch call at a time, one run at a time, in whatever process or machine."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, bindparam, select, update

from slack_docebo.errors import AlreadyRunning, OutcomeUnknown, SyncError
from slack_docebo.storage.locks import Lock
from slack_docebo.storage.schema import batch_gate
from slack_docebo.storage.statements import insertion_text
from slack_docebo.storage.store import Store

Sleep = Callable[[float], Awaitable[None]]

# Made once: around every call, building and reading a statement would take longer than carrying it out.
BUSY = select(batch_gate.c.busy_since).where(batch_gate.c.docebo == bindparam("at"))
ENTER = insertion_text(
    (batch_gate.c.docebo, batch_gate.c.holder, batch_gate.c.busy_since),
    "(docebo) DO UPDATE SET holder = excluded.holder, busy_since = excluded.busy_since",
)
# Only our own entry: whoever lost the lock with its session must not clear the next holder's.
LEAVE = (
    update(batch_gate)
    .where(batch_gate.c.docebo == bindparam("at"), batch_gate.c.holder == bindparam("by"))
    .values(busy_since=None)
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class BatchGate:
    """Lets one batch call at a time through to *docebo*.

    A call whose end nobody saw (its process died, or it ended in OutcomeUnknown) may still be carried out by Docebo:
    the next one waits until *grace_seconds* have passed since it began or, if known, since its answer was given up.
    """

    def __init__(
        self,
        store: Store,
        docebo: str,
        *,
        grace_seconds: float,
        poll_seconds: float = 0.1,
        clock: Callable[[], datetime] = _utc_now,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store = store
        self._docebo = docebo
        self._grace = timedelta(seconds=grace_seconds)
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._sleep = sleep

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Wait for the turn, and keep everybody else out for the block, which makes exactly one call."""
        lock = self._store.lock(f"batch {self._docebo}")
        holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        # No thread: an entry takes less time than changing to one, and cannot be cancelled halfway.
        try:
            while (wait := self._enter_if_free(lock, holder)) is None:  # noqa: ASYNC110  (nothing in this process tells when it is free)
                await asyncio.sleep(self._poll_seconds)
            if wait:
                await self._sleep(wait)
                self._enter(holder)
            try:
                yield
            except OutcomeUnknown:
                self._enter(holder)  # the grace period begins now, not before the client's retries
                raise
            except SyncError:
                self._leave(holder)
                raise
            # Anything else, a cancellation above all, says nothing about the fate of the call.
            self._leave(holder)
        finally:
            lock.release()

    def _enter_if_free(self, lock: Lock, holder: str) -> float | None:
        """Take the lock and enter; return None if another has it.

        Do not enter where the fate of the last call is unknown: return for how many seconds to sit that out.
        """
        if not lock.try_acquire():
            return None
        with self._store.transaction(durable=False) as connection:
            busy_since = connection.scalar(BUSY, {"at": self._docebo})
            if busy_since is not None:
                # At most the grace period: the clock of another machine may be ahead of ours.
                remaining = min(busy_since + self._grace - self._clock(), self._grace)
                if remaining > timedelta():
                    return float(remaining.total_seconds())
            self._write_entry(connection, holder)
        return 0.0

    def _enter(self, holder: str) -> None:
        with self._store.transaction(durable=False) as connection:
            self._write_entry(connection, holder)

    def _write_entry(self, connection: Connection, holder: str) -> None:
        connection.execute(ENTER, {"docebo": self._docebo, "holder": holder, "busy_since": self._clock()})

    def _leave(self, holder: str) -> None:
        with self._store.transaction(durable=False) as connection:
            connection.execute(LEAVE, {"at": self._docebo, "by": holder})


class RunLock:
    """Lets one run called *name* at a time work on *docebo*; whoever comes second is sent away, not kept waiting."""

    def __init__(self, store: Store, docebo: str, name: str) -> None:
        self._lock = store.lock(f"run {name} {docebo}")
        self._name = name
        self._docebo = docebo

    def acquire(self) -> None:
        """Take the lock or raise AlreadyRunning; it is freed by release, or when this process ends."""
        if self._lock.try_acquire():
            return
        self._lock.release()
        raise AlreadyRunning(f"Another {self._name} is at work on {self._docebo}: wait for its end, then run again")

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
