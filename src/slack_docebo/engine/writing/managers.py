"""Managers: whom nobody can be given any more, by what the store knows right before rows are sent, whoever planned them.

Events, imports and what is undone give people managers side by side, and mappings are deleted meanwhile. So a manager who was
right when it was planned may bring people into a circle by now, or be nobody's account.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from slack_docebo.domain.effects import managers_of
from slack_docebo.domain.managers import IN_A_CIRCLE, IN_DOUBT, NOT_THEIRS, not_writable
from slack_docebo.domain.targets import is_manager, manager_column, manager_type_of
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.tables import Tables

Managers = Mapping[int, int]  # by account


def reasons_by_managers(runtime: Runtime, tables: Tables, plan: Plan, batch: Sequence[Numbered]) -> dict[int, str]:
    """Return why some of *batch* cannot give the managers that were planned, by their place."""
    named = defaultdict[int, dict[int, int]](dict)
    for _, operation in batch:
        for name, value in operation.changes.items():
            if is_manager(name) and operation.docebo_id is not None:
                named[manager_type_of(name)][operation.docebo_id] = int(value or 0)
    circled = {one for type_id, managers in named.items() for one in _circled(runtime, tables, plan, type_id, managers)}
    reasons = {seq: IN_A_CIRCLE for seq, operation in batch if operation.docebo_id in circled}
    return reasons | (_not_theirs(runtime, tables, plan, batch) if named else {})


def _circled(runtime: Runtime, tables: Tables, plan: Plan, type_id: int, named: Managers) -> set[int]:
    """Return which accounts cannot get the managers *named*, given those above them.

    Those are whom we have set, and whom other runs are about to: a row that was sent may be refused, or be done and not
    recorded yet.
    """
    docebo, column = runtime.settings.docebo_url, manager_column(type_id)
    under_way = {
        operation.docebo_id: int(operation.changes[column] or 0)
        for operation in tables.intents.updates_of_others(docebo, plan.id)
        if operation.docebo_id is not None and column in operation.changes
    }
    set_before: dict[int, int] = {}
    looked_at, above = set[int](), {*named, *named.values()}
    while above:
        set_before |= tables.accounts_at(docebo).managers_as(type_id, above)
        looked_at |= above
        above = {found[one] for one in above for found in (set_before, under_way) if one in found}
        above -= looked_at | {0, IN_DOUBT}
    set_before = {one: by for one, by in set_before.items() if by not in {0, IN_DOUBT}}
    return not_writable(named, set_before) | not_writable(named, {**set_before, **under_way})


def _not_theirs(runtime: Runtime, tables: Tables, plan: Plan, batch: Sequence[Numbered]) -> dict[int, str]:
    """Return of whom of *batch* the manager's account is not that person's any more; an undo brings back whoever it was."""
    if plan.kind is PlanKind.UNDO:
        return {}
    accounts = {one for _, operation in batch for one in managers_of(operation)}
    holders = tables.mappings(plan.docebo).holders(plan.slack_team, accounts)
    moved = {one for one in accounts if holders.get(one) != runtime.managers_planned.get(one)}
    return {seq: NOT_THEIRS for seq, operation in batch if not moved.isdisjoint(managers_of(operation))}
