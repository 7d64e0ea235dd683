"""Statements that SQLite and PostgreSQL want in different forms."""

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingType
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Table, TextClause, bindparam, func, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")
CHUNK = 1000


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield *values* in lists that every database takes in one statement."""
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def among(connection: Connection, column: Column[Any], values: list[T]) -> ColumnElement[bool]:
    """Return the condition that *column* is one of *values*."""
    if is_postgresql(connection):
        # On a table without statistics its planner compares every row with every value of a plain list.
        return column.in_(select(func.unnest(literal(values, postgresql.ARRAY(column.type)))))
    return column.in_(values)


def insertion(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that takes an ON CONFLICT."""
    return postgresql.insert(table) if is_postgresql(connection) else sqlite.insert(table)


def insertion_text(columns: Iterable[Column[Any]], on_conflict: str) -> TextClause:
    """Return an INSERT of these *columns* that both databases take and that is compiled once, for what is done often.

    One made with `insertion` is compiled anew each time: SQLAlchemy does not cache an ON CONFLICT.
    """
    into = list(columns)
    names = [column.name for column in into]
    values = ", ".join(f":{name}" for name in names)
    statement = f"INSERT INTO {into[0].table.name} ({', '.join(names)}) VALUES ({values}) ON CONFLICT {on_conflict}"  # noqa: S608  (our names)
    return text(statement).bindparams(*(bindparam(column.name, type_=column.type) for column in into))


def insert_rows(connection: Connection, table: Table, rows: Iterable[MappingType[str, object]]) -> None:
    """Insert new rows, each with a value for every column."""
    columns, dialect = table.columns.values(), connection.dialect
    processors = [(column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in columns]
    # Read by SQLAlchemy's own ways, each row costs as much again as writing it.
    values = (tuple(process(row[name]) if process else row[name] for name, process in processors) for row in rows)
    names = ", ".join(f'"{column.name}"' for column in columns)
    if is_postgresql(connection):
        _copy(connection, f"COPY {table.name} ({names}) FROM STDIN", values)
        return
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  (our names)
    for some in chunks(values):
        connection.exec_driver_sql(statement, some)


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert with COPY, which is three times as fast as INSERT."""
    import psycopg  # only those who use PostgreSQL wait for it

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def is_postgresql(connection: Connection) -> bool:
    """Tell whether the store is PostgreSQL; otherwise it is SQLite."""
    return connection.dialect.name == "postgresql"
