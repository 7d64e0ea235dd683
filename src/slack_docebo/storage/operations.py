"""The operations of plans: one row for each person and thing to do, and what became of it."""

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from slack_docebo.domain.operations import Kind, Operation, Outcome, Value
from slack_docebo.domain.people import LastSeen, Mapping
from slack_docebo.storage.schema import mapping as mappings
from slack_docebo.storage.schema import operation as operations
from slack_docebo.storage.schema import plan as plans
from slack_docebo.storage.schema import platform
from slack_docebo.storage.statements import WhereIn, carry_out, in_portions, insert_rows, is_in

# Made once: a statement costs more to build than to carry out.
RECORD = (
    update(operations)
    .where(operations.c.plan_id == bindparam("plan"), operations.c.seq == bindparam("of"))
    .values(
        outcome=bindparam("became"),
        docebo_id=func.coalesce(bindparam("account", type_=operations.c.docebo_id.type), operations.c.docebo_id),
        error=bindparam("why"),
        said=bindparam("said"),
        done_at=bindparam("at"),
        flow_run=bindparam("by"),
    )
)
KEEP_WRITTEN = (
    update(operations)
    .where(
        operations.c.plan_id == bindparam("plan"),
        operations.c.seq == bindparam("of"),
        operations.c.slack_id != literal_column("''"),  # else forgotten since, in PostgreSQL perhaps at this moment
    )
    .values(changes=bindparam("written", type_=operations.c.changes.type))
)
_PLANNED = operations.c.plan_id == bindparam("plan"), operations.c.outcome == Outcome.PLANNED.value
PENDING = (
    select(operations)
    .where(*_PLANNED, operations.c.kind == bindparam("kind"), operations.c.seq > bindparam("after"))
    .order_by(operations.c.seq)
    .limit(bindparam("most"))
)
STILL_PLANNED = select(operations.c.seq).where(
    *_PLANNED, operations.c.seq.between(bindparam("first"), bindparam("last"))
)
_TALLIED = operations.c.kind, operations.c.reason, operations.c.outcome
TALLY = select(*_TALLIED, func.count()).where(operations.c.plan_id == bindparam("plan")).group_by(*_TALLIED)

# What is told of an operation, by the names that people are shown.
REPORT_COLUMNS = {
    "slack_id": operations.c.slack_id,
    "slack_name": operations.c.slack_name,
    "docebo_id": operations.c.docebo_id,
    "operation": operations.c.kind,
    "outcome": operations.c.outcome,
    "reason": operations.c.reason,
    "changes": operations.c.changes,
    "before": operations.c.before,
    "error": operations.c.error,
    "said": operations.c.said,
}


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of the operation *seq* of a plan."""

    seq: int
    outcome: Outcome
    docebo_id: int | None = None  # of an account just created; None keeps the one on record
    error: str = ""
    in_doubt: bool = False  # it was sent, and may turn out to be carried out: the intent stays
    said: str = ""  # Docebo's own message, which may name anybody; only the owner's report tells it
    without: Collection[str] = ()  # attributes that it was to change, and that its row went without


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the journal: an operation and what became of it."""

    plan_id: str
    seq: int
    operation: Operation
    outcome: Outcome
    error: str = ""
    done_at: datetime | None = None
    flow_run: str = ""


