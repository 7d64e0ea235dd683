"""Leases: who took a lock last, and under which number.

A lock alone cannot stop a process that stood still while its session with the database was lost: it believes that it
holds the lock, which another has by now. So each lock has a number that grows whenever somebody takes it, and the store
refuses a transaction whose number is no longer the newest. That needs no clock.
"""

from dataclasses import dataclass
from datetime import datetime
from os import getpid
from socket import gethostname

from sqlalchemy import Connection, bindparam, select

from slack_docebo.domain.moments import in_utc
from slack_docebo.domain.texts import bounded
from slack_docebo.errors import LockLost
from slack_docebo.storage.schema import lease
from slack_docebo.storage.statements import insertion_text

LONGEST_NAME = 200  # of a run: whoever has Prefect's login can give it any

# Made once: in a run's every transaction, building and reading a statement would take longer than carrying it out.
TAKE = insertion_text(
    lease.c,
    "(name) DO UPDATE SET number = lease.number + 1,"
    " holder = excluded.holder, host = excluded.host, pid = excluded.pid, since = excluded.since",
)
NUMBER = select(lease.c.number).where(lease.c.name == bindparam("of"))
NUMBER_KEPT = NUMBER.with_for_update(read=True)  # until this transaction ends: whoever takes the lock waits for that


@dataclass(frozen=True, slots=True)
class Holder:
    """Who took a lock: the name of the run or command, and where and when."""

    name: str
    host: str
    pid: int
    since: datetime

    @classmethod
    def of_this_process(cls, name: str, since: datetime) -> "Holder":
        """Return this process as the holder."""
        return cls(bounded(name, LONGEST_NAME), gethostname(), getpid(), since)

    def __str__(self) -> str:
        at = f"process {self.pid} on {self.host}, since {in_utc(self.since)}"
        return f"{self.name} ({at})" if self.name else at


@dataclass(slots=True, eq=False, weakref_slot=True)
class Lease:
    """The number under which this process has taken the lock *name*."""

    database: str
    name: str
    number: int
    is_over: bool = False  # given back


class LeaseRepository:
    """The table `lease`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, name: str, holder: Holder) -> int:
        """Record the new holder of the lock *name*, and return the lock's new number."""
        row = {"name": name, "number": 1, "holder": holder.name, "host": holder.host, "pid": holder.pid}
        self._connection.execute(TAKE, row | {"since": holder.since})
        number: int = self._connection.execute(NUMBER, {"of": name}).scalar_one()
        return number

    def check(self, name: str, number: int) -> None:
        """Raise LockLost unless *number* is the newest; it stays the newest until this transaction ends."""
        if self._connection.scalar(NUMBER_KEPT, {"of": name}) != number:
            raise LockLost(
                f"another run took this one's place: {self.holder(name) or 'the database was restored meanwhile'}."
                " This one stood still or lost its connection to the database, and has written nothing since. Wait"
                " for the other's end; if it ends well, nothing is left to do"
            )

    def holder(self, name: str) -> Holder | None:
        """Return who took the lock *name* last; None if nobody ever did."""
        row = self._connection.execute(select(lease).where(lease.c.name == name)).one_or_none()
        return None if row is None else Holder(row.holder, row.host, row.pid, row.since)
