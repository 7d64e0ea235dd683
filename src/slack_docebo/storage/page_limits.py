"""Page limits: how many people a source can give on one page, where that is less than was asked for."""

from datetime import datetime

from sqlalchemy import Connection, select

from slack_docebo.storage.schema import page_limit
from slack_docebo.storage.statements import upsert


class PageLimitRepository:
    """The table `page_limit`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, source: str, *, since: datetime) -> int | None:
        """Return the limit of *source* if it was learned after *since*, else None."""
        query = select(page_limit.c.people).where(page_limit.c.source == source, page_limit.c.learned_at > since)
        return self._connection.scalar(query)

    def learn(self, source: str, people: int, *, now: datetime) -> None:
        """Store the limit of *source*, in place of an older one."""
        upsert(self._connection, page_limit, {"source": source}, {"people": people, "learned_at": now})
