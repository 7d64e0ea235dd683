"""Mappings on their way into the table: gathered beside it, looked at as a whole, then taken over together."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    MetaData,
    Row,
    Select,
    Table,
    and_,
    case,
    delete,
    func,
    or_,
    select,
    true,
    update,
)

from slack_docebo.storage.mappings import MappingRecord, columns_of
from slack_docebo.storage.schema import slack_user
from slack_docebo.storage.statements import CHUNK, among, chunks, insert_rows, insertion

KEY = ("slack_team", "slack_id")

staged = Table(
    "staged_slack_user",
    MetaData(),
    Column("source", BigInteger, nullable=False),
    *(Column(column.name, column.type, nullable=False) for column in slack_user.columns),
    Index("ix_staged_slack_id", *KEY),
    Index("ix_staged_user_id", "slack_team", "user_id"),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why what came from *source* cannot be taken over."""

    source: int
    reason: str


class MappingStaging:
    """A temporary table of mappings, gone at the end of the block; the caller owns the transaction.

    Hundreds of thousands of rows are compared with each other and with the table without being held in memory. Each
    row has a *source*, the number by which people find where it came from: a line of a file, the id of an account.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        staged.create(self._connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:  # otherwise the transaction is rolled back, and the table with it
            staged.drop(self._connection)

    def add(self, records: Iterable[tuple[int, MappingRecord]]) -> None:
        """Gather *records*, each with its source."""
        insert_rows(self._connection, staged, ({"source": source, **columns_of(record)} for source, record in records))

    def conflicts(self) -> Iterator[Conflict]:
        """Yield what must not be taken over: people and accounts named twice, accounts held by somebody else."""
        for column, reason in (
            (staged.c.slack_id, "this Slack user is named more than once"),
            (staged.c.user_id, "this account is given to more than one Slack user"),
        ):
            twin = staged.alias()
            doubled = select(twin.c[column.name]).group_by(*_columns(twin, "slack_team", column.name))
            doubled = doubled.having(func.count() > 1)
            for row in self._stream(select(staged.c.source).where(column.in_(doubled))):
                yield Conflict(row.source, reason)
        mover = staged.alias()
        moves = select(mover.c.source).where(_same_person(mover, slack_user)).exists()
        held = select(staged.c.source, slack_user.c.slack_id.label("holder")).where(
            slack_user.c.slack_team == staged.c.slack_team,
            slack_user.c.user_id == staged.c.user_id,
            slack_user.c.slack_id != staged.c.slack_id,
            ~moves,
        )
        for row in self._stream(held):
            yield Conflict(row.source, f"the account is held by {row.holder}: unmap that one first")

    def leave_out(self, sources: Iterable[int]) -> None:
        """Drop what came from *sources*."""
        for some in chunks(set(sources)):
            self._connection.execute(delete(staged).where(among(self._connection, staged.c.source, some)))

    def count(self) -> int:
        return self._connection.scalar(select(func.count()).select_from(staged)) or 0

    def merge(self) -> int:
        """Take over names and accounts and return how many rows of the table that changed.

        What is known about the attributes written before stays with a person whose account stays the same.
        """

        def kept(name: str, new: Any) -> ColumnElement[Any]:
            old = slack_user.c
            return case((old.user_id == new.user_id, old[name]), else_=new[name])

        return self._take_over(
            lambda new: {
                "slack_name": new.slack_name,
                "user_id": new.user_id,
                "changed_at": new.changed_at,
                **{name: kept(name, new) for name in ("fingerprint", "echo", "slack_updated", "mapped_at")},
            },
            compared=("slack_name", "user_id"),
        )

    def restore(self) -> int:
        """Take over the rows as they are, to the last column, and return how many rows of the table that changed."""
        names = [column.name for column in slack_user.columns if column.name not in KEY]
        return self._take_over(lambda new: {name: new[name] for name in names}, compared=names)

    def _take_over(self, set_: Callable[[Any], dict[str, Any]], *, compared: Iterable[str]) -> int:
        moving = select(staged.c.source).where(
            _same_person(staged, slack_user), staged.c.user_id != slack_user.c.user_id
        )
        # Docebo ids are positive: the negative one is free, and is replaced by the statement that follows.
        self._connection.execute(update(slack_user).where(moving.exists()).values(user_id=-slack_user.c.user_id))
        names = [column.name for column in slack_user.columns]
        # SQLite needs the condition to tell the ON of the conflict from that of a join.
        rows = select(*_columns(staged, *names)).where(true())
        statement = insertion(self._connection, slack_user).from_select(names, rows)
        new = statement.excluded
        differs = or_(*(slack_user.c[name] != new[name] for name in compared))
        upsert = statement.on_conflict_do_update(
            index_elements=[slack_user.c[name] for name in KEY], set_=set_(new), where=differs
        )
        return self._connection.execute(upsert, execution_options={"preserve_rowcount": True}).rowcount

    def _stream(self, query: Select[Any]) -> Iterator[Row[Any]]:
        ordered = query.order_by(staged.c.source)
        with self._connection.execute(ordered, execution_options={"yield_per": CHUNK}) as rows:
            yield from rows


def _same_person(one: Any, other: Any) -> ColumnElement[bool]:
    return and_(*(one.c[name] == other.c[name] for name in KEY))


def _columns(table: Any, *names: str) -> list[Column[Any]]:
    return [table.c[name] for name in names]
