"""What was last applied to each person's account on a platform; it outlives the mapping."""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as MappingType
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, func, select, update

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.people import Applied, LastSeen, SourceUser
from slack_docebo.domain.stamps import NOT_BELIEVED, TOLERANCE, UNSTAMPED, believed
from slack_docebo.storage.deactivations import DeactivationRepository
from slack_docebo.storage.people import PersonRepository
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import account, identity, mapping, operation, plan
from slack_docebo.storage.schema import applied as rows
from slack_docebo.storage.sightings import last_seen_of
from slack_docebo.storage.statements import WhereIn, carry_out, insertion_text

# Made once: a statement costs more to build than to carry out.
SAVE = insertion_text(
    rows.columns,
    """(platform_id, person_id) DO UPDATE SET
        user_id = excluded.user_id, fingerprint = excluded.fingerprint, echo = excluded.echo""",
)
ADVANCE = insertion_text(
    rows.columns,
    f"""(platform_id, person_id) DO UPDATE SET slack_updated = excluded.slack_updated
        WHERE applied.slack_updated < excluded.slack_updated OR excluded.slack_updated = {NOT_BELIEVED}""",
)

_HERE = and_(rows.c.platform_id == bindparam("platform"), identity.c.slack_team == bindparam("team"))
OF = WhereIn(
    select(
        *(identity.c.slack_id, rows.c.user_id, rows.c.fingerprint, rows.c.echo, account.c.deactivated_at),
        *(account.c.username_digest, account.c.address_digest, account.c.verified_by),
    )
    .join(rows, rows.c.person_id == identity.c.person_id)
    .outerjoin(account, and_(account.c.platform_id == rows.c.platform_id, account.c.user_id == rows.c.user_id))
    .where(_HERE, rows.c.user_id.is_not(None)),
    identity.c.slack_id,
)
SHARED = WhereIn(
    select(rows.c.user_id)
    .where(rows.c.platform_id == bindparam("platform"))
    .group_by(rows.c.user_id)
    .having(func.count() > 1),
    rows.c.user_id,
)
PASSED_ON = WhereIn(
    update(rows)
    .where(rows.c.platform_id == bindparam("platform"), rows.c.person_id.not_in(bindparam("to", expanding=True)))
    .values(user_id=None, fingerprint="", echo=""),
    rows.c.user_id,
)
STAMPS = WhereIn(
    select(identity.c.slack_id, rows.c.slack_updated).join(rows, rows.c.person_id == identity.c.person_id).where(_HERE),
    identity.c.slack_id,
)


