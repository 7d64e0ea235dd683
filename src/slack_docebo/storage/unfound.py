"""Unfound accounts: creations that were sent, and whose account nobody has seen since."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, delete, or_, select

from slack_docebo.domain.operations import SAID_TO_BE_MADE, Kind, Outcome
from slack_docebo.domain.unfound import Unfound
from slack_docebo.storage.schema import given_up, intent, operation, plan, sent

_sent = select(sent.c.plan_id, sent.c.seq).distinct().subquery()  # both sent again and given up before, perhaps
_later, _its_plan = operation.alias(), plan.alias()
_has_no_id = and_(operation.c.outcome == Outcome.APPLIED.value, operation.c.docebo_id.is_(None))
_is_unknown = operation.c.outcome.in_([Outcome.PLANNED.value, Outcome.SKIPPED.value])
_has_account_since = (
    select(_later.c.seq)
    .join(_its_plan, _its_plan.c.id == _later.c.plan_id)
    .where(
        _its_plan.c.docebo == plan.c.docebo,  # an account on another platform is another one
        _later.c.slack_id == operation.c.slack_id,
        _later.c.kind.in_([kind.value for kind in (Kind.CREATE, Kind.MAP, Kind.UPDATE)]),
        _later.c.outcome == Outcome.APPLIED.value,
        _later.c.docebo_id.is_not(None),
        _later.c.done_at > plan.c.created_at,
    )
    .exists()
)


def _unfound(operations: Select[Any]) -> Select[Any]:
    return (
        operations.join(_sent, and_(_sent.c.plan_id == operation.c.plan_id, _sent.c.seq == operation.c.seq))
        .join(plan, plan.c.id == operation.c.plan_id)
        .where(
            operation.c.kind == Kind.CREATE.value,
            operation.c.slack_id != "",  # of whom somebody was forgotten
            or_(_is_unknown, _has_no_id),
            ~_has_account_since,
        )
    )


# Made once: asked for each batch of new accounts.
ALL = _unfound(select(operation)).where(plan.c.docebo == bindparam("docebo"), plan.c.id != bindparam("but_of"))
PLANS = _unfound(select(operation.c.plan_id))  # kept as long as somebody's account is not found


class UnfoundRepository:
    """The unfound accounts in `intent`, `given_up` and `operation`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, docebo: str, *, but_of: str = "") -> list[Unfound]:
        """Return the unfound accounts of that Docebo, without those of the plan *but_of*; there are few."""
        return [
            Unfound(
                *(row.plan_id, row.seq, row.slack_id),
                username=str(row.changes.get("username", "")),
                email=str(row.changes.get("email", "")),
                is_said=row.outcome == Outcome.APPLIED.value or row.error == SAID_TO_BE_MADE,
            )
            for row in self._connection.execute(ALL, {"docebo": docebo, "but_of": but_of})
        ]

    def settle(self, settled: Iterable[Unfound]) -> None:
        """Stop looking for these accounts, so that they keep nobody from getting one."""
        for one in settled:
            for table in (intent, given_up):
                self._connection.execute(delete(table).where(table.c.plan_id == one.plan_id, table.c.seq == one.seq))
