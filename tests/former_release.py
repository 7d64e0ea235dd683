"""The database that the release before this one left behind: see `fixtures/release_0003/made_by.py`."""

import json
import lzma
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

FOLDER = Path(__file__).parent / "fixtures" / "release_0003"
BACKUP = FOLDER / "mappings.csv"
TEAM = "T0SANDBOX"
DOCEBO = "http://127.0.0.1:48812"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """What that release's webhook sent to the database."""

    text: str
    parameters: Any


@cache
def rows(table: str, docebo: str = DOCEBO) -> list[Row]:
    """Return the rows of *table*, whose Docebo is at *docebo*, as SQLite holds them."""
    columns = _tables(docebo)[table]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def moment(value: str | None) -> datetime | None:
    """Return the time that SQLite holds as *value*."""
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def webhook_statements(kind: str) -> list[Statement]:
    """Return what the webhook sent to a database of *kind*, sqlite or postgresql, in that order."""
    said = json.loads((FOLDER / "statements.json").read_text())[kind]
    return [Statement(one["statement"], one["parameters"]) for one in said]


def make_sqlite(path: Path, docebo: str = DOCEBO) -> None:
    """Make that release's database at *path*."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript((FOLDER / "sqlite.sql").read_text())
    for table, columns in _tables(docebo).items():
        places = ", ".join("?" for _ in columns)
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", _values(columns))
    connection.commit()
    connection.close()


def make_postgresql(url: str, docebo: str = DOCEBO) -> None:
    """Make that release's tables, filled with the same rows, in the empty database at *url*."""
    with psycopg.connect(url, options="-c TimeZone=UTC") as connection:
        connection.execute((FOLDER / "postgresql.sql").read_bytes())
        for table, columns in _tables(docebo).items():
            with connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()) as copy:
                for values in _values(columns):
                    copy.write_row(values)
        connection.execute("SELECT setval('proven_read_id_seq', max(id)) FROM proven_read")


@cache
def _tables(docebo: str) -> dict[str, dict[str, list[Any]]]:
    """Return the values of each column of each table."""
    text = lzma.decompress((FOLDER / "rows.json.xz").read_bytes()).decode()
    tables: dict[str, dict[str, list[Any]]] = json.loads(text.replace(DOCEBO, docebo))
    return tables


def _values(columns: dict[str, list[Any]]) -> Iterator[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True)