class OperationRepository:
    """The table `operation`, by plan; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, plan_id: str, first_seq: int, operations_: Sequence[Operation]) -> None:
        """Append operations, numbered from *first_seq*; where there is nothing to do, that is the outcome at once."""
        rows = (_columns(plan_id, seq, operation) for seq, operation in enumerate(operations_, first_seq))
        insert_rows(self._connection, operations, rows)

    def withdraw(self, plan_id: str, slack_ids: Iterable[str]) -> set[str]:
        """Delete the operations for *slack_ids* from the plan; return for whom there were any."""
        withdrawn = delete(operations).where(operations.c.plan_id == plan_id).returning(operations.c.slack_id)
        return {row.slack_id for row in WhereIn(withdrawn, operations.c.slack_id).rows(self._connection, slack_ids)}

    def people_planned(self, plan_id: str, kinds: Iterable[Kind]) -> list[str]:
        """Return the Slack ids of those for whom an operation of one of *kinds* is still planned, in the plan's order."""
        query = (
            select(operations.c.slack_id)
            .where(
                operations.c.plan_id == plan_id,
                operations.c.outcome == Outcome.PLANNED.value,
                operations.c.kind.in_([kind.value for kind in kinds]),
                operations.c.slack_id != "",
            )
            .group_by(operations.c.slack_id)
            .order_by(func.min(operations.c.seq))
        )
        return list(self._connection.scalars(query))

    def move(self, plan_id: str, to: str, slack_ids: Iterable[str]) -> None:
        """Give what is still planned for *slack_ids* to another plan, under the same numbers."""
        planned = operations.c.plan_id == plan_id, operations.c.outcome == Outcome.PLANNED.value
        moved = update(operations).where(*planned).values(plan_id=to)
        WhereIn(moved, operations.c.slack_id).change(self._connection, slack_ids)

    def add_unmappings(
        self, plan_id: str, first_seq: int, *, team: str, slack_ids: Collection[str], reason: str
    ) -> None:
        """Append, numbered from *first_seq*, the unmapping of *slack_ids*, or of everybody of the workspace.

        The database does it by itself: read and written one by one, a hundred thousand rows take many seconds.
        """
        columns: dict[str, ColumnElement[Any]] = {
            "plan_id": literal(plan_id),
            "seq": func.row_number().over(order_by=mappings.c.slack_id) + (first_seq - 1),
            "slack_id": mappings.c.slack_id,
            "slack_team": mappings.c.slack_team,
            "slack_name": mappings.c.slack_name,
            "kind": literal(Kind.UNMAP.value),
            "reason": literal(reason),
            "docebo_id": mappings.c.user_id,
            "changes": literal({}, operations.c.changes.type),
            "before": literal({}, operations.c.before.type),
            "maps": literal(False),
            "fingerprint": literal(""),
            "echo": literal(""),
            "outcome": literal(Outcome.PLANNED.value),
            "error": literal(""),
            "flow_run": literal(""),
        }
        docebo = select(platform.c.id).join(plans, plans.c.docebo == platform.c.address).where(plans.c.id == plan_id)
        rows = select(*columns.values()).where(
            mappings.c.slack_team == team, mappings.c.platform_id == docebo.scalar_subquery()
        )
        if slack_ids:
            rows = rows.where(is_in(self._connection, mappings.c.slack_id, sorted(slack_ids)))
        self._connection.execute(insert(operations).from_select(list(columns), rows))

    def pending(self, plan_id: str, kind: Kind, limit: int, *, after: int = -1) -> list[tuple[int, Operation]]:
        """Return the first operations of a kind, numbered above *after*, that still have to be carried out."""
        which = {"plan": plan_id, "kind": kind.value, "after": after, "most": limit}
        return [(row.seq, operation_of(row)) for row in self._connection.execute(PENDING, which)]

    def still_planned(self, plan_id: str, seqs: Collection[int]) -> set[int]:
        """Return which of the operations numbered *seqs* are still there to be carried out."""
        which = {"plan": plan_id, "first": min(seqs), "last": max(seqs)}
        return set(self._connection.scalars(STILL_PLANNED, which)).intersection(seqs)

    def not_done(self, plan_id: str, slack_ids: Iterable[str]) -> set[str]:
        """Return for which of *slack_ids* an operation of the plan was skipped or has failed."""
        undone = operations.c.outcome.in_([Outcome.SKIPPED.value, Outcome.FAILED.value])
        query = select(operations.c.slack_id).where(operations.c.plan_id == plan_id, undone)
        return {row.slack_id for row in WhereIn(query, operations.c.slack_id).rows(self._connection, slack_ids)}

    def made_by_others(self, plan_id: str, slack_ids: Iterable[str], *, since: datetime) -> dict[str, int]:
        """Return the account that another plan has made since then for which of *slack_ids*."""
        made = _applied_by_others(plan_id, since).where(operations.c.kind == Kind.CREATE.value)
        rows = WhereIn(made, operations.c.slack_id).rows(self._connection, slack_ids)
        return {row.slack_id: row.docebo_id for row in rows}

    def written_by_others(
        self, plan_id: str, slack_ids: Iterable[str], *, since: datetime
    ) -> dict[int, list[MappingType[str, Value]]]:
        """Return what other plans have changed since then of the accounts of *slack_ids*, by account."""
        written = _applied_by_others(plan_id, since).where(operations.c.kind != Kind.CREATE.value)
        found: dict[int, list[MappingType[str, Value]]] = {}
        for row in WhereIn(written, operations.c.slack_id).rows(self._connection, slack_ids):
            found.setdefault(row.docebo_id, []).append(row.changes)
        return found

    def of_people(self, plan_id: str, slack_ids: Iterable[str]) -> list[JournalEntry]:
        """Return everything about the plan's operations for *slack_ids*, in their order."""
        query = select(operations).where(operations.c.plan_id == plan_id)
        rows = WhereIn(query, operations.c.slack_id).rows(self._connection, slack_ids)
        return sorted(map(entry_of, rows), key=lambda entry: entry.seq)

    def without_outcome(self, plan_id: str, seqs: Collection[int]) -> list[tuple[int, Operation]]:
        """Return those operations numbered *seqs*, which were sent, that are not known to be carried out, in their order.

        That an account was made is not known as long as nobody knows which one; one that was refused was not made. What an
        account has not shown has failed so far, and may have been carried out all the same.
        """
        is_open = operations.c.outcome.in_([Outcome.PLANNED.value, Outcome.SKIPPED.value])
        is_not_shown = (operations.c.outcome == Outcome.FAILED.value) & (operations.c.kind != Kind.CREATE.value)
        has_no_id = (operations.c.outcome == Outcome.APPLIED.value) & operations.c.docebo_id.is_(None)
        query = (
            select(operations)
            .where(
                operations.c.plan_id == plan_id,
                or_(is_open, is_not_shown, has_no_id),
                operations.c.seq.between(min(seqs), max(seqs)),
            )
            .order_by(operations.c.seq)
        )
        return [(row.seq, operation_of(row)) for row in self._connection.execute(query) if row.seq in seqs]

    def record_range(self, plan_id: str, kind: Kind, seqs: range, *, now: datetime, flow_run: str) -> None:
        """Write down that the still planned operations of a kind, numbered *seqs*, were carried out."""
        self._connection.execute(
            update(operations)
            .where(
                operations.c.plan_id == plan_id,
                operations.c.seq.between(seqs.start, seqs.stop - 1),
                operations.c.kind == kind.value,
                operations.c.outcome == Outcome.PLANNED.value,
            )
            .values(outcome=Outcome.APPLIED.value, done_at=now, flow_run=flow_run)
        )

    def record(self, plan_id: str, results: Sequence[RowOutcome], *, now: datetime, flow_run: str) -> None:
        """Write down what became of operations; recording the same again is harmless."""
        rows = (
            {
                "plan": plan_id,
                "of": result.seq,
                "became": result.outcome.value,
                "account": result.docebo_id,
                "why": result.error,
                "said": result.said,
                "at": now,
                "by": flow_run,
            }
            for result in results
        )
        carry_out(self._connection, RECORD, rows)

    def keep_written(self, plan_id: str, written: MappingType[int, MappingType[str, Value]]) -> None:
        """Write down what operations have changed that went without a part of what was planned, by their numbers."""
        rows = ({"plan": plan_id, "of": seq, "written": dict(changes)} for seq, changes in written.items())
        carry_out(self._connection, KEEP_WRITTEN, rows)

    def still_to_create(self, plan_id: str) -> int:
        """Count the accounts that the plan is still to create."""
        return sum(
            count
            for kind, _, outcome, count in self.tally(plan_id)
            if (kind, outcome) == (Kind.CREATE, Outcome.PLANNED)
        )

    def attributes_to_change(self, plan_id: str) -> set[str]:
        """Return the names of the attributes that what is still to be carried out changes."""
        query = select(operations.c.changes).where(
            operations.c.plan_id == plan_id, operations.c.outcome == Outcome.PLANNED.value
        )
        with in_portions(self._connection, query) as rows:
            return {name for row in rows for name in row.changes}

    def tally(self, plan_id: str) -> list[tuple[Kind, str, Outcome, int]]:
        """Count the rows of a plan by kind, reason and outcome; whom it leaves alone as before is not among them."""
        return sorted(
            (Kind(kind), reason, Outcome(outcome), count)
            for kind, reason, outcome, count in self._connection.execute(TALLY, {"plan": plan_id})
        )

    def rows(self, plan_id: str) -> Generator[JournalEntry, None, None]:
        """Yield everything about a plan's operations in their order, without holding it all in memory.

        Who does not read to the end closes it within the transaction.
        """
        query = select(operations).where(operations.c.plan_id == plan_id).order_by(operations.c.seq)
        with in_portions(self._connection, query) as rows:
            yield from map(entry_of, rows)

    def told(self, plan_id: str, *kinds: Kind) -> Generator[Row[Any], None, None]:
        """Yield, like `rows` and in half the time, the values that REPORT_COLUMNS names; of these *kinds*, or of all."""
        query = select(*REPORT_COLUMNS.values()).where(operations.c.plan_id == plan_id).order_by(operations.c.seq)
        if kinds:
            query = query.where(operations.c.kind.in_([kind.value for kind in kinds]))
        with in_portions(self._connection, query) as rows:
            yield from rows

    def left_alone(self, plan_id: str) -> Iterator[Operation]:
        """Yield the operations of a plan that leave somebody alone who was not forgotten since."""
        left = operations.c.outcome == Outcome.LEFT.value, operations.c.slack_id != ""
        query = select(operations).where(operations.c.plan_id == plan_id, *left)
        with in_portions(self._connection, query) as rows:
            yield from map(operation_of, rows)


