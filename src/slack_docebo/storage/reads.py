"""Reads that were proven complete: the measure by which a later one is found to be too short."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from slack_docebo.storage.schema import proven_read

# Made once: a statement costs more to build than to carry out.
_READS = proven_read.c.source == bindparam("of")
LAST = select(proven_read).where(_READS).order_by(proven_read.c.id.desc()).limit(1)
RECORD = insert(proven_read)
LISTED = LAST.with_only_columns(proven_read.c.listed)


def slack_source(team: str) -> str:
    """Return the name of the source that is Slack's list of a workspace's people."""
    return f"slack:{team}"


def docebo_source(docebo: str) -> str:
    """Return the name of the source that is Docebo's list of accounts."""
    return f"docebo:{docebo}"


@dataclass(frozen=True, slots=True)
class ProvenRead:
    """One complete read of a source, by its name."""

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
        row = self._connection.execute(LAST, {"of": source}).one_or_none()
        if row is None:
            return None
        return ProvenRead(
            source=row.source, people=row.people, pages=row.pages, proven_at=row.proven_at, flow_run=row.flow_run
        )

    def listed(self, source: str) -> list[int]:
        """Return the ids in the latest read of *source*, in order; none if they were not kept."""
        packed = self._connection.scalar(LISTED, {"of": source})
        return [] if packed is None else list(accumulate(json.loads(zlib.decompress(packed))))

    def record(self, read: ProvenRead, *, listed: Iterable[int] = ()) -> None:
        """Add a read with the ids it has *listed*, and drop the ids of the one before."""
        self._connection.execute(
            update(proven_read)
            .where(proven_read.c.source == read.source, proven_read.c.listed.is_not(None))
            .values(listed=None)
        )
        ids = sorted(listed)
        # As steps from one to the next they take a few bits each.
        steps = [following - docebo_id for docebo_id, following in pairwise([0, *ids])]
        row = {
            "source": read.source,
            "people": read.people,
            "pages": read.pages,
            "proven_at": read.proven_at,
            "flow_run": read.flow_run,
            "listed": zlib.compress(json.dumps(steps).encode()) if steps else None,
        }
        self._connection.execute(RECORD, row)

    def purge(self, before: datetime) -> int:
        """Delete the reads made before *before*, except the latest of each source; return how many there were."""
        latest = select(func.max(proven_read.c.id)).group_by(proven_read.c.source)
        old = delete(proven_read).where(proven_read.c.proven_at < before, proven_read.c.id.not_in(latest))
        return self._connection.execute(old).rowcount
