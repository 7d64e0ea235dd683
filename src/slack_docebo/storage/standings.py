"""Standings: why people are left alone, from when to when."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, delete, func, or_, select, update

from slack_docebo.domain.operations import IN_LINE, IN_LINE_AS_WRITTEN, Kind, Outcome
from slack_docebo.domain.standing import Standing
from slack_docebo.storage.schema import operation
from slack_docebo.storage.schema import standing as standings
from slack_docebo.storage.statements import WhereIn, carry_out, in_portions, insertion_text, replace_mentions

INSERT = insertion_text(
    standings.columns,
    # Ended and begun anew at the very same moment: it is one period.
    """(slack_id, slack_team, docebo, since) DO UPDATE SET
        until = NULL, reason = excluded.reason, docebo_id = excluded.docebo_id, plan_id = excluded.plan_id""",
)
_HERE = and_(
    standings.c.docebo == bindparam("at"), standings.c.slack_team == bindparam("team"), standings.c.until.is_(None)
)
OF = WhereIn(
    select(standings.c.slack_id, standings.c.since, standings.c.reason, standings.c.docebo_id).where(_HERE),
    standings.c.slack_id,
)
END = WhereIn(update(standings).where(_HERE).values(until=bindparam("end")), standings.c.slack_id)


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which somebody was left alone for one reason; *until* is None while it lasts."""

    slack_id: str
    standing: Standing
    since: datetime
    until: datetime | None
    plan_id: str  # that told it first; it may be purged by now


class StandingRepository:
    """The table `standing`, by Docebo and workspace; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(
        self, docebo: str, team: str, slack_ids: Iterable[str], *, begun_by: datetime | None = None
    ) -> dict[str, Standing]:
        """Return the standings of those of *slack_ids* who have one; with *begun_by*, only those begun by then."""
        return {
            row.slack_id: Standing(row.reason, row.docebo_id)
            for row in OF.rows(self._connection, slack_ids, at=docebo, team=team)
            if begun_by is None or row.since <= begun_by
        }

    def changed_after(self, moment: datetime, docebo: str, team: str, slack_ids: Iterable[str]) -> set[str]:
        """Return those of *slack_ids* whose standing began or ended after *moment*."""
        later = or_(standings.c.since > moment, standings.c.until > moment)
        query = select(standings.c.slack_id).where(_towards(docebo, team), later)
        return {row.slack_id for row in WhereIn(query, standings.c.slack_id).rows(self._connection, slack_ids)}

    def replace(
        self, docebo: str, team: str, found: MappingType[str, Standing | None], *, plan_id: str, now: datetime
    ) -> None:
        """End the present standing of everybody in *found*, by Slack id, and begin the given one, if any."""
        END.change(self._connection, found, at=docebo, team=team, end=now)
        rows = (
            {
                "slack_id": slack_id,
                "slack_team": team,
                "docebo": docebo,
                "since": now,
                "until": None,
                "reason": standing.reason,
                "docebo_id": standing.docebo_id,
                "plan_id": plan_id,
            }
            for slack_id, standing in found.items()
            if standing
        )
        carry_out(self._connection, INSERT, rows)

    def end_of_unmapped(self, docebo: str, team: str, plan_id: str, seqs: range, *, now: datetime) -> None:
        """End the standing *in line* of people whose mapping the plan's operations numbered *seqs* have deleted."""
        unmapped = select(operation.c.slack_id).where(
            operation.c.plan_id == plan_id,
            operation.c.seq.between(seqs.start, seqs.stop - 1),
            operation.c.kind == Kind.UNMAP.value,
            operation.c.outcome == Outcome.APPLIED.value,
        )
        in_line = standings.c.reason.in_([IN_LINE, IN_LINE_AS_WRITTEN])
        theirs = _lasting(docebo, team), in_line, standings.c.slack_id.in_(unmapped)
        self._connection.execute(update(standings).where(*theirs).values(until=now))

    def known(self, docebo: str, team: str) -> Iterator[str]:
        """Yield the Slack ids of all who have a standing, without holding them all in memory."""
        query = select(standings.c.slack_id).where(_lasting(docebo, team))
        with in_portions(self._connection, query) as rows:
            for row in rows:
                yield row.slack_id

    def left_alone_for(self, docebo: str, team: str, reasons: Iterable[str]) -> dict[str, str]:
        """Return the people who are left alone for one of *reasons*: the reason by Slack id."""
        query = select(standings.c.slack_id, standings.c.reason).where(_lasting(docebo, team))
        rows = WhereIn(query, standings.c.reason).rows(self._connection, reasons)
        return {row.slack_id: row.reason for row in rows}

    def waiting_for(
        self, docebo: str, team: str, docebo_ids: Iterable[int], reason: str, *, since: datetime
    ) -> dict[int, str]:
        """Return who is left alone *since* then for a reason that begins with *reason*, as Slack ids by account."""
        begun = standings.c.since >= since, standings.c.reason.startswith(reason, autoescape=True)
        query = select(standings.c.slack_id, standings.c.docebo_id).where(_lasting(docebo, team), *begun)
        rows = WhereIn(query, standings.c.docebo_id).rows(self._connection, docebo_ids)
        return {row.docebo_id: row.slack_id for row in rows}

    def at(self, moment: datetime, docebo: str, team: str) -> Generator[Period, None, None]:
        """Yield everybody's standing as it was at *moment*, in the order of Slack ids."""
        ends_later = or_(standings.c.until.is_(None), standings.c.until > moment)
        query = select(standings).where(_towards(docebo, team), standings.c.since <= moment, ends_later)
        return self._periods(query.order_by(standings.c.slack_id))

    def reasons(self, docebo: str, team: str) -> Counter[str]:
        """Count the people who have a standing, by its reason."""
        query = select(standings.c.reason, func.count()).where(_lasting(docebo, team)).group_by(standings.c.reason)
        return Counter(dict(self._connection.execute(query).tuples().all()))

    def history(self, docebo: str, team: str, slack_id: str) -> list[Period]:
        """Return the standings of one person, the newest first."""
        query = select(standings).where(_towards(docebo, team), standings.c.slack_id == slack_id)
        return list(self._periods(query.order_by(standings.c.since.desc())))

    def forget(self, slack_id: str) -> None:
        """Delete every standing of one person, in whatever workspace."""
        replace_mentions(self._connection, standings.c.reason, slack_id)
        self._connection.execute(delete(standings).where(standings.c.slack_id == slack_id))

    def purge(self, before: datetime) -> int:
        """Delete the standings that ended earlier than *before*, and return how many there were."""
        return self._connection.execute(delete(standings).where(standings.c.until < before)).rowcount

    def _periods(self, query: Select[Any]) -> Generator[Period, None, None]:
        with in_portions(self._connection, query) as rows:
            yield from map(_period, rows)


def _towards(docebo: str, team: str) -> ColumnElement[bool]:
    return and_(standings.c.docebo == docebo, standings.c.slack_team == team)


def _lasting(docebo: str, team: str) -> ColumnElement[bool]:
    return and_(_towards(docebo, team), standings.c.until.is_(None))


def _period(row: Row[Any]) -> Period:
    return Period(
        slack_id=row.slack_id,
        standing=Standing(row.reason, row.docebo_id),
        since=row.since,
        until=row.until,
        plan_id=row.plan_id,
    )