def _columns(plan_id: str, seq: int, operation: Operation) -> dict[str, object]:
    return {
        "plan_id": plan_id,
        "seq": seq,
        "slack_id": operation.slack_id,
        "slack_team": operation.slack_team,
        "slack_name": operation.slack_name,
        "kind": operation.kind.value,
        "reason": operation.reason,
        "docebo_id": operation.docebo_id,
        "changes": dict(operation.changes),
        "before": dict(operation.before),
        "maps": operation.maps,
        "fingerprint": operation.fingerprint,
        "echo": operation.echo,
        "deactivated": operation.deactivated,
        "prior": _remembered(operation.prior, operation.slack_id),
        "outcome": (Outcome.LEFT if operation.kind is Kind.LEAVE else Outcome.PLANNED).value,
        "error": "",
        "said": "",
        "done_at": None,
        "flow_run": "",
        "username_digest": operation.seen.username,
        "address_digest": operation.seen.address,
    }


def operation_of(row: Row[Any]) -> Operation:
    """Return the operation that *row* of its table holds."""
    return Operation(
        slack_id=row.slack_id,
        slack_team=row.slack_team,
        slack_name=row.slack_name,
        kind=Kind(row.kind),
        reason=row.reason,
        docebo_id=row.docebo_id,
        changes=row.changes,
        before=row.before,
        maps=row.maps,
        fingerprint=row.fingerprint,
        echo=row.echo,
        deactivated=row.deactivated,
        prior=None
        if row.prior is None
        else Mapping(**{"slack_id": row.slack_id, **row.prior}, slack_team=row.slack_team),
        seen=LastSeen(row.username_digest, row.address_digest),
    )


