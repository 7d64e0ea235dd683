"""The order to stand still: while it is there, no run writes anything to Docebo."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select

from slack_docebo.domain.moments import in_zone
from slack_docebo.storage.schema import halt
from slack_docebo.storage.statements import insertion

GET = select(halt).where(halt.c.docebo == bindparam("docebo"))  # made once: read before every call that writes


@dataclass(frozen=True, slots=True)
class Halt:
    """Since when everything stands still, and why, as somebody said."""

    since: datetime
    reason: str

    def __str__(self) -> str:
        return self.by_clock("UTC")

    def by_clock(self, zone: str) -> str:
        """Return the order in words, with the time in this zone."""
        why = f" ({self.reason})" if self.reason else ""
        return f"stopped since {in_zone(self.since, zone)}{why}"


class HaltRepository:
    """The table `halt`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, docebo: str) -> Halt | None:
        """Return the order for this Docebo, if there is one."""
        row = self._connection.execute(GET, {"docebo": docebo}).one_or_none()
        return None if row is None else Halt(row.since, row.reason)

    def stop(self, docebo: str, reason: str, *, now: datetime) -> None:
        """Store the order; an earlier one keeps its time."""
        order = insertion(self._connection, halt).values(docebo=docebo, since=now, reason=reason)
        self._connection.execute(order.on_conflict_do_update(index_elements=["docebo"], set_={"reason": reason}))

    def go(self, docebo: str) -> bool:
        """Delete the order, and tell whether there was one."""
        return self._connection.execute(delete(halt).where(halt.c.docebo == docebo)).rowcount > 0
