"""Plans and their operations, which are also the journal of every run."""

import json
import secrets
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from string import digits
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from slack_docebo.domain.guards import Change
from slack_docebo.domain.names import folded
from slack_docebo.domain.people import Mapping
from slack_docebo.domain.planning import Kind, Operation, Outcome
from slack_docebo.errors import PlanNotApplicable, StorageError
from slack_docebo.storage.schema import mapping as mappings
from slack_docebo.storage.schema import operation as operations
from slack_docebo.storage.schema import plan as plans
from slack_docebo.storage.schema import platform
from slack_docebo.storage.statements import ROWS_AT_ONCE, among, carry_out, chunks, insert_rows, replace_mentions

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: nothing to misread when typing an id
ID_LENGTH = 8

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

# Whether an operation gives a mapping another account.
MOVES = and_(
    operations.c.maps,
    operations.c.prior.is_not(None),
    operations.c.prior["docebo_id"].as_integer() != func.coalesce(operations.c.docebo_id, -1),
)

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

Facts = MappingType[str, object]
NO_FACTS: Facts = {}
READ_SINCE = "read_since"  # the fact of a plan of what was read by a run that began then; of events has none
LET_THROUGH = "let_through"  # the fact of a plan over a limit that somebody let through by its id, having looked at it


class PlanKind(StrEnum):
    """What a plan was made for."""

    BULK_IMPORT = "bulk-import"
    REALTIME_SYNC = "realtime-sync"
    RESET_MAPPINGS = "reset-mappings"
    UNDO = "undo"


class PlanState(StrEnum):
    """How far a plan has come."""

    PLANNING = "planning"  # not whole yet: a run that died while planning leaves it so, and it is never applied
    PLANNED = "planned"
    APPLYING = "applying"
    APPLIED = "applied"
    PARTLY_APPLIED = "partly-applied"
    REFUSED = "refused"  # larger than the limits allow
    ABANDONED = "abandoned"


OPEN = frozenset({PlanState.PLANNED, PlanState.REFUSED, PlanState.APPLYING, PlanState.PARTLY_APPLIED})


