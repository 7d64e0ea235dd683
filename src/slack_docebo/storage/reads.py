"""Reads that were proven complete: the measure by which a suspiciously short one is noticed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from slack_docebo.storage.schema import proven_read


@dataclass(frozen=True, slots=True)
class ProvenRead:
    """One complete read of a source, named like "slack:T123" or "docebo:https://lms.example.com"."""

    source: str
    people: int
    pages: int
    proven_at: datetime
    flow_run: str = ""


class ReadRepository:
    """The table `proven_read`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last(self, source: str) -> ProvenRead | None:
        """Return the latest read of *source*, or None before the first."""
        query = select(proven_read).where(proven_read.c.source == source).order_by(proven_read.c.id.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else ProvenRead(row.source, row.people, row.pages, row.proven_at, row.flow_run)

    def record(self, read: ProvenRead) -> None:
        self._connection.execute(
            insert(proven_read).values(
                source=read.source,
                people=read.people,
                pages=read.pages,
                proven_at=read.proven_at,
                flow_run=read.flow_run,
            )
        )

    def purge(self, before: datetime) -> int:
        """Delete the reads from before *before*, but for the latest of each source; return how many there were."""
        latest = select(func.max(proven_read.c.id)).group_by(proven_read.c.source)
        old = delete(proven_read).where(proven_read.c.proven_at < before, proven_read.c.id.not_in(latest))
        return self._connection.execute(old).rowcount
