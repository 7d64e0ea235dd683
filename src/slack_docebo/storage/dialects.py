"""Dialects: how each Docebo answers where its documentation leaves that open."""

from datetime import datetime

from sqlalchemy import Connection, select

from slack_docebo.domain.dialect import Learned
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import dialect
from slack_docebo.storage.statements import insertion


class DialectRepository:
    """The table `dialect`, the entries of the platform at *docebo*; the caller owns the transaction."""

    def __init__(self, connection: Connection, docebo: str) -> None:
        self._connection = connection
        self._docebo = docebo

    def get(self, name: str) -> str:
        """Return what is known under *name*, "" where nothing is."""
        platform_id = PlatformRepository(self._connection).find(self._docebo)
        query = select(dialect.c.value).where(dialect.c.platform_id == platform_id, dialect.c.name == name)
        return self._connection.scalar(query) or ""

    def all(self) -> dict[str, Learned]:
        """Return everything that was learned, by name."""
        platform_id = PlatformRepository(self._connection).find(self._docebo)
        query = select(dialect.c.name, dialect.c.value, dialect.c.learned_at).where(
            dialect.c.platform_id == platform_id
        )
        return {name: Learned(value, at) for name, value, at in self._connection.execute(query)}

    def learn(self, name: str, value: str, *, source: str, now: datetime) -> None:
        """Note that *name* is *value*, and what showed it; a newer value takes the place of an older."""
        entry = {"value": value, "source": source, "learned_at": now}
        platform_id = PlatformRepository(self._connection).take(self._docebo)
        self._connection.execute(
            insertion(self._connection, dialect)
            .values(platform_id=platform_id, name=name, **entry)
            .on_conflict_do_update(index_elements=["platform_id", "name"], set_=entry)
        )
