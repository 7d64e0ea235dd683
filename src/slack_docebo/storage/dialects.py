"""Dialects: how each Docebo answers where its documentation leaves that open."""

from datetime import datetime

from sqlalchemy import Connection, delete, literal, or_, select

from slack_docebo.domain.dialect import SET_BY_HAND, Learned
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
        query = select(dialect.c.name, dialect.c.value, dialect.c.learned_at, dialect.c.source).where(
            dialect.c.platform_id == platform_id
        )
        return {name: Learned(value, at, source) for name, value, at, source in self._connection.execute(query)}

    def learn(self, name: str, value: str, *, source: str, now: datetime) -> None:
        """Note that *name* is *value*, and what showed it; a newer value takes the place of an older.

        What was set by hand stays as it is, unless this is, too.
        """
        entry = {"value": value, "source": source, "learned_at": now}
        platform_id = PlatformRepository(self._connection).take(self._docebo)
        self._connection.execute(
            insertion(self._connection, dialect)
            .values(platform_id=platform_id, name=name, **entry)
            .on_conflict_do_update(
                index_elements=["platform_id", "name"],
                set_=entry,
                where=or_(dialect.c.source != SET_BY_HAND, literal(source == SET_BY_HAND)),
            )
        )

    def forget(self, name: str) -> bool:
        """Let nothing be known under *name*; tell whether anything was."""
        platform_id = PlatformRepository(self._connection).find(self._docebo)
        gone = delete(dialect).where(dialect.c.platform_id == platform_id, dialect.c.name == name)
        return self._connection.execute(gone).rowcount > 0
