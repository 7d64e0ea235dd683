"""Who may act on a Docebo: one batch call at a time, one run at a time, in whatever process or machine."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import bindparam, select, update

from slack_docebo.errors import AlreadyRunning, OutcomeUnknown, StorageError, SyncError, TransientError
from slack_docebo.storage.leases import Holder, Lease
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.schema import batch_gate
from slack_docebo.storage.statements import insertion_text
from slack_docebo.storage.store import Store

Sleep = Callable[[float], Awaitable[None]]

# Made once: around every call, building and reading a statement would take longer than carrying it out.
ENTRY = select(batch_gate.c.holder, batch_gate.c.busy_since).where(batch_gate.c.docebo == bindparam("at"))
ENTRY_KEPT = ENTRY.with_for_update()  # for this transaction
ENTER = insertion_text(
    (batch_gate.c.docebo, batch_gate.c.holder, batch_gate.c.busy_since),
    "(docebo) DO UPDATE SET holder = excluded.holder, busy_since = excluded.busy_since",
)
# Only our own entry: whoever lost the lock with its session must not change the next holder's.
OWN = update(batch_gate).where(batch_gate.c.docebo == bindparam("at"), batch_gate.c.holder == bindparam("by"))
RENEW = OWN.values(busy_since=bindparam("since"))
LEAVE = OWN.values(busy_since=None)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _nothing() -> None:
    pass


class BatchGate:
    """Lets one batch call at a time through to *docebo*.

    A call whose end nobody saw (its process died, or it ended in OutcomeUnknown) may still be carried out by Docebo:
    the next one waits until *grace_seconds* have passed since its last attempt began or, if known, since its answer
    was given up. Nobody waits for longer than *patience_seconds* for somebody else's call to end.
    """

    def __init__(
        self,
        store: Store,
        docebo: str,
        *,
        grace_seconds: float,
        poll_seconds: float = 0.1,
        patience_seconds: float = 3600.0,
        clock: Callable[[], datetime] = _utc_now,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store = store
        self._docebo = docebo
        self._grace = timedelta(seconds=grace_seconds)
        self._poll_seconds = poll_seconds
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._sleep = sleep
        self._inside = ""  # the holder of the call under way
        self._check: Callable[[], None] = _nothing  # before each of its attempts

    @asynccontextmanager
    async def call(self, check: Callable[[], None] = _nothing) -> AsyncIterator[None]:
        """Wait for the turn, and keep everybody else out of the block, which makes exactly one call.

        *check* runs just before each attempt of the call, and stops it by raising a SyncError. Raises TransientError if
        the turn does not come.
        """
        lock = self._store.lock(f"batch {self._docebo}")
        holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        # No thread: an entry takes less time than changing to one, and cannot be cancelled halfway.
        try:
            waited_since = time.monotonic()
            while not lock.try_acquire():  # nothing in this process tells when it is free
                if time.monotonic() - waited_since >= self._patience_seconds:
                    raise TransientError(
                        "batch call",
                        f"another process has been in a call to {self._docebo} for {self._patience_seconds / 60:.0f}"
                        " minutes: end it if it stands still",
                    )
                await asyncio.sleep(self._poll_seconds)
            await self._enter(holder)
            self._inside, self._check = holder, check
            try:
                yield
            except OutcomeUnknown:
                self._renew(holder)  # the grace period begins now, not before the client's last attempt
                raise
            except SyncError:
                self._leave(holder)
                raise
            # Anything else, a cancellation above all, says nothing about the fate of the call.
            else:
                self._leave(holder)
            finally:
                self._inside, self._check = "", _nothing
        finally:
            lock.release()

    def begin_attempt(self) -> None:
        """Note that an attempt of the call begins now: the client, which makes several, does so just before each.

        Raises StorageError if another has entered since: the connection that kept others out was lost.
        """
        if self._inside and not self._renew(self._inside):
            raise StorageError(f"{self._store.url} was disconnected during a call, and another call began: run again")
        self._check()

    async def _enter(self, holder: str) -> None:
        """Enter, once the fate of the call before is known, or its grace period was sat out."""
        sat_out: tuple[object, ...] = ()
        while True:
            with self._store.transaction(durable=False) as tables:
                found = tables.connection.execute(ENTRY_KEPT, {"at": self._docebo}).one_or_none()
                wait = (
                    self._grace_left(found.busy_since)
                    if found and found.busy_since and tuple(found) != sat_out
                    else 0.0
                )
                if not wait:
                    entry = {"docebo": self._docebo, "holder": holder, "busy_since": self._clock()}
                    tables.connection.execute(ENTER, entry)
                    return
            sat_out = tuple(found) if found else ()
            await self._sleep(wait)

    def _grace_left(self, busy_since: datetime) -> float:
        """Return how many seconds of the grace period are left; all of it if another machine's clock is ahead."""
        rest = min(busy_since + self._grace - self._clock(), self._grace)
        return max(0.0, rest.total_seconds())

    def _renew(self, holder: str) -> bool:
        """Let the grace period begin now; return False if the entry is another's."""
        with self._store.transaction(durable=False) as tables:
            renewed = {"at": self._docebo, "by": holder, "since": self._clock()}
            return tables.connection.execute(RENEW, renewed).rowcount == 1

    def _leave(self, holder: str) -> None:
        with self._store.transaction(durable=False) as tables:
            tables.connection.execute(LEAVE, {"at": self._docebo, "by": holder})


class RunLock:
    """Lets one run called *name* at a time work on *docebo*; a second one is turned away, not kept waiting.

    While the lock is held, *store* refuses each transaction with LockLost once another has taken it, as can happen to a
    process that stood still or was cut off from the database. *holder* is what others are told of this run.
    """

    def __init__(self, store: Store, docebo: str, name: str, *, holder: str = "") -> None:
        self._store = store
        self._docebo = docebo
        self._name = f"run {name} {docebo}"
        self._lock = store.lock(self._name)
        self._holder = holder
        self._lease: Lease | None = None

    def acquire(self) -> None:
        """Take the lock or raise AlreadyRunning; it is freed by release, or when this process ends."""
        try:
            if self._lock.try_acquire():
                holder = Holder.of_this_process(self._holder, _utc_now())
                self._lease = self._store.take_lease(self._name, holder)
                return
        except BaseException:
            self._lock.release()
            raise
        self._lock.release()
        raise AlreadyRunning(
            f"Another run is at work on {self._docebo}: {self.taken_by()}. Wait for its end, or cancel it, then run again"
        )

    def release(self) -> None:
        if self._lease:
            self._lease.is_over = True
        self._lock.release()

    def held_since(self) -> datetime | None:
        """Return since when a run has held the lock, by that run's clock, or None if none does."""
        try:
            if self._lock.try_acquire():
                return None
        finally:
            self._lock.release()
        with self._store.reading() as tables:
            holder = tables.leases.holder(self._name)
        return holder.since if holder else datetime.min.replace(tzinfo=UTC)

    def taken_by(self) -> str:
        """Say who took the lock last: name, process, host and since when."""
        with self._store.reading() as tables:
            return str(tables.leases.holder(self._name) or "it has only just begun")

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def import_lock(store: Store, docebo: str, *, holder: str) -> RunLock:
    """Return the lock of imports, and of what no import may run beside: it would write what it has read before."""
    return RunLock(store, docebo, PlanKind.BULK_IMPORT, holder=holder)
