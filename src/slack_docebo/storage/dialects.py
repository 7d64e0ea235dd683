"""Dialects: how each Docebo answers where its documentation leaves that open."""

from datetime import datetime

from sqlalchemy import Connection, delete, select

from slack_docebo.domain.dialect import SET_BY_HAND, Dialect, Learned
from slack_docebo.storage.platforms import FOUND, PlatformRepository
from slack_docebo.storage.schema import dialect
from slack_docebo.storage.statements import insertion_text

# Made once: a run reads them before most of its calls.
ALL = select(dialect.c.name, dialect.c.value, dialect.c.learned_at, dialect.c.source).where(
    dialect.c.platform_id == FOUND
)
LEARN = insertion_text(
    dialect.columns,
    f"""(platform_id, name) DO UPDATE SET
        value = excluded.value, source = excluded.source, learned_at = excluded.learned_at
        WHERE dialect.source <> '{SET_BY_HAND}' OR excluded.source = '{SET_BY_HAND}'""",
)


class DialectRepository:
    """The table `dialect`, the entries of the platform at *docebo*; the caller owns the transaction."""

    def __init__(self, connection: Connection, platforms: PlatformRepository, docebo: str) -> None:
        self._connection = connection
        self._platforms = platforms
        self._docebo = docebo

    def all(self) -> dict[str, Learned]:
        """Return everything that was learned, by name."""
        found = self._connection.execute(ALL, {"address": self._docebo})
        return {name: Learned(value, at, source) for name, value, at, source in found}

    def known(self, now: datetime) -> Dialect:
        """Return the dialect as of *now*, without answers that are too old."""
        return Dialect.of(self.all(), now)

    def learn(self, name: str, value: str, *, source: str, now: datetime) -> None:
        """Store *value* as the answer *name*, with what showed it, in place of an older one.

        An answer set by hand is replaced only by another one set by hand.
        """
        platform_id = self._platforms.take(self._docebo)
        entry = {"platform_id": platform_id, "name": name, "value": value, "source": source, "learned_at": now}
        self._connection.execute(LEARN, entry)

    def forget(self, name: str) -> bool:
        """Delete the answer *name*, and tell whether there was one."""
        platform_id = self._platforms.find(self._docebo)
        gone = delete(dialect).where(dialect.c.platform_id == platform_id, dialect.c.name == name)
        return self._connection.execute(gone).rowcount > 0
