"""The journal: what was done to whom, over all plans, which are also the journal of every run."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    union_all,
    update,
)

from slack_docebo.domain.effects import TO_ACCOUNTS
from slack_docebo.domain.guards import Change
from slack_docebo.domain.names import folded
from slack_docebo.domain.operations import NOT_SENT, PASSED_ON, Kind, Outcome
from slack_docebo.domain.targets import EXPIRATION, USERNAME
from slack_docebo.storage.operations import JournalEntry, entry_of
from slack_docebo.storage.plans import LET_THROUGH, OPEN, Plan, PlanKind, PlanRepository, PlanState, plan_of
from slack_docebo.storage.schema import identity, mapping, platform, sent
from slack_docebo.storage.schema import operation as operations
from slack_docebo.storage.schema import plan as plans
from slack_docebo.storage.statements import WhereIn, in_portions, replace_mentions

_own, _former = identity.alias("own"), identity.alias("former")
_mapped_as = func.coalesce(operations.c.prior["slack_id"].as_string(), operations.c.slack_id)
_is_one_person = exists().where(
    _own.c.slack_team == operations.c.slack_team,
    _own.c.slack_id == operations.c.slack_id,
    _former.c.slack_team == operations.c.slack_team,
    _former.c.slack_id == _mapped_as,
    _former.c.person_id == _own.c.person_id,
)
# Whether an operation gives a mapping another account, or another person: to another id of the same one it does not move.
# Where nobody is mapped, the reason says that an account passes to another person.
MOVES = or_(
    and_(
        operations.c.maps,
        operations.c.prior.is_not(None),
        or_(
            operations.c.prior["docebo_id"].as_integer() != func.coalesce(operations.c.docebo_id, -1),
            and_(_mapped_as != operations.c.slack_id, ~_is_one_person),
        ),
    ),
    operations.c.reason.startswith(PASSED_ON, autoescape=True),
)
UPDATES = operations.c.kind == Kind.UPDATE.value
RENAMES = and_(UPDATES, operations.c.changes[USERNAME].as_string().is_not(None))
# By whom people are counted: of the forgotten, only the account is on record.
PERSON = func.coalesce(func.nullif(operations.c.slack_id, ""), cast(operations.c.docebo_id, Text), "")
# Made once: a statement costs more to build than to carry out.
_passed_on = (
    select(_mapped_as.label("former"), operations.c.slack_id.label("heir"))
    .join(plans, plans.c.id == operations.c.plan_id)
    .where(
        operations.c.maps,
        operations.c.outcome == Outcome.APPLIED.value,
        _mapped_as != operations.c.slack_id,
        plans.c.kind != PlanKind.UNDO.value,
        ~exists().where(
            mapping.c.slack_id == _mapped_as,
            mapping.c.platform_id == platform.c.id,
            platform.c.address == plans.c.docebo,
        ),
    )
)
PASSED_BETWEEN = [WhereIn(_passed_on, operations.c.slack_id), WhereIn(_passed_on, _mapped_as)]


def _in_plan(plan_id: BindParameter[str]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that the plan has carried out an operation, or still has to."""
    counted = operations.c.outcome.in_([Outcome.PLANNED.value, Outcome.APPLIED.value])
    return operations.c.plan_id == plan_id, counted


_since: BindParameter[datetime] = bindparam("since")
# The conditions that an operation was carried out since then.
DONE = operations.c.done_at >= _since, operations.c.outcome == Outcome.APPLIED.value
_of_operation = sent.c.plan_id == operations.c.plan_id, sent.c.seq == operations.c.seq
# The conditions that an operation was sent since then, and that nobody knows what became of it.
SENT = (
    operations.c.plan_id.in_(select(sent.c.plan_id)),  # few of all, whose operations are looked at
    exists().where(*_of_operation, sent.c.noted_at >= _since),
    operations.c.outcome != Outcome.APPLIED.value,
)


