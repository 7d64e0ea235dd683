"""Statements that SQLite and PostgreSQL want in different forms."""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingType
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    ARRAY,
    ClauseElement,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Delete,
    Dialect,
    Executable,
    Row,
    Select,
    Table,
    TextClause,
    Update,
    bindparam,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

T = TypeVar("T")
ROWS_AT_ONCE = 1000
GIVEN = "given"  # the parameter that takes the values of a `WhereIn`
SOMEBODY = "(somebody)"  # in the place of an id that was forgotten
_insertion_into = lru_cache(insert)


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield *values* in lists short enough for one statement in every database."""
    rest = iter(values)
    while chunk := list(islice(rest, ROWS_AT_ONCE)):
        yield chunk


def is_in(connection: Connection, column: Column[Any], values: list[T]) -> ColumnElement[bool]:
    """Return the condition that *column* is one of *values*, for use inside a query; `WhereIn` adds it at the end."""
    if is_postgresql(connection):
        # On a table without statistics its planner compares every row with every value of a plain list.
        return column.in_(select(func.unnest(literal(values, ARRAY(column.type)))))
    return column.in_(values)


def in_portions(connection: Connection, query: Select[Any]) -> CursorResult[Any]:
    """Return the rows of *query*, fetched some at a time; a caller that does not read to the end closes the result."""
    return connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})


class WhereIn:
    """A *statement* with the condition that *column* is one of the values, however many, that each call gives.

    It is made once and kept, because building a statement costs more than executing it.
    """

    def __init__(self, statement: Select[Any] | Update | Delete, column: ColumnElement[Any]) -> None:
        self._statement = statement
        self._column = column

    def rows(self, connection: Connection, values: Iterable[Any], **parameters: object) -> Iterator[Row[Any]]:
        """Yield the rows found, or changed and returned, for any of *values*."""
        statement = self._for(connection)
        for some in chunks(dict.fromkeys(values)):
            yield from connection.execute(statement, {**parameters, GIVEN: some})

    def change(self, connection: Connection, values: Iterable[Any], **parameters: object) -> int:
        """Change the rows of *values* and return how many there were."""
        statement, given = self._for(connection), chunks(dict.fromkeys(values))
        return sum(connection.execute(statement, {**parameters, GIVEN: some}).rowcount for some in given)

    def _for(self, connection: Connection) -> Select[Any] | Update | Delete:
        return self._with_array if is_postgresql(connection) else self._with_list

    @cached_property
    def _with_list(self) -> Select[Any] | Update | Delete:
        return self._statement.where(self._column.in_(bindparam(GIVEN, expanding=True)))

    @cached_property
    def _with_array(self) -> Select[Any] | Update | Delete:
        array = bindparam(GIVEN, type_=ARRAY(self._column.type))  # for the reason that `is_in` gives
        return self._statement.where(self._column.in_(select(func.unnest(array))))


def rows_in(
    connection: Connection, query: Select[Any], column: Column[Any], values: Iterable[Any] | None
) -> Iterator[Row[Any]]:
    """Return the rows of *query*: all, or those in which *column* is one of *values*."""
    return iter(connection.execute(query)) if values is None else WhereIn(query, column).rows(connection, values)


def insertion(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """Return an INSERT that takes an ON CONFLICT."""
    if is_postgresql(connection):
        from sqlalchemy.dialects import postgresql  # only those who use PostgreSQL wait for it

        return postgresql.insert(table)
    return sqlite.insert(table)


def upsert(
    connection: Connection, table: Table, key: MappingType[str, object], values: MappingType[str, object]
) -> None:
    """Insert the row with this *key* and these *values* or, where there is one of this key, give it the *values*."""
    row = insertion(connection, table).values(**key, **values)
    connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


def insertion_text(columns: Iterable[Column[Any]], on_conflict: str) -> TextClause:
    """Return an INSERT of these *columns* for both databases that is compiled once, for frequent use.

    One made with `insertion` is compiled each time: SQLAlchemy does not cache an ON CONFLICT.
    """
    into = list(columns)
    names = [column.name for column in into]
    values = ", ".join(f":{name}" for name in names)
    statement = f"INSERT INTO {into[0].table.name} ({', '.join(names)}) VALUES ({values}) ON CONFLICT {on_conflict}"  # noqa: S608  (our names)
    return text(statement).bindparams(*(bindparam(column.name, type_=column.type) for column in into))


def carry_out(connection: Connection, statement: Executable, rows: Iterable[MappingType[str, object]]) -> None:
    """Execute *statement*, which was made once and kept, with the parameters in each of *rows*.

    For SQLite it goes to the driver directly: SQLAlchemy's overhead for each row is as large as SQLite's work.
    """
    if is_postgresql(connection):
        for some in chunks(rows):
            connection.execute(statement, some)
        return
    in_words, parameters = _for_sqlite(statement)
    for values in chunks(_values(rows, parameters, connection.dialect)):
        connection.exec_driver_sql(in_words, values)


@lru_cache
def _for_sqlite(statement: ClauseElement) -> tuple[str, list[tuple[str, ColumnElement[Any]]]]:
    """Return the SQL text of *statement*, and its parameters in order."""
    compiled: Any = statement.compile(dialect=sqlite.dialect())
    return compiled.string, [(name, compiled.binds[name]) for name in compiled.positiontup]


def _values(
    rows: Iterable[MappingType[str, object]], named: Iterable[tuple[str, ColumnElement[Any]]], dialect: Dialect
) -> Iterator[tuple[object, ...]]:
    """Yield the values of each row for the *named* parameters, as the driver of *dialect* takes them."""
    processors = [(name, element.type.dialect_impl(dialect).bind_processor(dialect)) for name, element in named]
    for row in rows:
        yield tuple([process(row[name]) if process else row[name] for name, process in processors])


def insert_rows(connection: Connection, table: Table, rows: Iterable[MappingType[str, object]]) -> None:
    """Insert new rows, each with a value for every column."""
    if is_postgresql(connection):
        _copy(connection, table, rows)
    else:
        carry_out(connection, _insertion_into(table), rows)


def _copy(connection: Connection, table: Table, rows: Iterable[MappingType[str, object]]) -> None:
    """Insert with COPY, which is three times as fast as INSERT."""
    import psycopg  # only those who use PostgreSQL wait for it

    names = ", ".join(f'"{column.name}"' for column in table.columns)
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for values in _values(rows, table.columns.items(), connection.dialect):
                copy.write_row(values)
    except psycopg.Error as error:
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def is_postgresql(connection: Connection) -> bool:
    """Tell whether the store is PostgreSQL; otherwise it is SQLite."""
    return connection.dialect.name == "postgresql"


def replace_mentions(connection: Connection, column: Column[Any], slack_id: str) -> None:
    """Replace this id, as a word, with SOMEBODY in all texts of *column*."""
    texts = select(column).where(column.contains(slack_id, autoescape=True)).distinct()
    for said in connection.scalars(texts).all():
        connection.execute(
            update(column.table).where(column == said).values({column.name: without_mention(said, slack_id)})
        )


def without_mention(said: str, slack_id: str) -> str:
    """Return *said* with this id replaced by SOMEBODY."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(slack_id)}(?![A-Za-z0-9])", SOMEBODY, said)
