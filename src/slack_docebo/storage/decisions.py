"""Decisions about single people, which every run respects."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, select, true, union_all

from slack_docebo.domain.decisions import Decision, Decisions, Verdict
from slack_docebo.storage.people import PersonRepository
from slack_docebo.storage.schema import acknowledgement, decision
from slack_docebo.storage.statements import replace_mentions, upsert

_BINDS = decision.c.verdict != Verdict.LEAVE_SO.value  # what releases without `acknowledgement` write does not
# Made once: read for every page of an import and every round of events.
BINDING = select(decision).where(decision.c.slack_team == bindparam("team"), _BINDS).order_by(decision.c.slack_id)
_seen_in_each = (
    select(*(table.c[name] for name in ("slack_id", "why", "decided_by", "since", "reason"))).where(
        table.c.slack_team == bindparam("team"), which
    )
    for table, which in ((acknowledgement, true()), (decision, ~_BINDS))
)
_seen = union_all(*_seen_in_each).subquery()
ACKNOWLEDGED = select(_seen).order_by(_seen.c.slack_id, _seen.c.since)


class DecisionRepository:
    """The tables `decision` and `acknowledgement`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def binding(self, team: str) -> Decisions:
        """Return the decisions *never* and *linked* about the workspace's people; there are few."""
        return {
            row.slack_id: Decision(
                slack_id=row.slack_id,
                verdict=Verdict(row.verdict),
                why=row.why,
                by=row.decided_by,
                since=row.since,
                docebo_id=row.docebo_id,
            )
            for row in self._connection.execute(BINDING, {"team": team})
        }

    def acknowledged(self, team: str) -> Decisions:
        """Return the acknowledgements about the workspace's people, also of people with another decision."""
        return {  # of two about one person the later counts
            row.slack_id: Decision(
                slack_id=row.slack_id,
                verdict=Verdict.LEAVE_SO,
                why=row.why,
                by=row.decided_by,
                since=row.since,
                reasons=tuple(row.reason.split("\n")),
            )
            for row in self._connection.execute(ACKNOWLEDGED, {"team": team})
        }

    def put(self, team: str, one: Decision) -> None:
        """Store a decision in place of an earlier one about the person; an acknowledgement and another can coexist.

        It also replaces a decision under another id of the person, which would count as later if its clock was ahead.
        """
        if one.verdict is not Verdict.LEAVE_SO and (seen := self.acknowledged(team).get(one.slack_id)):
            self.put(team, seen)  # a former release may have kept it where the other decision goes
        values = {"why": one.why, "decided_by": one.by, "since": one.since, "reason": "\n".join(one.reasons)}
        ids = self._ids(team, one.slack_id)
        if one.verdict is Verdict.LEAVE_SO:
            table = acknowledgement
            self._delete_acknowledged(team, ids)
        else:
            table = decision
            self._delete(decision, (decision.c.slack_team == team) & _BINDS, ids)
            values |= {"verdict": one.verdict.value, "docebo_id": one.docebo_id}
        upsert(self._connection, table, {"slack_team": team, "slack_id": one.slack_id}, values)

    def take_back(self, team: str, slack_id: str, *, acknowledged_alone: bool) -> int:
        """Delete the decisions about this person, or only the acknowledgement; return how many there were."""
        ids = self._ids(team, slack_id)
        taken = self._delete_acknowledged(team, ids)
        if not acknowledged_alone:
            taken += self._delete(decision, decision.c.slack_team == team, ids)
        return taken

    def forget(self, slack_id: str) -> None:
        """Delete the decisions about this person, in whichever workspace, and erase the id from those about others."""
        for table in (decision, acknowledgement):
            for column in (table.c.reason, table.c.why):
                replace_mentions(self._connection, column, slack_id)
            self._delete(table, true(), [slack_id])

    def _ids(self, team: str, slack_id: str) -> Collection[str]:
        """Return all ids of the person in the workspace."""
        return PersonRepository(self._connection).by_every_id(team, [slack_id]).keys()

    def _delete_acknowledged(self, team: str, slack_ids: Collection[str]) -> int:
        """Delete acknowledgements, including those that a former release has stored among the other decisions."""
        deleted = self._delete(acknowledgement, acknowledgement.c.slack_team == team, slack_ids)
        return deleted + self._delete(decision, (decision.c.slack_team == team) & ~_BINDS, slack_ids)

    def _delete(self, table: Table, condition: ColumnElement[bool], slack_ids: Collection[str]) -> int:
        return self._connection.execute(delete(table).where(condition, table.c.slack_id.in_(slack_ids))).rowcount
