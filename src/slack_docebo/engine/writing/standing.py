"""Standings kept up to date: with each recorded outcome, and at the end of a run for everybody it left alone."""

from collections.abc import Iterable
from datetime import datetime

from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.standing import standing_after
from slack_docebo.domain.targets import is_never_shown
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.statements import chunks
from slack_docebo.storage.tables import Tables

# Kinds of plans after which it is known what the next import finds: others change what no list shows, or do what somebody
# asked for, and what the rules make of that, only the next import knows.
BRINGS_IN_LINE = frozenset({PlanKind.BULK_IMPORT, PlanKind.CUSTOM_FIELDS, PlanKind.REALTIME_SYNC})


def note_standings(
    tables: Tables,
    plan: Plan,
    outcomes: Iterable[tuple[Operation, RowOutcome]],
    *,
    provision: bool,
    now: datetime,
) -> None:
    """Write the standing that the next import will find, for everybody with an outcome.

    Where that cannot be known, the present standing ends, and the next import begins a new one. Operations on managers
    and branches change no standing.
    """
    outcomes = [(operation, result) for operation, result in outcomes if not _is_unseen(operation)]
    found = {
        operation.slack_id: standing_after(operation, result.docebo_id or operation.docebo_id, provision=provision)
        if result.outcome is Outcome.APPLIED and plan.kind in BRINGS_IN_LINE
        else None
        for operation, result in outcomes
    }
    tables.standings.replace(plan.docebo, plan.slack_team, found, plan_id=plan.id, now=now)


def note_standings_of_left_alone(tables: Tables, plan: Plan, *, now: datetime) -> None:
    """Write the standing that *plan* names for everybody it leaves alone, unless theirs has changed since."""
    if plan.kind not in BRINGS_IN_LINE:
        return
    standings = tables.standings
    for operations in chunks(tables.operations.left_alone(plan.id)):
        ids = [operation.slack_id for operation in operations]
        known = standings.of(plan.docebo, plan.slack_team, ids)
        settled = standings.changed_after(plan.created_at, plan.docebo, plan.slack_team, ids)
        settled |= {op.slack_id for op in operations if op.slack_id in known and known[op.slack_id].covers(op)}
        found = {
            operation.slack_id: standing_after(operation, operation.docebo_id, provision=False)
            for operation in operations
            if operation.slack_id not in settled
        }
        standings.replace(plan.docebo, plan.slack_team, found, plan_id=plan.id, now=now)


def _is_unseen(operation: Operation) -> bool:
    """Tell whether *operation* changes only what no list shows."""
    return operation.kind in {Kind.UPDATE, Kind.MOVE} and all(map(is_never_shown, operation.changes))
