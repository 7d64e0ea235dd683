"""Page limits: how many people a source could give on one page, where it could not give as many as were asked for."""

from datetime import datetime

from sqlalchemy import Connection, select

from slack_docebo.storage.schema import page_limit
from slack_docebo.storage.statements import insertion


class PageLimitRepository:
    """The table `page_limit`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, source: str, *, since: datetime) -> int | None:
        """Return the limit of *source* that was learned after *since*, or None."""
        query = select(page_limit.c.people).where(page_limit.c.source == source, page_limit.c.learned_at > since)
        return self._connection.scalar(query)

    def learn(self, source: str, people: int, *, now: datetime) -> None:
        """Note the limit of *source*; a newer one takes the place of an older."""
        limit = {"people": people, "learned_at": now}
        self._connection.execute(
            insertion(self._connection, page_limit)
            .values(source=source, **limit)
            .on_conflict_do_update(index_elements=["source"], set_=limit)
        )
