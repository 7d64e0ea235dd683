"""Mappings on their way into the table: collected beside it, checked as a whole, then merged together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    update,
)

from slack_docebo.storage.column_types import FreeText, Instant
from slack_docebo.storage.deactivations import DeactivationRepository
from slack_docebo.storage.handovers import doubt_given
from slack_docebo.storage.mappings import MappingRecord
from slack_docebo.storage.people import PersonRepository
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import account, applied, identity, mapping
from slack_docebo.storage.sightings import CLAIMED, SightingRepository
from slack_docebo.storage.statements import WhereIn, in_portions, insert_rows, insertion

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

staged = Table(
    "staged_mapping",
    MetaData(),
    Column("source", BigInteger, nullable=False),
    Column("slack_team", Text, nullable=False),
    Column("slack_id", Text, nullable=False),
    Column("slack_name", FreeText, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("echo", Text, nullable=False),
    Column("deactivated", Boolean, nullable=False),
    Column("slack_updated", BigInteger, nullable=False),
    Column("mapped_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index("ix_staged_slack_id", "slack_team", "slack_id"),
    Index("ix_staged_user_id", "slack_team", "user_id"),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why the mapping from *source* cannot be merged."""

    source: int
    reason: str


class MappingStaging:
    """A temporary table of mappings on the platform at *docebo*, for one block in the caller's transaction.

    Hundreds of thousands of rows are compared with each other and with the table without being held in memory. Each row
    has a *source*, the number by which people find where it came from: a line of a file, the id of an account.
    """

    def __init__(self, connection: Connection, docebo: str) -> None:
        self._connection = connection
        self._docebo = docebo
        self._platforms = PlatformRepository(connection)
        self._platform_id = self._platforms.take(docebo)
        self._sightings = SightingRepository(connection, self._platforms, docebo)

    def __enter__(self) -> Self:
        staged.create(self._connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:  # otherwise the transaction is rolled back, and the table with it
            staged.drop(self._connection)

    def add(self, records: Iterable[tuple[int, MappingRecord]]) -> None:
        """Add *records*, each with its source; a person who is mapped under another id is added under that one."""
        insert_rows(self._connection, staged, ({"source": source, **_columns_of(record)} for source, record in records))
        mapped_as = (
            select(mapping.c.slack_id)
            .join(identity, identity.c.person_id == mapping.c.person_id)
            .where(
                mapping.c.platform_id == self._platform_id,
                mapping.c.slack_team == staged.c.slack_team,
                _same_person(identity, staged),
            )
        )
        is_otherwise = mapped_as.where(mapping.c.slack_id != staged.c.slack_id).exists()
        by_that = update(staged).where(is_otherwise).values(slack_id=mapped_as.scalar_subquery())
        self._connection.execute(by_that)

    def conflicts(self) -> Iterator[Conflict]:
        """Yield what must not be merged: people and accounts named twice, accounts that somebody else holds."""
        for column, reason in (
            (staged.c.slack_id, "this Slack user is named more than once"),
            (staged.c.user_id, "this account is given to more than one Slack user"),
        ):
            twin = staged.alias()
            doubled = select(twin.c[column.name]).group_by(twin.c.slack_team, twin.c[column.name])
            doubled = doubled.having(func.count() > 1)
            for row in self._stream(select(staged.c.source).where(column.in_(doubled))):
                yield Conflict(row.source, reason)
        known_as, other_id, twin = identity.alias(), identity.alias(), staged.alias()
        is_under_another = exists().where(
            _same_person(known_as, staged),
            other_id.c.person_id == known_as.c.person_id,
            other_id.c.slack_id != staged.c.slack_id,
            _same_person(twin, other_id),
        )
        for row in self._stream(select(staged.c.source).where(is_under_another)):
            yield Conflict(row.source, "this person is named more than once, under several Slack ids")
        mover = staged.alias()
        moves = select(mover.c.source).where(_same_person(mover, mapping)).exists()
        held = select(staged.c.source, mapping.c.slack_id.label("holder")).where(
            mapping.c.platform_id == self._platform_id,
            mapping.c.slack_team == staged.c.slack_team,
            mapping.c.user_id == staged.c.user_id,
            mapping.c.slack_id != staged.c.slack_id,
            ~moves,
        )
        for row in self._stream(held):
            yield Conflict(row.source, f"the account is held by {row.holder}: unmap that one first")

    def leave_out(self, sources: Iterable[int]) -> None:
        """Remove the rows from *sources*."""
        WhereIn(delete(staged), staged.c.source).change(self._connection, sources)

    def merge(self) -> int:
        """Write names and accounts to the mapping, and return how many mappings that changed.

        A person who gets another account only has a claim to it, until it has shown whose it is: what was applied
        before, and to which account, is kept.
        """
        claimed = self._new_accounts()
        differs = or_(mapping.c.slack_name != staged.c.slack_name, mapping.c.user_id != staged.c.user_id)
        changed = self._count(differs)
        was_theirs = exists().where(
            _same_person(staged, identity),
            applied.c.platform_id == self._platform_id,
            applied.c.person_id == identity.c.person_id,
            applied.c.user_id == staged.c.user_id,
        )
        passed_on = set(self._connection.scalars(select(staged.c.user_id).where(~was_theirs)))
        doubt_given(self._connection, self._platforms, self._docebo, passed_on)
        self._clear_deactivated(select(staged.c.source).where(staged.c.user_id == account.c.user_id, ~was_theirs))
        self._write_mappings(as_they_are=False)
        self._sightings.note_claimed(claimed)
        return changed

    def restore(self) -> int:
        """Write the rows to the mapping with all columns, and return how many mappings that changed.

        An account that was never seen, or was also given to somebody else, is only claimed, as by `merge`. Of two
        records of what was applied to the same account, the newer one is kept; so is what was learned since the row was
        written of whether and when we have made the account inactive.
        """
        compared = ("slack_name", "user_id", "mapped_at")
        changed = self._count(
            or_(
                *(mapping.c[name] != staged.c[name] for name in compared),
                mapping.c.changed_at < staged.c.changed_at,
                applied.c.user_id.is_distinct_from(staged.c.user_id),
                applied.c.slack_updated < staged.c.slack_updated,
                and_(account.c.deactivated_at.is_not(None) != staged.c.deactivated, ~self._is_known_since()),
            )
        )
        is_inactive = and_(staged.c.deactivated, ~self._is_known_since())
        inactive = self._connection.scalars(select(staged.c.user_id).where(is_inactive)).all()
        now = func.max(staged.c.changed_at)
        if inactive and (at := self._connection.scalar(select(now).where(is_inactive))):
            DeactivationRepository(self._connection, self._platforms, self._docebo).note(inactive, now=at, run="")
        is_active = and_(~staged.c.deactivated, ~self._is_known_since())
        self._clear_deactivated(select(staged.c.source).where(staged.c.user_id == account.c.user_id, is_active))
        claimed = self._new_accounts()
        self._write_mappings(as_they_are=True)
        self._write_applied()
        known = {one for one, seen in self._sightings.last_seen(claimed).items() if seen.username or seen.address}
        self._sightings.note_claimed(claimed - known | claimed & self._given_to_others())
        return changed

    def _new_accounts(self) -> set[int]:
        """Return the staged accounts that are not mapped to their person yet."""
        is_there = and_(
            _same_person(staged, mapping),
            mapping.c.platform_id == self._platform_id,
            mapping.c.user_id == staged.c.user_id,
        )
        return set(self._connection.scalars(select(staged.c.user_id).where(~exists().where(is_there))))

    def _given_to_others(self) -> set[int]:
        """Return the staged accounts that were also given to another person, earlier or later."""
        is_of_row = and_(_same_person(staged, identity), identity.c.person_id == applied.c.person_id)
        to_another = exists().where(
            applied.c.platform_id == self._platform_id,
            applied.c.user_id == staged.c.user_id,
            ~exists().where(is_of_row),
        )
        return set(self._connection.scalars(select(staged.c.user_id).where(to_another)))

    def _is_known_since(self) -> ColumnElement[bool]:
        """Return the condition that something was learned of a staged account after its row was written."""
        row, its = mapping.alias(), account.alias()
        is_newer = row.c.user_id == staged.c.user_id, row.c.changed_at > staged.c.changed_at
        is_shut_since = its.c.deactivated_at > staged.c.changed_at
        is_opened_since = and_(its.c.active, its.c.verified_at > staged.c.changed_at)
        return or_(
            exists().where(row.c.platform_id == self._platform_id, _same_person(row, staged), *is_newer),
            exists().where(
                its.c.platform_id == self._platform_id,
                its.c.user_id == staged.c.user_id,
                or_(is_shut_since, is_opened_since),
            ),
        )

    def _count(self, differs: ColumnElement[bool]) -> int:
        """Return how many staged rows are new or differ from the stored ones."""
        query = (
            select(func.count())
            .select_from(staged)
            .outerjoin(mapping, and_(_same_person(staged, mapping), mapping.c.platform_id == self._platform_id))
            .outerjoin(
                applied, and_(applied.c.person_id == mapping.c.person_id, applied.c.platform_id == self._platform_id)
            )
            .outerjoin(
                account, and_(account.c.user_id == mapping.c.user_id, account.c.platform_id == self._platform_id)
            )
            .where(or_(mapping.c.user_id.is_(None), differs))
        )
        return self._connection.scalar(query) or 0

    def _clear_deactivated(self, of: Select[Any]) -> None:
        """Delete the note that accounts are inactive because of us, where *of* finds a row for them."""
        self._connection.execute(
            update(account)
            .where(account.c.platform_id == self._platform_id, account.c.deactivated_at.is_not(None), of.exists())
            .values(deactivated_at=None, deactivated_by="")
        )

    def _write_mappings(self, *, as_they_are: bool) -> None:
        """Write all columns of the mappings if *as_they_are*, else names and accounts where these differ."""
        self._register_people()
        on_platform = mapping.c.platform_id == self._platform_id
        moving = select(staged.c.source).where(_same_person(staged, mapping), staged.c.user_id != mapping.c.user_id)
        # Docebo ids are positive: the negative one is free, and is replaced by the statement that follows.
        self._connection.execute(update(mapping).where(on_platform, moving.exists()).values(user_id=-mapping.c.user_id))
        names = "slack_team", "slack_id", "slack_name", "user_id", "mapped_at", "changed_at"
        statement = self._insertion(mapping, names)
        old, new = mapping.c, statement.excluded
        values: dict[str, ColumnElement[Any]] = {
            name: new[name] for name in ("slack_name", "user_id", "mapped_at", "changed_at")
        }
        differs: ColumnElement[bool] = true()
        if as_they_are:
            values["changed_at"] = case((old.changed_at > new.changed_at, old.changed_at), else_=new.changed_at)
        else:
            values["mapped_at"] = case((old.user_id == new.user_id, old.mapped_at), else_=new.mapped_at)
            differs = or_(old.slack_name != new.slack_name, old.user_id != new.user_id)
        key = [mapping.c.platform_id, mapping.c.person_id]
        self._connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values, where=differs))

    def _write_applied(self) -> None:
        """Write what was applied, where it is newer or is about another account.

        What was applied to another account is kept where the staged one is only claimed, as by `merge`.
        """
        is_seen = exists().where(
            account.c.platform_id == self._platform_id,
            account.c.user_id == staged.c.user_id,
            account.c.verified_by != CLAIMED,
            account.c.username_digest + account.c.address_digest != "",
        )
        has_another = exists().where(
            applied.c.platform_id == self._platform_id,
            applied.c.person_id == identity.c.person_id,
            applied.c.user_id != staged.c.user_id,
        )
        names = "user_id", "fingerprint", "echo", "slack_updated"
        statement = self._insertion(applied, names, or_(is_seen, ~has_another))
        old, new = applied.c, statement.excluded
        values: dict[str, ColumnElement[Any]] = {name: new[name] for name in ("user_id", "fingerprint", "echo")}
        values["slack_updated"] = case(
            (old.slack_updated > new.slack_updated, old.slack_updated), else_=new.slack_updated
        )
        differs = or_(old.user_id.is_distinct_from(new.user_id), old.slack_updated < new.slack_updated)
        key = [applied.c.platform_id, applied.c.person_id]
        self._connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values, where=differs))

    def _insertion(
        self, table: Table, names: Sequence[str], *conditions: ColumnElement[bool]
    ) -> "postgresql.Insert | sqlite.Insert":
        """Return the INSERT of these columns of the staged rows that fulfil *conditions*."""
        rows = select(literal(self._platform_id), identity.c.person_id, *(staged.c[name] for name in names))
        into = ["platform_id", "person_id", *names]
        return insertion(self._connection, table).from_select(
            into, rows.where(_same_person(staged, identity), *conditions)
        )

    def _register_people(self) -> None:
        """Add the people and identities that are missing."""
        known = exists().where(_same_person(staged, identity))
        query = select(staged.c.slack_team, staged.c.slack_id, staged.c.mapped_at).where(~known)
        new = self._connection.execute(query).all()
        for team in {row.slack_team for row in new}:
            ids = [row.slack_id for row in new if row.slack_team == team]
            now = max(row.mapped_at for row in new)
            PersonRepository(self._connection).register(team, ids, now=now)

    def _stream(self, query: Select[Any]) -> Iterator[Row[Any]]:
        ordered = query.order_by(staged.c.source)
        with in_portions(self._connection, ordered) as rows:
            yield from rows


def _same_person(one: Any, other: Any) -> ColumnElement[bool]:
    return and_(one.c.slack_team == other.c.slack_team, one.c.slack_id == other.c.slack_id)


def _columns_of(record: MappingRecord) -> dict[str, object]:
    mapping = record.mapping
    return {
        "slack_team": mapping.slack_team,
        "slack_id": mapping.slack_id,
        "slack_name": mapping.slack_name,
        "user_id": mapping.docebo_id,
        "fingerprint": mapping.fingerprint,
        "echo": mapping.echo,
        "deactivated": mapping.deactivated,
        "slack_updated": record.slack_updated,
        "mapped_at": record.mapped_at,
        "changed_at": record.changed_at,
    }