def _may_be(changes: Collection[Change]) -> ColumnElement[bool]:
    """Return the condition that an operation is of a kind that may count as one of *changes*: a mapping moves with any."""
    if Change.REMAP in changes:
        return true()
    kinds = {change.value for change in changes} - {Change.RENAME.value}
    ends_or_renames = not {Change.RENAME, Change.DEACTIVATE}.isdisjoint(changes)
    return operations.c.kind.in_(sorted(kinds | ({Kind.UPDATE.value} if ends_or_renames else set())))


def _people(counted: MappingType[Change, ColumnElement[bool]], *parts: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Return how the people of the operations are counted that fulfil all conditions of one of *parts*.

    Each once for each of the changes that are *counted*, by its name, where its condition holds.
    """
    does = [counts.label(change.name) for change, counts in counted.items()]
    found = union_all(*(select(PERSON.label("person"), *does).where(*part) for part in parts)).subquery()
    by_change = (func.count(case((found.c[one.name], found.c.person)).distinct()).label(one.name) for one in counted)
    return select(*by_change)


def _counts_as() -> dict[Change, ColumnElement[bool]]:
    """Return the condition that an operation counts as each change."""
    expires = operations.c.changes[EXPIRATION].as_string()
    ends = and_(UPDATES, expires != "", expires <= bindparam("ends_by"))
    counts_as: dict[Change, ColumnElement[bool]] = {one: operations.c.kind == one.value for one in Change}
    counts_as |= {Change.REMAP: MOVES, Change.RENAME: RENAMES}
    counts_as[Change.DEACTIVATE] = or_(counts_as[Change.DEACTIVATE], ends)
    return counts_as


def _limited(*changed: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that somebody was *changed*, on the platform and in the workspace."""
    counted = select(plans.c.id).where(
        plans.c.id.in_(select(operations.c.plan_id).where(*changed)),  # few of all
        plans.c.docebo == bindparam("docebo"),
        plans.c.slack_team == bindparam("slack_team"),
        plans.c.kind != PlanKind.RESET_MAPPINGS.value,
    )
    return *changed, operations.c.plan_id.in_(counted)


_plan_id: BindParameter[str] = bindparam("plan_id")
# Made once as well: each batch of each run asks both.
IN_PLAN = _people(_counts_as(), _in_plan(_plan_id))
# The plans with changes since then that somebody has let through a limit; few of all, whose facts are read.
LET_THROUGH_SINCE = select(plans).where(
    or_(*(plans.c.id.in_(select(operations.c.plan_id).where(*changed)) for changed in (DONE, SENT))),
    plans.c.facts[LET_THROUGH].as_boolean(),
    plans.c.id != _plan_id,
)


@cache
def _in_plan_or_since(changes: frozenset[Change]) -> Select[Any]:
    may_be = _may_be(changes)
    counted = {
        change: and_(counts, operations.c.plan_id.not_in(bindparam(_let_through(change), expanding=True)))
        for change, counts in _counts_as().items()
        if change in changes
    }
    return _people(
        counted,
        (*_in_plan(_plan_id), may_be),
        _limited(*DONE, operations.c.done_at <= bindparam("until"), may_be),
        _limited(*SENT, may_be),
    )


def _let_through(change: Change) -> str:
    """Return the name of the parameter that holds the plans that somebody has let through this limit."""
    return f"let_through_{change.name}"


LOOKED_AT = 1000  # operations: so many are looked at one by one before all plans are
DONE_SINCE = select(operations.c.plan_id).where(*DONE).order_by(operations.c.done_at.desc()).limit(LOOKED_AT)
OTHERS_SENT = select(1).where(sent.c.plan_id != _plan_id, sent.c.noted_at >= _since).limit(1)
CREATED_SINCE = [
    select(func.count())
    .select_from(operations)
    .join(plans, plans.c.id == operations.c.plan_id)
    .where(operations.c.kind == Kind.CREATE.value, plans.c.docebo == bindparam("docebo"), *of)
    for of in (DONE, SENT)
]
_done_of_plan = (
    select(literal(1))
    .where(
        operations.c.plan_id == plans.c.id,
        operations.c.outcome == Outcome.APPLIED.value,
        func.coalesce(operations.c.done_at, plans.c.created_at) >= _since,  # so that the index of times is not taken
    )
    .limit(1)
    .scalar_subquery()
)
_was_at_work = or_(plans.c.state == PlanState.APPLYING.value, plans.c.finished_at >= _since)
OTHERS_DONE = select(1).where(plans.c.id != _plan_id, _was_at_work, _done_of_plan.is_not(None)).limit(1)


class JournalRepository:
    """The table `operation`, over all plans; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sizes(self, plan_id: str, ends_by: date) -> dict[Change, int]:
        """Count the people whom the plan has changed or has yet to change, as limits count them.

        An account that is made to end by *ends_by* counts as deactivated.
        """
        return self._people(IN_PLAN, ends_by, plan_id=plan_id)

    def people_changed(
        self, plan_id: str, sizes: MappingType[Change, int], *, since: datetime, until: datetime, ends_by: date
    ) -> dict[Change, int]:
        """Count the people changed by any run between *since* and *until* whom the plan does not change in that way.

        The changes of *sizes* are counted, which are the plan's by the same *ends_by*. Possible changes count as well:
        those that a run is working on, or died over. What somebody let through is left out: a reset, and of a plan that
        was applied by its id those changes in which it was over a limit.
        """
        of = PlanRepository(self._connection).read(plan_id)
        given = {"plan_id": plan_id, "docebo": of.docebo, "slack_team": of.slack_team, "since": since, "until": until}
        plans_let = [plan_of(row) for row in self._connection.execute(LET_THROUGH_SINCE, given)]
        let = {_let_through(change): [one.id for one in plans_let if change in one.let_through] for change in sizes}
        together = self._people(_in_plan_or_since(frozenset(sizes)), ends_by, **given, **let)
        return {change: others for change, people in together.items() if (others := people - sizes[change]) > 0}

    def others_at_work(self, plan_id: str, since: datetime) -> bool:
        """Tell whether another plan has changed anybody since *since*, or may have.

        Where this plan has done much itself, the other plans are looked through, which are few, instead of all
        operations.
        """
        given = {"plan_id": plan_id, "since": since}
        if self._connection.execute(OTHERS_SENT, given).first():
            return True
        done = self._connection.scalars(DONE_SINCE, given).all()
        if any(one != plan_id for one in done):
            return True
        return len(done) == LOOKED_AT and self._connection.execute(OTHERS_DONE, given).first() is not None

    def _people(self, counting: Select[Any], ends_by: date, **given: object) -> dict[Change, int]:
        row = self._connection.execute(counting, {**given, "ends_by": ends_by.isoformat()}).mappings().one()
        return {Change[name]: people for name, people in row.items() if people}

    def people_by_day(
        self, docebo: str, since: datetime, time_zone: str = "Etc/UTC"
    ) -> dict[tuple[date, Kind, Outcome], int]:
        """Count the people changed, or failed, since *since*, by day in *time_zone*, kind and outcome."""
        at: ColumnElement[Any] = operations.c.done_at
        ends = _ends_of_days(since, datetime.now(UTC), ZoneInfo(time_zone))
        last = max(ends).isoformat()  # also of what was done by a clock that was ahead
        day = case(*((at < end, one.isoformat()) for one, end in ends.items()), else_=last).label("day")
        query = (
            select(day, operations.c.kind, operations.c.outcome, func.count(operations.c.slack_id.distinct()))
            .join(plans, plans.c.id == operations.c.plan_id)
            .where(
                at >= since,
                operations.c.outcome.in_([Outcome.APPLIED.value, Outcome.FAILED.value]),
                plans.c.docebo == docebo,
            )
            .group_by(literal_column("day"), operations.c.kind, operations.c.outcome)
        )
        return {
            (date.fromisoformat(str(on)), Kind(kind), Outcome(outcome)): people
            for on, kind, outcome, people in self._connection.execute(query)
        }

    def refusals(self, docebo: str, since: datetime) -> tuple[int, int]:
        """Return for how many people rows were sent to Docebo since *since*, and for how many the last was refused."""

        def last(outcome: Outcome) -> ColumnElement[Any]:
            return func.max(case((operations.c.outcome == outcome.value, operations.c.done_at)))

        applied, failed = last(Outcome.APPLIED).label("applied"), last(Outcome.FAILED).label("failed")
        people = (
            select(operations.c.slack_id, applied, failed)
            .join(plans, plans.c.id == operations.c.plan_id)
            .where(
                operations.c.done_at >= since,
                operations.c.kind.in_([kind.value for kind in TO_ACCOUNTS]),
                operations.c.outcome.in_([Outcome.APPLIED.value, Outcome.FAILED.value]),
                ~operations.c.error.startswith(NOT_SENT),
                plans.c.docebo == docebo,
            )
            .group_by(operations.c.slack_id)
            .subquery()
        )
        refused = or_(people.c.applied.is_(None), people.c.applied < people.c.failed)
        row = self._connection.execute(select(func.count(), func.count(case((refused, 1)))).select_from(people)).one()
        return row[0], row[1]

    def created_since(self, docebo: str, since: datetime) -> int:
        """Count the accounts that were created since *since*, or may have been."""
        which = {"docebo": docebo, "since": since}
        return sum(self._connection.scalar(query, which) or 0 for query in CREATED_SINCE)

    def applied(self, *, plan_id: str = "", flow_run: str = "") -> Iterator[JournalEntry]:
        """Yield what a plan, or else a flow run, has done, in order."""
        of = operations.c.plan_id == plan_id if plan_id else operations.c.flow_run == flow_run
        query = (
            select(operations)
            .join(plans, plans.c.id == operations.c.plan_id)
            .where(of, operations.c.outcome == Outcome.APPLIED.value)
            .order_by(plans.c.created_at, operations.c.done_at, operations.c.plan_id, operations.c.seq)
        )
        with in_portions(self._connection, query) as rows:
            yield from map(entry_of, rows)

    def passed_on(self, slack_ids: Collection[str]) -> set[str]:
        """Return the former and new holders, as Slack ids, of mappings that have passed from or to *slack_ids*.

        A mapping passes on when somebody returns under a new id. One that was given back is left out.
        """
        found = (row for by in PASSED_BETWEEN for row in by.rows(self._connection, slack_ids))
        return {slack_id for row in found for slack_id in (row.former, row.heir)}

    def history(self, slack_id: str, limit: int) -> list[tuple[Plan, JournalEntry]]:
        """Return what was planned for one person and what became of it, the newest first."""
        query = (
            select(operations)
            .join(plans, plans.c.id == operations.c.plan_id)
            .where(operations.c.slack_id == slack_id)
            .order_by(plans.c.created_at.desc(), plans.c.id, operations.c.seq.desc())
            .limit(limit)
        )
        entries = [entry_of(row) for row in self._connection.execute(query)]
        told = WhereIn(select(plans), plans.c.id).rows(self._connection, {entry.plan_id for entry in entries})
        headers = {row.id: plan_of(row) for row in told}
        return [(headers[entry.plan_id], entry) for entry in entries]

    def failures(self, docebo: str, since: datetime, slack_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield Slack id and error of failed or skipped operations for these people, of plans made since *since*."""
        query = (
            select(operations.c.slack_id, operations.c.error)
            .join(plans, plans.c.id == operations.c.plan_id)
            .where(
                plans.c.docebo == docebo,
                plans.c.created_at >= since,
                operations.c.outcome.in_([Outcome.FAILED.value, Outcome.SKIPPED.value]),
                operations.c.error != "",
            )
            .order_by(operations.c.slack_id, plans.c.created_at, operations.c.seq)
        )
        for row in WhereIn(query, operations.c.slack_id).rows(self._connection, slack_ids):
            yield row.slack_id, row.error

    def forget(self, slack_id: str, addresses: Iterable[str] = ()) -> None:
        """Erase the person from every operation, the id included; what was still planned is skipped.

        Kinds, accounts and outcomes stay, so that the numbers of a plan remain true; rows that leave the person alone
        are deleted from plans that can still be carried out. What Docebo said of somebody else goes where it names the
        id or one of *addresses*, the person's own: nobody can tell what more of it is about the person.
        """
        of_person = operations.c.slack_id == slack_id
        open_plans = select(plans.c.id).where(plans.c.state.in_(sorted(OPEN)))
        left = delete(operations).where(of_person, operations.c.outcome == Outcome.LEFT.value)
        self._connection.execute(left.where(operations.c.plan_id.in_(open_plans)))
        planned = update(operations).where(of_person, operations.c.outcome == Outcome.PLANNED.value)
        self._connection.execute(planned.values(outcome=Outcome.SKIPPED.value))
        digests = "username_digest", "address_digest"
        empty = dict.fromkeys(("slack_id", "slack_name", "fingerprint", "echo", "error", "said", *digests), "")
        blank: dict[str, object] = {**empty, "maps": False, "changes": {}, "before": {}, "prior": None}
        self._connection.execute(update(operations).where(of_person).values(**blank))
        self._forget_as_former(slack_id)
        for word in (slack_id, *addresses):
            naming = operations.c.said.icontains(word, autoescape=True)
            self._connection.execute(update(operations).where(naming).values(said=""))
        for column in (operations.c.reason, operations.c.error):
            replace_mentions(self._connection, column, slack_id)

    def _forget_as_former(self, slack_id: str) -> None:
        """Erase the person from operations that pass, or were to pass, the mapping on to somebody else."""
        key = operations.c.plan_id, operations.c.seq
        passes_on = select(*key, operations.c.prior).where(operations.c.prior["slack_id"].as_string() == slack_id)
        for plan_id, seq, prior in self._connection.execute(passes_on).all():
            nameless = {name: value for name, value in prior.items() if name != "slack_id"} | {"slack_name": ""}
            one = update(operations).where(operations.c.plan_id == plan_id, operations.c.seq == seq)
            self._connection.execute(one.values(prior=nameless))

    def addresses_of(self, slack_id: str) -> set[str]:
        """Return the e-mail addresses that were given to the person's account, or taken from it."""
        columns = operations.c.changes, operations.c.before
        rows = self._connection.execute(select(*columns).where(operations.c.slack_id == slack_id))
        found = {str(values.get(name, "")) for row in rows for values in row for name in ("email", "username")}
        return {address for address in found if "@" in address}

    def bearers(self, address: str) -> set[str]:
        """Return the Slack ids of people whose account an operation gave this e-mail address, or took it from."""
        columns = operations.c.changes, operations.c.before
        written = json.dumps(address)[1:-1]
        some = or_(*(cast(column, Text).icontains(written, autoescape=True) for column in columns))
        return {
            row.slack_id
            for row in self._connection.execute(select(operations.c.slack_id, *columns).where(some))
            for values in (row.changes, row.before)
            if folded(address) in {folded(str(values.get(name, ""))) for name in ("email", "username")}
        }


def _ends_of_days(since: datetime, now: datetime, zone: ZoneInfo) -> dict[date, datetime]:
    """Return when each day ends in *zone* from *since* to *now*: SQLite knows no time zones."""
    first, last = since.astimezone(zone).date(), now.astimezone(zone).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return {day: datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC) for day in days or [first]}
