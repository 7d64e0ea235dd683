"""The mapping: which Slack user is which Docebo account."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, case, delete, func, select, update

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.people import Known, Mapping, SourceUser
from slack_docebo.domain.texts import some_of
from slack_docebo.errors import StorageConflict
from slack_docebo.storage.applied import AppliedRepository
from slack_docebo.storage.column_types import storable
from slack_docebo.storage.handovers import doubt_given
from slack_docebo.storage.people import PersonRepository
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import account, applied, operation
from slack_docebo.storage.schema import mapping as rows
from slack_docebo.storage.sightings import CLAIMED, last_seen_of
from slack_docebo.storage.statements import WhereIn, carry_out, in_portions, insertion_text

CHANGED_SINCE = "mapped or changed since the backup of this reset: reset again, if this mapping is to go too"
UPSERT = insertion_text(
    rows.columns,
    """(platform_id, person_id) DO UPDATE SET
        slack_team = excluded.slack_team,
        slack_id = excluded.slack_id,
        slack_name = excluded.slack_name,
        user_id = excluded.user_id,
        mapped_at = CASE WHEN mapping.user_id <> excluded.user_id THEN excluded.mapped_at ELSE mapping.mapped_at END,
        changed_at = excluded.changed_at""",
)
SAME_ACCOUNT = applied.c.user_id == rows.c.user_id
READ = (
    select(
        *(rows.c[name] for name in ("slack_id", "slack_team", "slack_name", "user_id", "mapped_at", "changed_at")),
        case((SAME_ACCOUNT, applied.c.fingerprint), else_="").label("fingerprint"),
        case((SAME_ACCOUNT, applied.c.echo), else_="").label("echo"),
        account.c.deactivated_at.is_not(None).label("deactivated"),
        func.coalesce(account.c.username_digest, "").label("username_digest"),
        func.coalesce(account.c.address_digest, "").label("address_digest"),
        func.coalesce(account.c.verified_by, "").label("verified_by"),
        func.coalesce(applied.c.slack_updated, 0).label("slack_updated"),
    )
    .outerjoin(applied, and_(applied.c.platform_id == rows.c.platform_id, applied.c.person_id == rows.c.person_id))
    .outerjoin(account, and_(account.c.platform_id == rows.c.platform_id, account.c.user_id == rows.c.user_id))
)
_HERE = and_(rows.c.slack_team == bindparam("team"), rows.c.platform_id == bindparam("platform"))
OF = WhereIn(READ.where(_HERE), rows.c.slack_id)
OF_ACCOUNTS = WhereIn(READ.where(_HERE), rows.c.user_id)
HOLDERS = WhereIn(select(rows.c.user_id, rows.c.slack_id).where(_HERE), rows.c.user_id)


@dataclass(frozen=True, slots=True)
class MappingRecord:
    """A mapping with everything that is stored about it."""

    mapping: Mapping
    slack_updated: int
    mapped_at: datetime
    changed_at: datetime


class MappingRepository:
    """The mappings on the platform at *docebo*, with what was last applied; the caller owns the transaction."""

    def __init__(self, connection: Connection, platforms: PlatformRepository, docebo: str) -> None:
        self._connection = connection
        self._platforms = platforms
        self._docebo = docebo

    def all(self, team: str) -> Iterator[Mapping]:
        """Yield every mapping of the workspace in the order of Slack ids, without holding them all in memory."""
        return map(_mapping, self._stream(READ.where(self._of(team))))

    def records(self, team: str, slack_ids: Collection[str] = ()) -> Iterator[MappingRecord]:
        """Yield every mapping as a full record, in the order of Slack ids; with *slack_ids*, only theirs."""
        if slack_ids:
            found = iter(sorted(self._where_in(OF, team, slack_ids), key=lambda row: str(row.slack_id)))
        else:
            found = self._stream(READ.where(self._of(team)))
        for row in found:
            yield MappingRecord(_mapping(row), row.slack_updated, row.mapped_at, row.changed_at)

    def of(self, team: str, slack_ids: Iterable[str]) -> dict[str, Mapping]:
        """Return the mappings of those of *slack_ids* who have one, by Slack id."""
        return {row.slack_id: _mapping(row) for row in self._where_in(OF, team, slack_ids)}

    def of_people(self, team: str, users: Collection[SourceUser]) -> dict[str, Mapping]:
        """Return the mappings of those of *users* who have one under any of their ids, by their Slack id."""
        known = self.of(team, (slack_id for user in users for slack_id in user.ids))
        theirs = ((user.slack_id, [known[slack_id] for slack_id in user.ids if slack_id in known]) for user in users)
        return {slack_id: mappings[0] for slack_id, mappings in theirs if mappings}

    def known_of_people(self, team: str, users: Collection[SourceUser]) -> dict[str, Known]:
        """Return the mapping of each of *users*, else what was last applied, if there is either; by Slack id."""
        mapped = self.of_people(team, users)
        unmapped = [user for user in users if user.slack_id not in mapped]
        return {**mapped, **self._applied.of_people(team, unmapped)}

    def of_accounts(self, team: str, docebo_ids: Iterable[int]) -> dict[int, Mapping]:
        """Return the mappings of those accounts that have one, by Docebo id."""
        return {row.user_id: _mapping(row) for row in self._where_in(OF_ACCOUNTS, team, docebo_ids)}

    def holders(self, team: str, docebo_ids: Iterable[int]) -> dict[int, str]:
        """Return the Slack id to which each account is mapped, by Docebo id."""
        return {row.user_id: row.slack_id for row in self._where_in(HOLDERS, team, docebo_ids)}

    def unseen(self, team: str) -> list[int]:
        """Return the mapped accounts of which nothing seen is stored, because they were just linked by hand.

        Those that a table gives to somebody are left out: what they show has yet to prove whose they are.
        """
        is_unseen = func.coalesce(account.c.username_digest, "") + func.coalesce(account.c.address_digest, "") == ""
        is_no_claim = account.c.verified_by.is_distinct_from(CLAIMED)
        return [row.user_id for row in self._connection.execute(READ.where(self._of(team), is_unseen, is_no_claim))]

    def slack_ids(self, team: str) -> Iterator[str]:
        """Yield the Slack ids of all who are mapped, like `all`."""
        return (row.slack_id for row in self._stream(select(rows.c.slack_id).where(self._of(team))))

    def save(self, mappings: Sequence[Mapping], *, now: datetime, run: str = "") -> None:
        """Insert or update mappings, with what was applied; saving an equal mapping again changes nothing.

        Accounts may move between the people of one call, in any order. An account that somebody else holds is not taken
        away: StorageConflict is raised before anything is written, and the caller should have planned an unmap. *run*
        is recorded as the one that has made an account inactive.
        """
        by_team: dict[str, dict[str, Mapping]] = {}
        for mapping in mappings:  # of two of one person the later counts
            by_team.setdefault(mapping.slack_team, {})[mapping.slack_id] = mapping
        for team, of_team in by_team.items():
            self._free_accounts(team, {slack_id: mapping.docebo_id for slack_id, mapping in of_team.items()})
        for team, of_team in by_team.items():
            known = self.of(team, of_team)
            changed = [mapping for slack_id, mapping in of_team.items() if _stored(mapping) != known.get(slack_id)]
            given = self._applied
            before = given.of(team, [mapping.slack_id for mapping in changed])
            had = {(slack_id, one.docebo_id) for them in (known, before) for slack_id, one in them.items()}
            self._upsert(team, changed, now)
            given.save(team, {mapping.slack_id: mapping.applied for mapping in changed}, now=now, run=run)
            if new := {one.docebo_id for one in changed if (one.slack_id, one.docebo_id) not in had}:
                doubt_given(self._connection, self._platforms, self._docebo, new)

    def pass_on(self, team: str, heirs: MappingType[str, str], *, now: datetime) -> None:
        """Give mappings to other Slack ids; *heirs* are the new ids by the present ones."""
        people = PersonRepository(self._connection).register(team, heirs.values(), now=now)
        for slack_id, heir in heirs.items():
            self._connection.execute(
                update(rows)
                .where(self._of(team), rows.c.slack_id == slack_id)
                .values(slack_id=heir, person_id=people[heir], changed_at=now)
            )

    def delete(self, team: str, slack_ids: Sequence[str]) -> int:
        """Delete the mappings of *slack_ids*; return how many there were."""
        return WhereIn(delete(rows).where(self._of(team)), rows.c.slack_id).change(self._connection, slack_ids)

    def delete_planned(
        self, plan_id: str, team: str, seqs: range, backed_up: MappingType[str, tuple[int, datetime]]
    ) -> int:
        """Delete the mappings named by the planned unmappings numbered *seqs*; return how many were deleted.

        *backed_up* gives account and last change of each mapping in the backup, by Slack id. A mapping that differs
        from its backup, because it was made, moved or changed since, stays, and its unmapping is recorded as skipped.
        """
        planned = and_(
            operation.c.plan_id == plan_id,
            operation.c.seq.between(seqs.start, seqs.stop - 1),
            operation.c.kind == Kind.UNMAP.value,
            operation.c.outcome == Outcome.PLANNED.value,
        )
        of_plan = self._of(team), rows.c.slack_id.in_(select(operation.c.slack_id).where(planned))
        there = select(rows.c.slack_id, rows.c.user_id, rows.c.changed_at).where(*of_plan).with_for_update()
        held = [
            row.slack_id
            for row in self._connection.execute(there)
            if backed_up.get(row.slack_id) == (row.user_id, row.changed_at)
        ]
        deleted = self.delete(team, held)
        mapped_still = operation.c.slack_id.in_(select(rows.c.slack_id).where(self._of(team)))
        self._connection.execute(
            update(operation).where(planned, mapped_still).values(outcome=Outcome.SKIPPED.value, error=CHANGED_SINCE)
        )
        return deleted

    def count(self, team: str) -> int:
        return self._connection.scalar(select(func.count()).select_from(rows).where(self._of(team))) or 0

    @property
    def _platform_id(self) -> int | None:
        return self._platforms.find(self._docebo)

    @property
    def _applied(self) -> AppliedRepository:
        return AppliedRepository(self._connection, self._platforms, self._docebo)

    def _where_in(self, query: WhereIn, team: str, values: Iterable[Any]) -> Iterator[Row[Any]]:
        """Yield the workspace's rows on this platform that match any of *values*."""
        return query.rows(self._connection, values, team=team, platform=self._platform_id)

    def _of(self, team: str) -> ColumnElement[bool]:
        """Return the condition that a row belongs to the workspace and this platform."""
        return and_(rows.c.slack_team == team, rows.c.platform_id == self._platform_id)

    def _stream(self, query: Select[Any]) -> Iterator[Row[Any]]:
        with in_portions(self._connection, query.order_by(rows.c.slack_id)) as found:
            yield from found

    def _free_accounts(self, team: str, wanted: MappingType[str, int]) -> None:
        """Free the accounts in *wanted* (Docebo ids by Slack id), so that rows can be written in any order."""
        shared = [docebo_id for docebo_id, users in Counter(wanted.values()).items() if users > 1]
        held = self.holders(team, wanted.values())
        taken = [docebo_id for docebo_id, slack_id in held.items() if slack_id not in wanted]
        if shared or taken:
            some = some_of(sorted({*shared, *taken}))
            raise StorageConflict(
                f"Two Slack users of {team} would share a Docebo account ({some}): unmap one of them, then run again"
            )
        moving = [slack_id for docebo_id, slack_id in held.items() if wanted[slack_id] != docebo_id]
        # Docebo ids are positive: the negative one is free, and is replaced by the upsert that follows.
        freed = update(rows).where(self._of(team)).values(user_id=-rows.c.user_id)
        WhereIn(freed, rows.c.slack_id).change(self._connection, moving)

    def _upsert(self, team: str, mappings: Sequence[Mapping], now: datetime) -> None:
        if not mappings:
            return
        platform_id = self._platforms.take(self._docebo)
        people = PersonRepository(self._connection).register(team, [mapping.slack_id for mapping in mappings], now=now)
        changed = (
            {
                "platform_id": platform_id,
                "person_id": people[mapping.slack_id],
                "slack_team": team,
                "slack_id": mapping.slack_id,
                "slack_name": mapping.slack_name,
                "user_id": mapping.docebo_id,
                "mapped_at": now,
                "changed_at": now,
            }
            for mapping in mappings
        )
        carry_out(self._connection, UPSERT, changed)


def _stored(mapping: Mapping) -> Mapping:
    """Return *mapping* as it is read back: with a name that every database can hold."""
    return replace(mapping, slack_name=storable(mapping.slack_name))


def _mapping(row: Row[Any]) -> Mapping:
    return Mapping(
        slack_id=row.slack_id,
        slack_team=row.slack_team,
        slack_name=row.slack_name,
        docebo_id=row.user_id,
        fingerprint=row.fingerprint,
        echo=row.echo,
        deactivated=row.deactivated,
        seen=last_seen_of(row),
    )