class AppliedRepository:
    """The table `applied`, the rows of the platform at *docebo*; the caller owns the transaction."""

    def __init__(self, connection: Connection, platforms: PlatformRepository, docebo: str) -> None:
        self._connection = connection
        self._platforms = platforms
        self._docebo = docebo

    def of(self, team: str, slack_ids: Iterable[str]) -> dict[str, Applied]:
        """Return what was last applied, by Slack id, for people who were given an account."""
        here = {"platform": self._platforms.find(self._docebo), "team": team}
        return {
            row.slack_id: Applied(
                *(row.user_id, row.fingerprint, row.echo, row.deactivated_at is not None), last_seen_of(row)
            )
            for row in OF.rows(self._connection, slack_ids, **here)
        }

    def of_people(self, team: str, users: Collection[SourceUser]) -> dict[str, Applied]:
        """Return what was last applied, by Slack id, to those of *users* who were given an account under any id.

        An account that was given to several people is returned as never seen, for it cannot show whose it is.
        """
        known = self.of(team, (slack_id for user in users for slack_id in user.ids))
        given = {one.docebo_id for one in known.values()}
        platform_id = self._platforms.find(self._docebo)
        shared = {row.user_id for row in SHARED.rows(self._connection, given, platform=platform_id)}
        return {
            user.slack_id: replace(one, seen=LastSeen()) if one.docebo_id in shared else one
            for user in users
            for slack_id in user.ids[::-1]
            if (one := known.get(slack_id))
        }

    def former_holders(self, docebo_ids: Collection[int]) -> dict[int, set[str]]:
        """Return everybody, as Slack ids, to whom these accounts were given, by account; only for unmapped accounts."""
        is_mapped = exists().where(mapping.c.platform_id == rows.c.platform_id, mapping.c.user_id == rows.c.user_id)
        return self._given(docebo_ids, ~is_mapped)

    def given(self, docebo_ids: Collection[int]) -> dict[int, set[str]]:
        """Return everybody, as Slack ids, to whom these accounts were given, by account, mapped or not.

        Somebody who has another account by now is left out. For an account that nobody is on record for, the journal
        tells for whom it was created or changed.
        """
        given = self._given(docebo_ids)
        written = (
            select(operation.c.docebo_id, operation.c.slack_id)
            .join(plan, plan.c.id == operation.c.plan_id)
            .where(
                plan.c.docebo == self._docebo,
                operation.c.kind.in_([Kind.CREATE.value, Kind.UPDATE.value]),
                operation.c.outcome == Outcome.APPLIED.value,
                operation.c.slack_id != "",
            )
        )
        others = set(docebo_ids) - given.keys()
        for row in WhereIn(written, operation.c.docebo_id).rows(self._connection, others):
            given.setdefault(row.docebo_id, set()).add(row.slack_id)
        return given

    def stamps(self, team: str, slack_ids: Iterable[str], *, now: datetime) -> dict[str, int]:
        """Return the newest of Slack's `updated` stamps that was applied, by Slack id.

        It is UNSTAMPED where no stamp was noted yet, and NOT_BELIEVED where the last one cannot be right.
        """
        here = {"platform": self._platforms.find(self._docebo), "team": team}
        return {
            row.slack_id: believed(row.slack_updated, now) or (NOT_BELIEVED if row.slack_updated else UNSTAMPED)
            for row in STAMPS.rows(self._connection, slack_ids, **here)
        }

    def save(self, team: str, applied: MappingType[str, Applied], *, now: datetime, run: str = "") -> None:
        """Note by Slack id what was applied, and whether the accounts are inactive because of us."""
        if not applied:
            return
        self.note(team, applied, now=now)
        deactivations = DeactivationRepository(self._connection, self._platforms, self._docebo)
        if inactive := [one.docebo_id for one in applied.values() if one.deactivated]:
            deactivations.note(inactive, now=now, run=run)
        deactivations.clear([one.docebo_id for one in applied.values() if not one.deactivated])

    def note(self, team: str, applied: MappingType[str, Applied], *, now: datetime) -> None:
        """Note by Slack id which account the person was given, and what was applied to it."""
        platform_id = self._platforms.take(self._docebo)
        people = PersonRepository(self._connection).register(team, applied, now=now)
        changed = (
            {
                "platform_id": platform_id,
                "person_id": people[slack_id],
                "user_id": one.docebo_id,
                "fingerprint": one.fingerprint,
                "echo": one.echo,
                "slack_updated": 0,
            }
            for slack_id, one in applied.items()
        )
        carry_out(self._connection, SAVE, changed)

    def pass_on(self, team: str, given: MappingType[str, int]) -> None:
        """Note that the accounts *given*, by Slack id, have passed to these people: whoever else had one has it no more."""
        people = PersonRepository(self._connection).of(team, given)
        here = {"platform": self._platforms.find(self._docebo), "to": list(people.values())}
        PASSED_ON.change(self._connection, given.values(), **here)

    def advance(self, team: str, updated: MappingType[str, int], *, now: datetime) -> None:
        """Note by Slack id the `updated` stamp that was applied; a stamp older than the one on record is ignored.

        A stamp that is missing, or further in the future than clocks differ, is recorded as NOT_BELIEVED.
        """
        if not updated:
            return
        platform_id = self._platforms.take(self._docebo)
        people = PersonRepository(self._connection).register(team, updated, now=now)
        seen = (
            {
                "platform_id": platform_id,
                "person_id": people[slack_id],
                "user_id": None,
                "fingerprint": "",
                "echo": "",
                "slack_updated": believed(stamp, now) or NOT_BELIEVED,
            }
            for slack_id, stamp in updated.items()
        )
        carry_out(self._connection, ADVANCE, seen)

    def doubt_future_stamps(self, now: datetime) -> int:
        """Mark stamps further in the future than clocks differ as NOT_BELIEVED; return how many there were."""
        ahead = rows.c.slack_updated > int((now + TOLERANCE).timestamp())
        return self._connection.execute(update(rows).where(ahead).values(slack_updated=NOT_BELIEVED)).rowcount

    def forget_echoes(self, team: str, slack_ids: Iterable[str]) -> None:
        """Forget the echoes of the accounts of *slack_ids*."""
        people = PersonRepository(self._connection).of(team, slack_ids)
        forgotten = update(rows).where(rows.c.platform_id == self._platforms.find(self._docebo)).values(echo="")
        WhereIn(forgotten, rows.c.person_id).change(self._connection, people.values())

    def _given(self, docebo_ids: Iterable[int], *conditions: ColumnElement[bool]) -> dict[int, set[str]]:
        """Return everybody, as Slack ids, to whom the accounts were given on record, by account."""
        query = (
            select(rows.c.user_id, identity.c.slack_id)
            .join(identity, identity.c.person_id == rows.c.person_id)
            .where(rows.c.platform_id == self._platforms.find(self._docebo), *conditions)
        )
        given: dict[int, set[str]] = {}
        for row in WhereIn(query, rows.c.user_id).rows(self._connection, docebo_ids):
            given.setdefault(row.user_id, set()).add(row.slack_id)
        return given