def _remembered(mapping: Mapping | None, slack_id: str) -> dict[str, object] | None:
    """Return *mapping* without the ids of its owner, where that is the operation's *slack_id*."""
    if mapping is None:
        return None
    owner = {} if mapping.slack_id == slack_id else {"slack_id": mapping.slack_id}
    return owner | {
        "slack_name": mapping.slack_name,
        "docebo_id": mapping.docebo_id,
        "fingerprint": mapping.fingerprint,
        "echo": mapping.echo,
        "deactivated": mapping.deactivated,
    }


def _applied_by_others(plan_id: str, since: datetime) -> Select[Any]:
    """Select what other plans than *plan_id* have done since then to accounts of the same Docebo."""
    ours = plans.alias("ours")
    docebo = select(ours.c.docebo).where(ours.c.id == plan_id).scalar_subquery()
    return (
        select(operations.c.slack_id, operations.c.docebo_id, operations.c.changes)
        .join(plans, plans.c.id == operations.c.plan_id)
        .where(
            plans.c.docebo == docebo,
            operations.c.plan_id != plan_id,
            operations.c.outcome == Outcome.APPLIED.value,
            operations.c.docebo_id.is_not(None),
            operations.c.done_at >= since,
        )
    )


def entry_of(row: Row[Any]) -> JournalEntry:
    """Return what *row* of the table says of an operation and what became of it."""
    return JournalEntry(
        plan_id=row.plan_id,
        seq=row.seq,
        operation=operation_of(row),
        outcome=Outcome(row.outcome),
        error=row.error,
        done_at=row.done_at,
        flow_run=row.flow_run,
    )
