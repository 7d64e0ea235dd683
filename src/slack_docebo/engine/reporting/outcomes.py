"""Outcomes: what was or would be done to each person, as words and as rows of a table."""

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

from sqlalchemy import Row

from slack_docebo.domain.decisions import SEEN, Decision
from slack_docebo.domain.operations import IN_LINE, IN_LINE_AS_WRITTEN, Kind, Operation, Outcome
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.standing import Standing
from slack_docebo.engine.reporting.shown import Cells, with_names
from slack_docebo.errors import ConfigurationError
from slack_docebo.storage.operations import JournalEntry
from slack_docebo.storage.plans import Plan
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

T = TypeVar("T")

TABLE_ROWS = 500  # of what nobody has asked for
PAGE = 5_000  # people in one table that somebody has asked for
DONE = {
    Kind.CREATE: "created",
    Kind.UPDATE: "updated",
    Kind.MOVE: "moved",
    Kind.DEACTIVATE: "deactivated",
    Kind.MAP: "mapped",
    Kind.UNMAP: "unmapped",
    Kind.LEAVE: "left alone",
}

CHANGING = tuple(kind for kind in DONE if kind is not Kind.LEAVE)
IN_WORDS = {Kind.LEAVE: "leave alone"}


def pages_of(count: int) -> int:
    """Return on how many pages so many people are shown."""
    return max(1, -(-count // PAGE))


def page_of(shown: Sequence[T], page: int) -> Sequence[T]:
    """Return those of *shown* on this *page*; raise ConfigurationError where there is no such page."""
    part = shown[(page - 1) * PAGE : page * PAGE]
    if shown and not part:
        raise ConfigurationError(f"choose a page up to {pages_of(len(shown))}: there are no more")
    return part


def pages_beside(page: int, last: int) -> dict[str, int]:
    """Return the pages before and after *page*, of those up to *last*, by what leads to them."""
    beside = {"The page before": page - 1, "The next page": page + 1}
    return {words: other for words, other in beside.items() if other in range(1, last + 1)}


def became(kind: Kind, outcome: Outcome) -> str:
    """Return what was or would be done to somebody, in plain words."""
    match outcome:
        case Outcome.APPLIED | Outcome.LEFT:
            return DONE[kind]
        case Outcome.PLANNED:
            return f"planned to {kind}"
        case _:
            return f"{IN_WORDS.get(kind, kind)}, {outcome}"


def acknowledged_in(tables: Tables, plan: Plan) -> Iterator[tuple[JournalEntry, Decision]]:
    """Yield the rows whose outcome somebody has acknowledged, each with the decision."""
    seen = tables.acknowledged(plan.slack_team)
    entries = tables.operations.of_people(plan.id, seen)
    if plan.left_as_before:
        others = seen.keys() - {entry.operation.slack_id for entry in entries}
        for slack_id, one in tables.standings.of(plan.docebo, plan.slack_team, others).items():
            entries.append(_left_as_before(plan, len(entries), slack_id, one))
    for entry in entries:
        decision = seen[entry.operation.slack_id]
        if decision.acknowledges((entry.error or entry.operation.reason).removeprefix(SEEN)):
            yield entry, decision


def everybody(tables: Tables, plan: Plan) -> Generator[JournalEntry, None, None]:
    """Yield a row for everybody: the rows of *plan*, then the people it left alone for the same reason as before.

    A caller that does not read to the end closes it within the transaction.
    """
    told = set[str]()
    with closing(tables.operations.rows(plan.id)) as entries:
        for entry in entries:
            told.add(entry.operation.slack_id)
            yield entry
    if not plan.left_as_before:
        return
    with closing(tables.standings.at(plan.created_at, plan.docebo, plan.slack_team)) as periods:
        others = (period for period in periods if period.slack_id not in told)
        for place, period in enumerate(others, len(told)):
            yield _left_as_before(plan, place, period.slack_id, period.standing)


def _left_as_before(plan: Plan, place: int, slack_id: str, standing: Standing) -> JournalEntry:
    left = Operation(
        slack_id=slack_id,
        slack_team=plan.slack_team,
        slack_name="",
        kind=Kind.LEAVE,
        reason=standing.reason,
        docebo_id=standing.docebo_id,
    )
    return JournalEntry(plan.id, place, left, Outcome.LEFT)


def what_became(entry: JournalEntry) -> Cells:
    """Return what was or would be done about one person, as a row of a table."""
    return _cells(entry.operation, entry.outcome, entry.error)


def _cells(operation: Operation | Row[Any], outcome: str, error: str) -> Cells:
    return {
        "Slack user": operation.slack_id,
        "Docebo user": operation.docebo_id,
        "operation": IN_WORDS.get(Kind(operation.kind), operation.kind),
        "outcome": DONE[Kind.LEAVE] if outcome == Outcome.LEFT else outcome,
        "why": error or operation.reason,
        "attributes": ", ".join(operation.changes),
    }


def table(store: Store, plan_id: str, shown: PeopleShown, *, of: Collection[str] | None = None) -> list[Cells]:
    """Return the first rows of what was or would be done to whom, as Prefect may show it; with *of*, these people's."""
    return _rows(store, plan_id, CHANGING, shown, of=of)


def tables_by_kind(store: Store, plan_id: str, kinds: Iterable[Kind], shown: PeopleShown) -> dict[Kind, list[Cells]]:
    """Return a table for each of *kinds*, with its first rows.

    The table of people left alone is sorted by the reason, without those who are in line.
    """
    tables = {kind: _rows(store, plan_id, (kind,), shown) for kind in kinds}
    if Kind.LEAVE in tables:
        tables[Kind.LEAVE].sort(key=lambda row: str(row["why"]))
    return {kind: rows for kind, rows in tables.items() if rows}


def _rows(
    store: Store, plan_id: str, kinds: Iterable[Kind], shown: PeopleShown, *, of: Collection[str] | None = None
) -> list[Cells]:
    rows: list[Cells] = []
    with store.reading() as tables, closing(tables.operations.told(plan_id, *kinds)) as told:
        team = tables.plans.read(plan_id).slack_team
        for row in told:
            if row.kind == Kind.LEAVE and row.reason in {IN_LINE, IN_LINE_AS_WRITTEN}:
                continue
            if of is not None and row.slack_id not in of:
                continue
            rows.append(_cells(row, row.outcome, row.error))
            if of is None and len(rows) == TABLE_ROWS:
                break
        return with_names(tables, team, rows, shown)
