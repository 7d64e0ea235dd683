"""Decisions about single people, which every run respects."""

from sqlalchemy import Connection, delete, select

from slack_docebo.domain.decisions import Decision, Decisions, Verdict
from slack_docebo.storage.schema import decision
from slack_docebo.storage.statements import insertion, replace_mentions


class DecisionRepository:
    """The table `decision`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, team: str) -> Decisions:
        """Return all decisions about people of the workspace: they are few."""
        rows = self._connection.execute(select(decision).where(decision.c.slack_team == team).order_by("slack_id"))
        return {
            row.slack_id: Decision(
                row.slack_id,
                Verdict(row.verdict),
                row.why,
                row.decided_by,
                row.since,
                tuple(filter(None, row.reason.split("\n"))),
                row.docebo_id,
            )
            for row in rows
        }

    def put(self, team: str, one: Decision) -> None:
        """Keep a decision, in place of an earlier one about the same person."""
        values = {
            "verdict": one.verdict.value,
            "why": one.why,
            "decided_by": one.by,
            "since": one.since,
            "reason": "\n".join(one.reasons),
            "docebo_id": one.docebo_id,
        }
        self._connection.execute(
            insertion(self._connection, decision)
            .values(slack_team=team, slack_id=one.slack_id, **values)
            .on_conflict_do_update(index_elements=["slack_team", "slack_id"], set_=values)
        )

    def take_back(self, team: str, slack_id: str) -> bool:
        """Delete the decision about this person; tell whether there was one."""
        mine = delete(decision).where(decision.c.slack_team == team, decision.c.slack_id == slack_id)
        return self._connection.execute(mine).rowcount > 0

    def forget(self, slack_id: str) -> int:
        """Delete what was decided about this person, in whichever workspace; return the number of rows.

        Out of what was decided about others goes the id.
        """
        for column in (decision.c.reason, decision.c.why):
            replace_mentions(self._connection, column, slack_id)
        return self._connection.execute(delete(decision).where(decision.c.slack_id == slack_id)).rowcount

    def count_of(self, slack_id: str) -> int:
        """Return how many rows are about this person."""
        return len(self._connection.execute(select(decision.c.slack_id).where(decision.c.slack_id == slack_id)).all())
