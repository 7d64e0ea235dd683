"""Types of columns that hold the same in every database."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import DateTime, Dialect, Text, TypeDecorator


class Instant(TypeDecorator[datetime]):
    """A point in time: aware and in UTC on both sides, whatever the database makes of it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        process = super().bind_processor(dialect)
        # Hundreds of rows are stamped with one moment, and SQLite's text for it takes longer than the rest of a row.
        return lru_cache(maxsize=16)(process) if process else None

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class FreeText(TypeDecorator[str]):
    """Text that people typed: what UTF-8 or PostgreSQL cannot hold (lone surrogates, NUL) becomes a question mark."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


def storable(text: str) -> str:
    """Return *text* with a question mark for what UTF-8 or PostgreSQL cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