@dataclass(frozen=True, slots=True)
class Plan:
    """The header of a plan: what it was made for, when, with which settings, and how it ended."""

    id: str
    kind: PlanKind
    created_at: datetime
    docebo: str  # base URL
    slack_team: str
    slack_team_name: str = ""
    flow_run: str = ""
    state: PlanState = PlanState.PLANNED
    settings: Facts = field(default_factory=dict)  # those that shape behaviour; never a secret
    facts: Facts = field(default_factory=dict)  # counts, calls, duration
    finished_at: datetime | None = None

    @property
    def read_since(self) -> datetime | None:
        """When the run began that read what the plan is made of; None where that came by itself, in events."""
        begun = self.facts.get(READ_SINCE)
        return datetime.fromisoformat(begun) if isinstance(begun, str) else None

    @property
    def over_limit(self) -> list[str]:
        """The limits that the plan exceeds, one sentence each, as was told last."""
        over = self.facts.get("over_limit")
        return list(over) if isinstance(over, list) else []

    @property
    def is_let_through(self) -> bool:
        """Whether somebody has let the plan through over a limit, by its id."""
        return self.facts.get(LET_THROUGH) is True

    @property
    def looked_after(self) -> int:
        """How many people are looked after, of whom percentages are."""
        people = self.facts.get("looked_after")
        return people if isinstance(people, int) else 0

    @property
    def left_as_before(self) -> dict[str, int]:
        """How many people the plan leaves alone for the reason that stood before, by reason; they have no row in it."""
        counts = self.facts.get("left_as_before")
        return dict(counts) if isinstance(counts, dict) else {}


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of the operation *seq* of a plan."""

    seq: int
    outcome: Outcome
    docebo_id: int | None = None  # of an account just created; None keeps the one on record
    error: str = ""
    in_doubt: bool = False  # it was sent, and may turn out to be carried out: the intent stays
    said: str = ""  # Docebo's own message, which may name anybody; only the owner's report tells it


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


def new_plan_id() -> str:
    """Return an id that is short enough to be typed; its first character is a digit, which no word begins with."""
    return secrets.choice(digits) + "".join(secrets.choice(CROCKFORD) for _ in range(ID_LENGTH - 1))


class PlanRepository:
    """The tables `plan` and `operation`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, plan: Plan) -> None:
        self._connection.execute(
            insert(plans).values(
                id=plan.id,
                kind=plan.kind.value,
                created_at=plan.created_at,
                finished_at=plan.finished_at,
                flow_run=plan.flow_run,
                docebo=plan.docebo,
                slack_team=plan.slack_team,
                slack_team_name=plan.slack_team_name,
                state=plan.state.value,
                settings=dict(plan.settings),
                facts=dict(plan.facts),
            )
        )

    def add(self, plan_id: str, first_seq: int, operations_: Sequence[Operation]) -> None:
        """Append operations, numbered from *first_seq*; where there is nothing to do, that is the outcome at once."""
        rows = (_columns(plan_id, seq, operation) for seq, operation in enumerate(operations_, first_seq))
        insert_rows(self._connection, operations, rows)

    def withdraw(self, plan_id: str, slack_ids: Iterable[str]) -> set[str]:
        """Delete the operations for *slack_ids* from a plan that is being made; return for whom there were any."""
        return {
            row.slack_id
            for ids in chunks(set(slack_ids))
            for row in self._connection.execute(
                delete(operations)
                .where(operations.c.plan_id == plan_id, among(self._connection, operations.c.slack_id, ids))
                .returning(operations.c.slack_id)
            )
        }

    def add_unmappings(self, plan_id: str, first_seq: int, team: str, slack_ids: Collection[str], reason: str) -> None:
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
            rows = rows.where(among(self._connection, mappings.c.slack_id, sorted(slack_ids)))
        self._connection.execute(insert(operations).from_select(list(columns), rows))

    def get(self, plan_id: str) -> Plan | None:
        row = self._connection.execute(select(plans).where(plans.c.id == plan_id)).one_or_none()
        return None if row is None else _plan(row)

    def read(self, plan_id: str) -> Plan:
        """Return the plan; raise PlanNotApplicable if there is none of that id."""
        if plan := self.get(plan_id):
            return plan
        raise PlanNotApplicable(f"there is no plan {plan_id}: look for its id in the summary of the run that made it")

    def recent(self, limit: int, kind: PlanKind | None = None) -> list[Plan]:
        """Return the newest plans, the newest first."""
        query = select(plans).order_by(plans.c.created_at.desc(), plans.c.id).limit(limit)
        if kind is not None:
            query = query.where(plans.c.kind == kind.value)
        return [_plan(row) for row in self._connection.execute(query)]

    def last_whole(self, docebo: str, team: str) -> Plan | None:
        """Return the newest plan that was made of a whole, proven list of the workspace's people, if there is one."""
        query = (
            select(plans)
            .where(
                plans.c.docebo == docebo,
                plans.c.slack_team == team,
                plans.c.kind == PlanKind.BULK_IMPORT.value,
                plans.c.state != PlanState.PLANNING.value,
            )
            .order_by(plans.c.created_at.desc(), plans.c.id)
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _plan(row)

    def set_state(
        self, plan_id: str, state: PlanState, *, facts: Facts | None = None, finished_at: datetime | None = None
    ) -> None:
        """Change the state and, where given, replace the facts and the end."""
        statement = update(plans).where(plans.c.id == plan_id).values(state=state.value)
        if facts is not None:
            statement = statement.values(facts=dict(facts))
        if finished_at is not None:
            statement = statement.values(finished_at=finished_at)
        if self._connection.execute(statement).rowcount == 0:
            raise StorageError(f"Plan {plan_id} is no longer in the database: make a new plan")

    def pending(self, plan_id: str, kind: Kind, limit: int, *, after: int = -1) -> list[tuple[int, Operation]]:
        """Return the first operations of a kind, numbered above *after*, that still have to be carried out."""
        query = (
            select(operations)
            .where(
                operations.c.plan_id == plan_id,
                operations.c.outcome == Outcome.PLANNED.value,
                operations.c.kind == kind.value,
                operations.c.seq > after,
            )
            .order_by(operations.c.seq)
            .limit(limit)
        )
        return [(row.seq, _operation(row)) for row in self._connection.execute(query)]

    def still_planned(self, plan_id: str, seqs: Collection[int]) -> set[int]:
        """Return which of the operations numbered *seqs* are still there to be carried out."""
        query = select(operations.c.seq).where(
            operations.c.plan_id == plan_id,
            operations.c.outcome == Outcome.PLANNED.value,
            operations.c.seq.between(min(seqs), max(seqs)),
        )
        return set(self._connection.scalars(query)).intersection(seqs)

    def not_done(self, plan_id: str, slack_ids: Iterable[str]) -> set[str]:
        """Return for which of *slack_ids* an operation of the plan was skipped or has failed."""
        undone = operations.c.outcome.in_([Outcome.SKIPPED.value, Outcome.FAILED.value])
        return {
            slack_id
            for ids in chunks(set(slack_ids))
            for slack_id in self._connection.scalars(
                select(operations.c.slack_id).where(
                    operations.c.plan_id == plan_id, undone, among(self._connection, operations.c.slack_id, ids)
                )
            )
        }

    def undos(self) -> list[Plan]:
        """Return the plans that undo something, the oldest first."""
        query = select(plans).where(plans.c.kind == PlanKind.UNDO.value).order_by(plans.c.created_at, plans.c.id)
        return [_plan(row) for row in self._connection.execute(query)]

    def without_outcome(self, plan_id: str, seqs: Collection[int]) -> list[tuple[int, Operation]]:
        """Return those operations numbered *seqs* that are neither carried out nor refused, in their order."""
        query = (
            select(operations)
            .where(
                operations.c.plan_id == plan_id,
                operations.c.outcome.in_([Outcome.PLANNED.value, Outcome.SKIPPED.value]),
                operations.c.seq.between(min(seqs), max(seqs)),
            )
            .order_by(operations.c.seq)
        )
        return [(row.seq, _operation(row)) for row in self._connection.execute(query) if row.seq in seqs]

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

    def sizes(self, plan_id: str) -> dict[Change, int]:
        """Count the people whom the plan has changed or is still to change, as limits count them."""
        counted = operations.c.outcome.in_([Outcome.PLANNED.value, Outcome.APPLIED.value])
        return self._people(operations.c.plan_id == plan_id, counted)

    def people_changed(self, plan_id: str, since: datetime) -> dict[Change, int]:
        """Count the people who were changed *since* then and are not in the plan, whatever run did it.

        Left out is what somebody let through: what was applied by its id over a limit, and a reset.
        """
        plan_ = self.read(plan_id)
        here = operations.alias()
        in_this_plan = exists().where(
            here.c.plan_id == plan_id, here.c.slack_id == operations.c.slack_id, here.c.kind == operations.c.kind
        )
        done = operations.c.done_at >= since, operations.c.outcome == Outcome.APPLIED.value
        return self._people(
            *done,
            operations.c.plan_id.in_(
                select(plans.c.id).where(
                    plans.c.id.in_(select(operations.c.plan_id).where(*done)),  # few of all, whose facts are read
                    plans.c.docebo == plan_.docebo,
                    plans.c.slack_team == plan_.slack_team,
                    plans.c.kind != PlanKind.RESET_MAPPINGS.value,
                    func.coalesce(plans.c.facts[LET_THROUGH].as_boolean(), false()) == false(),
                )
            ),
            ~in_this_plan,
        )

    def _people(self, *conditions: ColumnElement[bool]) -> dict[Change, int]:
        slack_id, kind = operations.c.slack_id, operations.c.kind
        query = select(kind, MOVES.label("moves"), func.count(slack_id.distinct())).where(*conditions)
        people = Counter[Change]()
        for of_kind, moves, count in self._connection.execute(query.group_by(kind, literal_column("moves"))):
            if of_kind in set(Change):
                people[Change(of_kind)] += count
            if moves:
                people[Change.REMAP] += count
        return dict(people)

    def refusals(self, docebo: str, since: datetime) -> tuple[int, int]:
        """Return of how many people rows were sent to Docebo *since* then, and of how many the last one was refused."""

        def last(outcome: Outcome) -> ColumnElement[Any]:
            return func.max(case((operations.c.outcome == outcome.value, operations.c.done_at)))

        applied, failed = last(Outcome.APPLIED).label("applied"), last(Outcome.FAILED).label("failed")
        people = (
            select(operations.c.slack_id, applied, failed)
            .join(plans, plans.c.id == operations.c.plan_id)
            .where(
                operations.c.done_at >= since,
                operations.c.kind.in_([Kind.CREATE.value, Kind.UPDATE.value, Kind.DEACTIVATE.value]),
                operations.c.outcome.in_([Outcome.APPLIED.value, Outcome.FAILED.value]),
                plans.c.docebo == docebo,
            )
            .group_by(operations.c.slack_id)
            .subquery()
        )
        refused = or_(people.c.applied.is_(None), people.c.applied < people.c.failed)
        row = self._connection.execute(select(func.count(), func.count(case((refused, 1)))).select_from(people)).one()
        return row[0], row[1]

    def still_to_create(self, plan_id: str) -> int:
        """Count the accounts that the plan is still to create."""
        return sum(
            count
            for kind, _, outcome, count in self.tally(plan_id)
            if (kind, outcome) == (Kind.CREATE, Outcome.PLANNED)
        )

    def created_since(self, docebo: str, since: datetime) -> int:
        """Count the accounts that were created *since* then."""
        query = (
            select(func.count())
            .select_from(operations)
            .join(plans, plans.c.id == operations.c.plan_id)
            .where(
                operations.c.done_at >= since,
                operations.c.kind == Kind.CREATE.value,
                operations.c.outcome == Outcome.APPLIED.value,
                plans.c.docebo == docebo,
            )
        )
        return self._connection.scalar(query) or 0

    def tally(self, plan_id: str) -> list[tuple[Kind, str, Outcome, int]]:
        """Count the rows of a plan by kind, reason and outcome; whom it leaves alone as before is not among them."""
        columns = (operations.c.kind, operations.c.reason, operations.c.outcome)
        query = select(*columns, func.count()).where(operations.c.plan_id == plan_id).group_by(*columns)
        return sorted(
            (Kind(kind), reason, Outcome(outcome), count)
            for kind, reason, outcome, count in self._connection.execute(query)
        )

    def rows(self, plan_id: str) -> Generator[JournalEntry, None, None]:
        """Yield everything about a plan's operations in their order, without holding it all in memory.

        Who does not read to the end closes it before the connection.
        """
        query = select(operations).where(operations.c.plan_id == plan_id).order_by(operations.c.seq)
        with self._connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
            for row in rows:
                yield _entry(row)

    def told(self, plan_id: str) -> Iterator[Row[Any]]:
        """Yield, like `rows` and in half the time, the values that REPORT_COLUMNS names."""
        query = select(*REPORT_COLUMNS.values()).where(operations.c.plan_id == plan_id).order_by(operations.c.seq)
        with self._connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
            yield from rows

    def left_alone(self, plan_id: str) -> Iterator[Operation]:
        """Yield the operations of a plan that leave somebody alone who was not forgotten since."""
        left = operations.c.outcome == Outcome.LEFT.value, operations.c.slack_id != ""
        query = select(operations).where(operations.c.plan_id == plan_id, *left)
        with self._connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
            for row in rows:
                yield _operation(row)

    def applied(self, *, plan_id: str = "", flow_run: str = "") -> Iterator[JournalEntry]:
        """Yield what a plan, or else a run, has done, in the order in which it was done."""
        of = operations.c.plan_id == plan_id if plan_id else operations.c.flow_run == flow_run
        query = (
            select(operations)
            .join(plans, plans.c.id == operations.c.plan_id)
            .where(of, operations.c.outcome == Outcome.APPLIED.value)
            .order_by(plans.c.created_at, operations.c.done_at, operations.c.plan_id, operations.c.seq)
        )
        with self._connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
            for row in rows:
                yield _entry(row)

    def history(self, slack_id: str, limit: int) -> list[tuple[Plan, JournalEntry]]:
        """Return what was planned for one person and what became of it, the newest first."""
        query = (
            select(operations)
            .join(plans, plans.c.id == operations.c.plan_id)
            .where(operations.c.slack_id == slack_id)
            .order_by(plans.c.created_at.desc(), plans.c.id, operations.c.seq.desc())
            .limit(limit)
        )
        entries = [_entry(row) for row in self._connection.execute(query)]
        headers = {
            row.id: _plan(row)
            for ids in chunks({entry.plan_id for entry in entries})
            for row in self._connection.execute(select(plans).where(among(self._connection, plans.c.id, ids)))
        }
        return [(headers[entry.plan_id], entry) for entry in entries]

    def forget(self, slack_id: str) -> int:
        """Take the person out of every operation, the id included; what was still planned is skipped.

        Kinds, accounts and outcomes stay, so that the numbers of a plan remain true; a plan that can still be carried
        out does not say again that somebody is left alone. Returns how many operations were about the person.
        """
        of_person = operations.c.slack_id == slack_id
        open_plans = select(plans.c.id).where(plans.c.state.in_(sorted(OPEN)))
        left = delete(operations).where(of_person, operations.c.outcome == Outcome.LEFT.value)
        told = self._connection.execute(left.where(operations.c.plan_id.in_(open_plans))).rowcount
        planned = update(operations).where(of_person, operations.c.outcome == Outcome.PLANNED.value)
        self._connection.execute(planned.values(outcome=Outcome.SKIPPED.value))
        empty = dict.fromkeys(("slack_id", "slack_name", "fingerprint", "echo", "error", "said"), "")
        blank: dict[str, object] = {**empty, "maps": False, "changes": {}, "before": {}, "prior": None}
        told += self._connection.execute(update(operations).where(of_person).values(**blank)).rowcount
        for column in (operations.c.reason, operations.c.error, operations.c.said):
            replace_mentions(self._connection, column, slack_id)
        return told

    def count_of(self, slack_id: str) -> int:
        """Return how many operations are about the person."""
        return self._connection.scalar(select(func.count()).where(operations.c.slack_id == slack_id)) or 0

    def addresses_of(self, slack_id: str) -> set[str]:
        """Return the e-mail addresses that were given to the person's account, or taken from it."""
        columns = operations.c.changes, operations.c.before
        rows = self._connection.execute(select(*columns).where(operations.c.slack_id == slack_id))
        found = {str(values.get(name, "")) for row in rows for values in row for name in ("email", "username")}
        return {address for address in found if "@" in address}

    def bearers(self, address: str) -> set[str]:
        """Return the Slack ids of those to whose account an operation gave, or from it took, this e-mail address."""
        columns = operations.c.changes, operations.c.before
        written = json.dumps(address)[1:-1]
        some = or_(*(cast(column, Text).icontains(written, autoescape=True) for column in columns))
        return {
            row.slack_id
            for row in self._connection.execute(select(operations.c.slack_id, *columns).where(some))
            for values in (row.changes, row.before)
            if folded(address) in {folded(str(values.get(name, ""))) for name in ("email", "username")}
        }

    def purge(self, before: datetime, *, limit: int) -> int:
        """Delete the oldest plans, at most *limit*, that were made earlier than *before*, with their operations.

        Return how many there were. The newest plan stays: its settings serve the command line while Prefect is down.
        """
        newest = select(plans.c.id).order_by(plans.c.created_at.desc(), plans.c.id).limit(1).scalar_subquery()
        old = select(plans.c.id).where(plans.c.created_at < before, plans.c.id != newest)
        ids = list(self._connection.scalars(old.order_by(plans.c.created_at).limit(limit)))
        return self._connection.execute(delete(plans).where(plans.c.id.in_(ids))).rowcount


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
    }


def _operation(row: Row[Any]) -> Operation:
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


def _entry(row: Row[Any]) -> JournalEntry:
    return JournalEntry(
        plan_id=row.plan_id,
        seq=row.seq,
        operation=_operation(row),
        outcome=Outcome(row.outcome),
        error=row.error,
        done_at=row.done_at,
        flow_run=row.flow_run,
    )


def _plan(row: Row[Any]) -> Plan:
    return Plan(
        id=row.id,
        kind=PlanKind(row.kind),
        created_at=row.created_at,
        docebo=row.docebo,
        slack_team=row.slack_team,
        slack_team_name=row.slack_team_name,
        flow_run=row.flow_run,
        state=PlanState(row.state),
        settings=row.settings,
        facts=row.facts,
        finished_at=row.finished_at,
    )
