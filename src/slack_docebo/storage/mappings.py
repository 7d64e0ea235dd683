"""The mapping: which Slack user is which Docebo account."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, exists, func, select, update

from slack_docebo.domain.people import Mapping
from slack_docebo.domain.planning import Kind, Outcome
from slack_docebo.errors import StorageError
from slack_docebo.storage.schema import operation, slack_user
from slack_docebo.storage.statements import CHUNK, among, carry_out, chunks, insertion_text

CONTENT = ("slack_name", "user_id", "fingerprint", "echo")
READ = [slack_user.c[name] for name in ("slack_id", "slack_team", *CONTENT)]  # what a Mapping says
NAMED_AT_MOST = 5  # in a message
UPSERT = insertion_text(
    [slack_user.c[name] for name in ("slack_team", "slack_id", *CONTENT, "mapped_at", "changed_at")],
    f"""(slack_team, slack_id) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in CONTENT)},
        mapped_at = CASE WHEN slack_user.user_id <> excluded.user_id
            THEN excluded.mapped_at ELSE slack_user.mapped_at END,
        changed_at = excluded.changed_at
        WHERE {" OR ".join(f"slack_user.{name} <> excluded.{name}" for name in CONTENT)}""",
)


@dataclass(frozen=True, slots=True)
class MappingRecord:
    """A mapping with everything that its row says."""

    mapping: Mapping
    slack_updated: int
    mapped_at: datetime
    changed_at: datetime


class MappingRepository:
    """The rows of the table `slack_user`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, team: str) -> Iterator[Mapping]:
        """Yield every mapping of the workspace in the order of Slack ids, without holding them all in memory."""
        return self._stream(select(*READ).where(slack_user.c.slack_team == team))

    def records(self, team: str, slack_ids: Collection[str] = ()) -> Iterator[MappingRecord]:
        """Yield, like `all`, the rows to their last column; only those of *slack_ids*, if any are named."""
        in_team = select(slack_user).where(slack_user.c.slack_team == team)
        for ids in chunks(sorted(slack_ids)) if slack_ids else [[]]:
            query = in_team.where(among(self._connection, slack_user.c.slack_id, ids)) if ids else in_team
            for row in self._rows(query):
                yield MappingRecord(_mapping(row), row.slack_updated, row.mapped_at, row.changed_at)

    def of(self, team: str, slack_ids: Iterable[str]) -> dict[str, Mapping]:
        """Return the mappings of those of *slack_ids* who have one."""
        return {
            row.slack_id: _mapping(row)
            for ids in chunks(set(slack_ids))
            for row in self._connection.execute(
                select(slack_user).where(
                    slack_user.c.slack_team == team, among(self._connection, slack_user.c.slack_id, ids)
                )
            )
        }

    def holders(self, team: str, docebo_ids: Iterable[int]) -> dict[int, str]:
        """Return, by Docebo id, the Slack id that holds the account."""
        return {
            row.user_id: row.slack_id
            for ids in chunks(set(docebo_ids))
            for row in self._connection.execute(
                select(slack_user.c.user_id, slack_user.c.slack_id).where(
                    slack_user.c.slack_team == team, among(self._connection, slack_user.c.user_id, ids)
                )
            )
        }

    def absent_from(self, plan_id: str, team: str) -> Iterator[Mapping]:
        """Yield, like `all`, the mappings of those whom the plan does not speak of."""
        planned = exists().where(operation.c.plan_id == plan_id, operation.c.slack_id == slack_user.c.slack_id)
        return self._stream(select(*READ).where(slack_user.c.slack_team == team, ~planned))

    def save(self, mappings: Sequence[Mapping], *, now: datetime) -> None:
        """Insert or update; saving an equal mapping again changes nothing.

        Accounts may move between the people of one call, in any order. An account that anybody else holds is not
        taken away: that raises StorageError before anything is written, and the caller should have planned an unmap.
        """
        latest = {(mapping.slack_team, mapping.slack_id): mapping for mapping in mappings}
        for team in {mapping.slack_team for mapping in latest.values()}:
            self._free_accounts(team, {m.slack_id: m.docebo_id for m in latest.values() if m.slack_team == team})
        if latest:
            self._upsert(latest.values(), now)

    def delete(self, team: str, slack_ids: Sequence[str] | None) -> int:
        """Delete the mappings of *slack_ids*, or with None of the whole workspace; return how many there were."""
        in_team = delete(slack_user).where(slack_user.c.slack_team == team)
        if slack_ids is None:
            return self._connection.execute(in_team).rowcount
        return sum(
            self._connection.execute(in_team.where(among(self._connection, slack_user.c.slack_id, ids))).rowcount
            for ids in chunks(set(slack_ids))
        )

    def forget_echoes(self, team: str, slack_ids: Iterable[str]) -> None:
        """Forget what the accounts of *slack_ids* once read back in a form of their own."""
        for ids in chunks(set(slack_ids)):
            self._connection.execute(
                update(slack_user)
                .where(slack_user.c.slack_team == team, among(self._connection, slack_user.c.slack_id, ids))
                .values(echo="")
            )

    def delete_planned(self, plan_id: str, team: str, seqs: range) -> int:
        """Delete the mappings that the still planned unmappings numbered *seqs* speak of; return how many there were."""
        planned = select(operation.c.slack_id).where(
            operation.c.plan_id == plan_id,
            operation.c.seq.between(seqs.start, seqs.stop - 1),
            operation.c.kind == Kind.UNMAP.value,
            operation.c.outcome == Outcome.PLANNED.value,
        )
        in_team = delete(slack_user).where(slack_user.c.slack_team == team)
        return self._connection.execute(in_team.where(slack_user.c.slack_id.in_(planned))).rowcount

    def forget(self, slack_id: str) -> int:
        """Delete everything about one person, in whatever workspace; return how many rows there were."""
        return self._connection.execute(delete(slack_user).where(slack_user.c.slack_id == slack_id)).rowcount

    def count_of(self, slack_id: str) -> int:
        """Return how many rows about one person there are, in whatever workspace."""
        return self._connection.scalar(select(func.count()).where(slack_user.c.slack_id == slack_id)) or 0

    def count(self, team: str) -> int:
        query = select(func.count()).select_from(slack_user).where(slack_user.c.slack_team == team)
        return self._connection.scalar(query) or 0

    def applied(self, team: str, slack_ids: Iterable[str]) -> dict[str, int]:
        """Return, for those who are mapped, the newest `updated` of Slack that was applied; 0 where none is known."""
        return {
            row.slack_id: row.slack_updated
            for ids in chunks(set(slack_ids))
            for row in self._connection.execute(
                select(slack_user.c.slack_id, slack_user.c.slack_updated).where(
                    slack_user.c.slack_team == team, among(self._connection, slack_user.c.slack_id, ids)
                )
            )
        }

    def advance(self, team: str, updated: MappingType[str, int]) -> None:
        """Note by Slack id the `updated` that was applied; an older one than noted, or one of an unmapped user, is ignored."""
        if updated:
            self._connection.execute(
                update(slack_user)
                .where(
                    slack_user.c.slack_team == team,
                    slack_user.c.slack_id == bindparam("of"),
                    slack_user.c.slack_updated < bindparam("seen"),
                )
                .values(slack_updated=bindparam("seen")),
                [{"of": slack_id, "seen": seen} for slack_id, seen in updated.items()],
            )

    def _stream(self, query: Select[Any]) -> Iterator[Mapping]:
        return map(_mapping, self._rows(query))

    def _rows(self, query: Select[Any]) -> Iterator[Row[Any]]:
        ordered = query.order_by(slack_user.c.slack_id)
        with self._connection.execute(ordered, execution_options={"yield_per": CHUNK}) as rows:
            yield from rows

    def _free_accounts(self, team: str, wanted: MappingType[str, int]) -> None:
        """Make room for *wanted*, Docebo ids by Slack id, so that the order of the rows does not matter."""
        shared = [docebo_id for docebo_id, users in Counter(wanted.values()).items() if users > 1]
        held = self.holders(team, wanted.values())
        taken = [docebo_id for docebo_id, slack_id in held.items() if slack_id not in wanted]
        if shared or taken:
            some = ", ".join(str(docebo_id) for docebo_id in sorted({*shared, *taken})[:NAMED_AT_MOST])
            raise StorageError(
                f"Two Slack users of {team} would share a Docebo account ({some}): unmap one of them, then run again"
            )
        moving = [slack_id for docebo_id, slack_id in held.items() if wanted[slack_id] != docebo_id]
        for ids in chunks(moving):
            # Docebo ids are positive: the negative one is free, and is replaced by the upsert that follows.
            self._connection.execute(
                update(slack_user)
                .where(slack_user.c.slack_team == team, among(self._connection, slack_user.c.slack_id, ids))
                .values(user_id=-slack_user.c.user_id)
            )

    def _upsert(self, mappings: Iterable[Mapping], now: datetime) -> None:
        rows = (
            {
                "slack_team": mapping.slack_team,
                "slack_id": mapping.slack_id,
                "slack_name": mapping.slack_name,
                "user_id": mapping.docebo_id,
                "fingerprint": mapping.fingerprint,
                "echo": mapping.echo,
                "mapped_at": now,
                "changed_at": now,
            }
            for mapping in mappings
        )
        carry_out(self._connection, UPSERT, rows)


def columns_of(record: MappingRecord) -> dict[str, object]:
    """Return *record* by the names of the table's columns."""
    mapping = record.mapping
    return {
        "slack_team": mapping.slack_team,
        "slack_id": mapping.slack_id,
        "slack_name": mapping.slack_name,
        "user_id": mapping.docebo_id,
        "fingerprint": mapping.fingerprint,
        "echo": mapping.echo,
        "slack_updated": record.slack_updated,
        "mapped_at": record.mapped_at,
        "changed_at": record.changed_at,
    }


def _mapping(row: Row[Any]) -> Mapping:
    return Mapping(
        slack_id=row.slack_id,
        slack_team=row.slack_team,
        slack_name=row.slack_name,
        docebo_id=row.user_id,
        fingerprint=row.fingerprint,
        echo=row.echo,
    )
