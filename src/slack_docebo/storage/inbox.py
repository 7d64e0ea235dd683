"""The inbox: Slack's events, committed before they are acknowledged.

`put` sets the wake-up in the transaction that stores the event, and only a claim that finds nothing clears it (see
`storage.wake_ups`). So as long as a due event is not done, a run is wanted, whichever process dies in between.

An event is due when its own time has come and its person has something left of the share (see `storage.shares`): events
of somebody who keeps changing are claimed together.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    update,
)

from slack_docebo.domain.stamps import TOLERANCE
from slack_docebo.storage.events import (
    AT_ONCE,
    FINISHED,
    OPEN,
    Event,
    EventState,
    InboxEntry,
    address_in,
    columns_of,
    entry_of,
)
from slack_docebo.storage.exclusions import ExclusionRepository
from slack_docebo.storage.people import PersonRepository
from slack_docebo.storage.plans import LET_THROUGH
from slack_docebo.storage.schema import inbox_event, plan
from slack_docebo.storage.shares import ALL, HAS_TO_WAIT, ShareRepository, spent
from slack_docebo.storage.statements import WhereIn, chunks, insertion_text, is_in, replace_mentions
from slack_docebo.storage.wake_ups import WakeUp, WakeUpRepository, has_run

LEASE = timedelta(minutes=15)  # how long a claim counts when nobody can tell whether its run still lives
DROPPED = "somebody has dropped it"

event_columns = inbox_event.c
IS_APPLIED, IS_CLAIMED, IS_PARKED = (
    event_columns.state == state.value for state in (EventState.APPLIED, EventState.CLAIMED, EventState.PARKED)
)
IS_OPEN = event_columns.state.in_([state.value for state in OPEN])
IS_LET_THROUGH = exists().where(plan.c.id == event_columns.incident, plan.c.facts[LET_THROUGH].as_boolean())
IS_HELD = and_(IS_PARKED, event_columns.incident != "", ~IS_LET_THROUGH)  # by a limit
OVERWRITTEN = "an import may have written what was so before"  # the error of an event that is looked at again
TO_BE_TRIED: dict[str, object] = {
    "state": EventState.WAITING.value,
    "claimed_by": "",
    "due_at": AT_ONCE,
    "done_at": None,
}
# Made once: a statement costs more to build than to carry out.
IS_DUE = and_(IS_OPEN, event_columns.due_at <= bindparam("now"), ~HAS_TO_WAIT)
DUE = select(event_columns.event_id).where(IS_DUE).limit(bindparam("most"))
PEOPLE_DUE = select(event_columns.slack_id).where(IS_DUE).distinct().limit(bindparam("most"))
COUNT_DUE, COUNT_PEOPLE_DUE = (select(func.count()).select_from(some.subquery()) for some in (DUE, PEOPLE_DUE))
OLDEST_DUE = DUE.order_by(event_columns.received_at, event_columns.event_id).with_for_update(skip_locked=True)
PUT = insertion_text(event_columns, "DO NOTHING")
_LATELY = and_(IS_APPLIED, event_columns.done_at >= bindparam("since"))
LOOK_AGAIN = WhereIn(
    update(inbox_event).where(or_(_LATELY, IS_CLAIMED)).values(**TO_BE_TRIED, error=OVERWRITTEN), event_columns.slack_id
)
ONCE_MORE = WhereIn(update(inbox_event).where(IS_PARKED).values(**TO_BE_TRIED), event_columns.slack_id)
SET_ASIDE = WhereIn(
    select(inbox_event).where(
        or_(
            event_columns.state.in_([EventState.WAITING.value, EventState.PARKED.value]), event_columns.error == DROPPED
        )
    ),
    event_columns.slack_id,
)
APPLIED_SINCE = WhereIn(
    select(event_columns.slack_id, event_columns.slack_team, event_columns.updated).where(
        IS_APPLIED, event_columns.done_at > bindparam("since")
    ),
    event_columns.slack_id,
)


@dataclass(frozen=True, slots=True)
class InboxStatus:
    """How many events there are, and how old."""

    waiting: int  # claimed ones included: not done yet
    oldest_received_at: datetime | None  # of those
    parked: int
    counts: MappingType[EventState, int] = field(default_factory=dict)


class InboxRepository:
    """The table `inbox_event`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._wake_ups = WakeUpRepository(connection)

    def put(self, events: Sequence[Event]) -> int:
        """Store the events that are new, and ask for a run; return how many were new.

        Events about forgotten people are not stored.
        """
        excluded = ExclusionRepository(self._connection).all()
        kept = [event for event in events if not excluded.cover_any(event.names)]
        if not kept:
            return 0
        new = self._connection.execute(PUT, [columns_of(event) for event in kept]).rowcount
        if new:
            self._wake_ups.want(WakeUp.REALTIME_SYNC, min(event.received_at for event in kept))
        return new

    def status(self) -> InboxStatus:
        """Count the events that are not done, and tell how old the oldest of them is."""
        query = select(event_columns.state, func.count(), func.min(event_columns.received_at)).group_by(
            event_columns.state
        )
        rows = {EventState(state): (count, oldest) for state, count, oldest in self._connection.execute(query)}
        oldest = [rows[state][1] for state in OPEN if state in rows]
        return InboxStatus(
            waiting=sum(rows[state][0] for state in OPEN if state in rows),
            oldest_received_at=min(oldest, default=None),
            parked=rows[EventState.PARKED][0] if EventState.PARKED in rows else 0,
            counts={state: count for state, (count, _) in rows.items()},
        )

    def claim(self, run: str, limit: int, now: datetime, *, left: float = ALL) -> list[InboxEntry]:
        """Claim the oldest events that are due, at most *limit*, for *run*; claims that have lapsed are taken over.

        *left* is the part of the hour's calls that is left. When no event is due, no run is wanted any more.
        """
        self._wake_ups.hold()
        ids = list(self._connection.scalars(OLDEST_DUE, {"most": limit, **_due_parameters(now, left)}))
        if not ids:
            self._wake_ups.want_no_run()
        self._change(ids, state=EventState.CLAIMED.value, claimed_by=run, due_at=now + LEASE)
        return sorted(self.of(ids), key=lambda entry: (entry.event.received_at, entry.event.event_id))

    def release(self, *, run: str | None = None) -> int:
        """Give up the claims of *run* or, if the caller knows that no run is alive, of all; return their number."""
        whose = IS_CLAIMED if run is None else and_(IS_CLAIMED, event_columns.claimed_by == run)
        return self._connection.execute(update(inbox_event).where(whose).values(**TO_BE_TRIED)).rowcount

    def finish(self, event_ids: Iterable[str], outcome: EventState, now: datetime, *, run: str) -> int:
        """Note that the events are applied or superseded; return how many were open until now.

        Like `retry_later` and `park`, it changes only events that *run* still has; "" has those that nobody claims.
        """
        return self._change(event_ids, _is_open(run), state=outcome.value, claimed_by="", error="", done_at=now)

    def retry_later(self, event_ids: Iterable[str], error: str, at: datetime, *, run: str) -> int:
        """Count a failed attempt and let the events wait until *at*."""
        again = {"state": EventState.WAITING.value, "claimed_by": "", "error": error, "due_at": at}
        return self._change(event_ids, _is_open(run), attempts=event_columns.attempts + 1, **again)

    def park(self, event_ids: Iterable[str], error: str, now: datetime, *, run: str) -> int:
        """Count a failed attempt, and park the events until somebody replays them.

        No limit holds them back then; the incident stays on record if somebody has let it through.
        """
        attempts, incident = event_columns.attempts + 1, case((IS_LET_THROUGH, event_columns.incident), else_="")
        return self._park(event_ids, run, error, now, attempts=attempts, incident=incident)

    def hold(self, event_ids: Iterable[str], incident: str, error: str, now: datetime, *, run: str) -> int:
        """Park the events that *run* still has, until somebody lets *incident* through or replays them."""
        return self._park(event_ids, run, error, now, incident=incident)

    def mark(self, event_ids: Iterable[str], incident: str) -> None:
        """Note that these events wait with *incident*, like an older event of the same person that they supersede."""
        self._change(event_ids, IS_OPEN, incident=incident)

    def incidents(self) -> dict[str, int]:
        """Return the incidents with which events are held back, and how many events each holds."""
        query = select(event_columns.incident, func.count()).where(IS_HELD).group_by(event_columns.incident)
        return dict(self._connection.execute(query).tuples().all())

    def parked_errors(self, team: str, slack_ids: Iterable[str]) -> list[tuple[str, str]]:
        """Return Slack id and error of each parked event about these people that no limit holds back."""
        query = select(event_columns.slack_id, event_columns.error).where(
            IS_PARKED, ~IS_HELD, event_columns.slack_team == team
        )
        rows = WhereIn(query, event_columns.slack_id).rows(self._connection, slack_ids)
        return [(row.slack_id, row.error) for row in rows]

    def replay_held(self, incident: str, now: datetime) -> int:
        """Let the events that *incident* holds back be tried again; return how many there were."""
        held = self._connection.execute(_retried(and_(IS_PARKED, event_columns.incident == incident)))
        return self._with_run(held.rowcount, now)

    def seconds_to_apply(self, since: datetime) -> list[float]:
        """Return, for each event applied since *since*, the seconds from its reception to its application."""
        query = select(inbox_event.c.received_at, inbox_event.c.done_at).where(
            IS_APPLIED, inbox_event.c.done_at >= since
        )
        return [(row.done_at - row.received_at).total_seconds() for row in self._connection.execute(query)]

    def oldest(self, limit: int, *states: EventState) -> list[InboxEntry]:
        """Return the oldest events in one of *states*, or in any, the oldest first."""
        query = select(inbox_event).order_by(event_columns.received_at, event_columns.event_id).limit(limit)
        if states:
            query = query.where(event_columns.state.in_([state.value for state in states]))
        return [entry_of(row) for row in self._connection.execute(query)]

    def get(self, event_id: str) -> InboxEntry | None:
        row = self._connection.execute(select(inbox_event).where(event_columns.event_id == event_id)).one_or_none()
        return None if row is None else entry_of(row)

    def of(self, event_ids: Iterable[str]) -> list[InboxEntry]:
        """Return those of the events that still exist."""
        rows = WhereIn(select(inbox_event), event_columns.event_id).rows(self._connection, event_ids)
        return list(map(entry_of, rows))

    def replay(self, event_ids: Iterable[str] | None, now: datetime) -> int:
        """Let these parked events, or with None all, be tried again, and ask for a run; return how many there were."""
        anew = _retried(IS_PARKED)
        if event_ids is None:
            return self._with_run(self._connection.execute(anew).rowcount, now)
        return self._with_run(WhereIn(anew, event_columns.event_id).change(self._connection, event_ids), now)

    def parked_ids(self, event_ids: Iterable[str] | None, incident: str = "") -> set[str]:
        """Return which of these events are parked; with None, all that are, or all held back with *incident*."""
        parked = select(event_columns.event_id).where(IS_PARKED)
        if event_ids is None:
            held = and_(IS_HELD, event_columns.incident == incident) if incident else true()
            return set(self._connection.scalars(parked.where(held)))
        return {row.event_id for row in WhereIn(parked, event_columns.event_id).rows(self._connection, event_ids)}

    def drop(self, event_ids: Iterable[str], now: datetime) -> int:
        """Mark parked events as done with nothing applied; return how many there were.

        They are stored as long as other finished events, so that one that Slack sends again is not taken for a new one.
        """
        return self._change(event_ids, IS_PARKED, state=EventState.SUPERSEDED.value, error=DROPPED, done_at=now)

    def look_again(self, slack_ids: Iterable[str], *, since: datetime, now: datetime) -> int:
        """Let events about *slack_ids* that were applied since *since* be tried again; return how many there are.

        Events that a run has claimed are taken from it: it may have compared them with what was there before.
        """
        return self._with_run(LOOK_AGAIN.change(self._connection, slack_ids, since=since), now)

    def look_at_parked(self, team: str, slack_ids: Iterable[str], *, now: datetime) -> int:
        """Let parked events about these people, under any of their ids, be tried again; return how many there are.

        Something else has brought the people in line since, perhaps with what these events say. The run that tries an
        event parks it again if it has to wait for somebody.
        """
        theirs = PersonRepository(self._connection).by_every_id(team, slack_ids)
        return self._with_run(ONCE_MORE.change(self._connection, theirs), now)

    def doubt_future_tries(self, now: datetime, *, longest: timedelta) -> None:
        """Make events due that would wait longer than *longest*: the clock was ahead when they failed."""
        ahead = event_columns.state == EventState.WAITING.value, event_columns.due_at > now + longest + TOLERANCE
        self._connection.execute(update(inbox_event).where(*ahead).values(due_at=AT_ONCE))

    def purge(self, before: datetime) -> int:
        """Delete the events finished before *before* and return how many; no other event is deleted for its age."""
        done = event_columns.state.in_([state.value for state in FINISHED])
        return self._connection.execute(delete(inbox_event).where(done, event_columns.done_at < before)).rowcount

    def forget(self, slack_id: str) -> None:
        """Delete everything about one person."""
        ShareRepository(self._connection).forget(slack_id)
        replace_mentions(self._connection, event_columns.error, slack_id)
        self._connection.execute(delete(inbox_event).where(event_columns.slack_id == slack_id))

    def keep(self, event_ids: Iterable[str]) -> set[str]:
        """Return which of the events still exist, and keep others from deleting those before this transaction ends."""
        there = select(event_columns.event_id).with_for_update(read=True, key_share=True)
        return {row.event_id for row in WhereIn(there, event_columns.event_id).rows(self._connection, event_ids)}

    def bearers(self, address: str) -> set[str]:
        """Return the Slack ids of people whose profile in a stored event has this e-mail address."""
        bears = func.lower(event_columns.profile["email"].as_string()) == func.lower(address)
        return set(self._connection.scalars(select(event_columns.slack_id).where(bears)))

    def addresses_of(self, slack_id: str) -> set[str]:
        """Return the e-mail addresses in the events about one person."""
        profiles = self._connection.scalars(select(event_columns.profile).where(event_columns.slack_id == slack_id))
        return {address_in(profile) for profile in profiles} - {""}

    def applied_since(self, moment: datetime, team: str, slack_ids: Iterable[str]) -> set[str]:
        """Return for which of *slack_ids* an event about the person, under any id, was applied after *moment*."""
        return {slack_id for slack_id, _ in self._applied_since(moment, team, slack_ids)}

    def stamps_applied_since(self, moment: datetime, team: str, slack_ids: Iterable[str]) -> list[tuple[str, int]]:
        """Return the stamps of the events of this workspace that `applied_since` finds, by the one of *slack_ids*."""
        found = self._applied_since(moment, team, slack_ids)
        return [(slack_id, row.updated) for slack_id, row in found if row.slack_team == team]

    def set_aside(self, team: str, slack_ids: Iterable[str]) -> Iterator[tuple[str, InboxEntry]]:
        """Yield the events about the person, under any id, that were neither applied nor claimed; by *slack_ids*."""
        theirs = PersonRepository(self._connection).by_every_id(team, slack_ids)
        for row in SET_ASIDE.rows(self._connection, theirs):
            for slack_id in theirs[row.slack_id]:
                yield slack_id, entry_of(row)

    def _applied_since(self, moment: datetime, team: str, slack_ids: Iterable[str]) -> Iterator[tuple[str, Row[Any]]]:
        theirs = PersonRepository(self._connection).by_every_id(team, slack_ids)
        for row in APPLIED_SINCE.rows(self._connection, theirs, since=moment):
            for slack_id in theirs[row.slack_id]:
                yield slack_id, row

    def last_applied(
        self, slack_ids: Iterable[str], *, since: datetime | None = None
    ) -> dict[str, MappingType[str, Any]]:
        """Return the profile of the newest applied event for each of *slack_ids* who has one.

        Events applied before *since* are left out: they were applied to another Docebo.
        """
        to_this_one = true() if since is None else event_columns.done_at >= since
        newest = func.row_number().over(
            partition_by=event_columns.slack_id,
            order_by=(event_columns.updated.desc(), event_columns.received_at.desc()),
        )
        profiles: dict[str, MappingType[str, Any]] = {}
        for ids in chunks(set(slack_ids)):
            applied = (
                select(event_columns.slack_id, event_columns.profile, newest.label("rank"))
                .where(
                    is_in(self._connection, event_columns.slack_id, ids),
                    IS_APPLIED,
                    event_columns.profile.is_not(None),
                    to_this_one,
                )
                .subquery()
            )
            for row in self._connection.execute(select(applied).where(applied.c.rank == 1)):
                profiles[row.slack_id] = row.profile
        return profiles

    def due(self, now: datetime, limit: int, *, left: float = ALL) -> int:
        """Count the events that a claim would find now, up to *limit*."""
        return self._connection.scalar(COUNT_DUE, {"most": limit, **_due_parameters(now, left)}) or 0

    def people_due(self, now: datetime, limit: int, *, left: float) -> int:
        """Count the people whose events a claim would find now, up to *limit*."""
        return self._connection.scalar(COUNT_PEOPLE_DUE, {"most": limit, **_due_parameters(now, left)}) or 0

    def claimed(self) -> int:
        """Count the events that a run has claimed, alive or not."""
        return self._connection.scalar(select(func.count()).select_from(inbox_event).where(IS_CLAIMED)) or 0

    def is_due_without_a_run(self, now: datetime) -> bool:
        """Tell whether an event is due while no run is at work or wanted, as when the delay before a retry is over.

        Events of people who have spent some of their share do not count: a run might find that they are not due yet.
        """
        return (
            self._connection.scalar(DUE.where(~has_run(now)), {"most": 1, **_due_parameters(now, left=0)}) is not None
        )

    def _park(self, event_ids: Iterable[str], run: str, error: str, now: datetime, **values: object) -> int:
        """Park the events that are open, and that *run* still has, with *error* and further *values*."""
        parked = {"state": EventState.PARKED.value, "claimed_by": "", "error": error, "done_at": now}
        return self._change(event_ids, _is_open(run), **parked, **values)

    def _change(self, event_ids: Iterable[str], *conditions: ColumnElement[bool], **values: object) -> int:
        change = update(inbox_event).where(*conditions).values(**values)
        return WhereIn(change, event_columns.event_id).change(self._connection, event_ids)

    def _with_run(self, count: int, now: datetime) -> int:
        """Ask for a run if *count* events are to be tried, and return *count*."""
        if count:
            self._wake_ups.want(WakeUp.REALTIME_SYNC, now)
        return count


def _is_open(run: str) -> ColumnElement[bool]:
    return and_(IS_OPEN, event_columns.claimed_by == run)


def _retried(which: ColumnElement[bool]) -> Update:
    """Return the UPDATE that makes these events due as if they had just come."""
    return update(inbox_event).where(which).values(**TO_BE_TRIED, attempts=0)


def _due_parameters(now: datetime, left: float) -> dict[str, object]:
    """Return the parameters of IS_DUE."""
    return {"now": now, **spent(now, left)}
