"""Intents: operations that are about to be sent to Docebo, noted before the call and deleted with their outcome.

An intent that is still there when a plan is taken up again shows that nobody knows what became of the operation. Once
no run looks any more, what may have been carried out is noted for as long as the plan exists.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, Table, and_, bindparam, delete, exists, func, or_, select

from slack_docebo.domain.operations import Kind, Outcome, Value
from slack_docebo.storage.locks import take_turns
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.schema import given_up, intent, operation, plan
from slack_docebo.storage.schema import sent as all_sent
from slack_docebo.storage.statements import WhereIn, carry_out, insertion_text, is_postgresql

PATIENCE = "30s"  # for which the transaction of somebody who stands still is waited for

# Made once: around every call, building a statement would take longer than carrying it out.
NOTE = insertion_text(
    intent.columns, "(plan_id, seq) DO UPDATE SET flow_run = excluded.flow_run, noted_at = excluded.noted_at"
)
NOTE_GIVEN_UP = insertion_text(given_up.columns, "(plan_id, seq) DO UPDATE SET noted_at = excluded.noted_at")
SETTLE = delete(intent).where(intent.c.plan_id == bindparam("of"), intent.c.seq == bindparam("place"))
_LAST_NOTED = (
    select(intent.c.plan_id).group_by(intent.c.plan_id).having(func.max(intent.c.noted_at) < bindparam("before"))
)
_ALONE = plan.c.kind.in_(bindparam("kinds", expanding=True)) & plan.c.id.in_(select(intent.c.plan_id))
LEFT_BEHIND = (
    select(plan.c.id)
    .where(plan.c.docebo == bindparam("docebo"), or_(_ALONE, plan.c.id.in_(_LAST_NOTED)))
    .order_by(plan.c.created_at)
)
_PERSON = operation.c.slack_team, operation.c.slack_id
_PLACE = operation.c.plan_id, operation.c.seq


class IntentRepository:
    """The table `intent`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take_turns(self, docebo: str) -> None:
        """Keep others from noting intents for this Docebo until the transaction ends, so that limits count all.

        SQLite lets one transaction write at a time anyway.
        """
        if is_postgresql(self._connection):
            take_turns(self._connection, f"intents {docebo}", patience=PATIENCE)

    def note(self, plan_id: str, seqs: Iterable[int], *, flow_run: str, now: datetime) -> None:
        """Note that these operations of the plan are about to be sent."""
        rows = ({"plan_id": plan_id, "seq": seq, "flow_run": flow_run, "noted_at": now} for seq in seqs)
        carry_out(self._connection, NOTE, rows)

    def settle(self, plan_id: str, seqs: Iterable[int]) -> None:
        """Note that the outcome of these operations is known."""
        carry_out(self._connection, SETTLE, ({"of": plan_id, "place": seq} for seq in seqs))

    def of(self, plan_id: str) -> set[int]:
        """Return the operations of the plan, as numbers, whose outcome is unknown and has yet to be found out."""
        return set(self._connection.scalars(select(intent.c.seq).where(intent.c.plan_id == plan_id)))

    def sent(self, plan_id: str) -> set[int]:
        """Return the operations of the plan, as numbers, whose outcome may yet be found out: creations also if given up."""
        creations = (
            select(given_up.c.seq)
            .join(operation, and_(operation.c.plan_id == given_up.c.plan_id, operation.c.seq == given_up.c.seq))
            .where(given_up.c.plan_id == plan_id, operation.c.kind == Kind.CREATE.value)
        )
        return self.of(plan_id) | set(self._connection.scalars(creations))

    def has_doubtful(self, plan_id: str) -> bool:
        """Tell whether the plan has operations that may have been carried out, given up or not."""
        return bool(self._connection.scalar(select(exists().where(all_sent.c.plan_id == plan_id))))

    def creations(self, docebo: str, slack_ids: Iterable[str], *, but_of: str) -> set[tuple[str, str]]:
        """Return team and Slack id of people for whom another plan than *but_of* has sent a creation of unknown outcome."""
        sent = _among(intent, docebo, *_PERSON)
        creations = sent.where(operation.c.kind == Kind.CREATE.value, operation.c.plan_id != but_of)
        return _found(WhereIn(creations, operation.c.slack_id).rows(self._connection, slack_ids))

    def updates(self, docebo: str) -> list[tuple[int, Mapping[str, Value]]]:
        """Return account and changes of the updates that were sent, or are about to be, with an unknown outcome."""
        sent = _among(intent, docebo, operation.c.docebo_id, operation.c.changes)
        updates = sent.where(
            operation.c.plan_id.in_(select(intent.c.plan_id)),  # few of all, whose operations are looked at
            operation.c.kind == Kind.UPDATE.value,
            operation.c.docebo_id.is_not(None),
        )
        return [(row.docebo_id, row.changes) for row in self._connection.execute(updates)]

    def shutting(self, docebo: str, *, but_of: str) -> set[int]:
        """Return the accounts that another plan than *but_of* is about to deactivate, or may have deactivated."""
        sent = _among(intent, docebo, operation.c.docebo_id)
        deactivations = sent.where(
            operation.c.plan_id.in_(select(intent.c.plan_id)),  # as in `updates`
            operation.c.plan_id != but_of,
            operation.c.kind == Kind.DEACTIVATE.value,
        )
        return set(self._connection.scalars(deactivations))

    def given_up(self, docebo: str, slack_ids: Iterable[str]) -> set[tuple[str, str]]:
        """Return team and Slack id of people who may have an account that no run looks for any more."""
        unknown = operation.c.outcome.in_([Outcome.PLANNED.value, Outcome.SKIPPED.value])
        sent = _among(given_up, docebo, *_PERSON).where(unknown, operation.c.kind == Kind.CREATE.value)
        return _found(WhereIn(sent, operation.c.slack_id).rows(self._connection, slack_ids))

    def about(self, docebo: str, slack_ids: Iterable[str]) -> dict[str, set[int]]:
        """Return the operations about these people that were sent with an unknown outcome: numbers by plan."""
        sent = _among(intent, docebo, *_PLACE)
        return _by_plan(WhereIn(sent, operation.c.slack_id).rows(self._connection, slack_ids))

    def sent_by(self, docebo: str, of: str) -> dict[str, set[int]]:
        """Return the operations that *of*, a plan or a flow run, has sent with an unknown outcome: numbers by plan."""
        sent = _among(intent, docebo, *_PLACE).where(or_(intent.c.plan_id == of, intent.c.flow_run == of))
        return _by_plan(self._connection.execute(sent))

    def run_of(self, plan_id: str) -> str:
        """Return the last flow run that has sent an operation of the plan with an unknown outcome, or ""."""
        query = select(intent.c.flow_run).where(intent.c.plan_id == plan_id).order_by(intent.c.noted_at.desc()).limit(1)
        return self._connection.scalar(query) or ""

    def noted_before(self, plan_id: str, before: datetime) -> set[int]:
        """Return the operations of the plan, as numbers, whose intents were noted earlier than *before*."""
        noted = select(intent.c.seq).where(intent.c.plan_id == plan_id, intent.c.noted_at < before)
        return set(self._connection.scalars(noted))

    def give_up(self, plan_id: str, seqs: Collection[int]) -> None:
        """Note that these operations of the plan may have been carried out, and that no run looks any more."""
        noted = self._connection.execute(select(intent.c.seq, intent.c.noted_at).where(intent.c.plan_id == plan_id))
        rows = [{"plan_id": plan_id, "seq": row.seq, "noted_at": row.noted_at} for row in noted if row.seq in seqs]
        carry_out(self._connection, NOTE_GIVEN_UP, rows)
        self.settle(plan_id, seqs)

    def left_behind(self, docebo: str, kinds: Iterable[PlanKind], *, before: datetime) -> list[str]:
        """Return the ids of plans with intents, the oldest first: of *kinds*, or with no intent since *before*."""
        which = {"docebo": docebo, "kinds": [kind.value for kind in kinds], "before": before}
        return list(self._connection.scalars(LEFT_BEHIND, which))


def _among(sent: Table, docebo: str, *columns: Column[Any]) -> Select[Any]:
    """Return the query for *columns* of the operations in *sent*, a table of places in plans, for that Docebo."""
    return (
        select(*columns)
        .select_from(operation)
        .join(sent, (sent.c.plan_id == operation.c.plan_id) & (sent.c.seq == operation.c.seq))
        .join(plan, plan.c.id == operation.c.plan_id)
        .where(plan.c.docebo == docebo)
    )


def _found(rows: Iterable[Row[Any]]) -> set[tuple[str, str]]:
    return {(row.slack_team, row.slack_id) for row in rows}


def _by_plan(rows: Iterable[Row[Any]]) -> dict[str, set[int]]:
    places: dict[str, set[int]] = {}
    for row in rows:
        places.setdefault(row.plan_id, set()).add(row.seq)
    return places
