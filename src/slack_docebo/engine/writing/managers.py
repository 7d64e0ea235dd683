"""Managers: which can no longer be written, by what is stored right before rows are sent.

Events, imports and undo runs write managers side by side, and mappings are deleted meanwhile. So a manager who was
right when it was planned may close a circle by now, or the account may be that manager's no longer.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from slack_docebo.domain.effects import managers_of
from slack_docebo.domain.managers import IN_A_CIRCLE, NOT_THEIRS, MayHave, closing_if_refused, not_writable
from slack_docebo.domain.targets import is_manager, manager_column, manager_type_of
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.runtime import Managers, Runtime
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables


def reasons_by_managers(runtime: Runtime, tables: Tables, plan: Plan, batch: Sequence[Numbered]) -> dict[int, str]:
    """Return why planned managers in *batch* cannot be written, by number."""
    named = _named(batch)
    circled = set[int]()
    for type_id, managers in named.items():
        circled |= not_writable(managers, _set_before(tables, runtime.settings.docebo_url, type_id, managers))
    reasons = {seq: IN_A_CIRCLE for seq, operation in batch if operation.docebo_id in circled}
    return reasons | (_not_theirs(tables, runtime.managers, plan, batch) if named else {})


def rows_before_a_circle(store: Store, docebo: str, batch: Sequence[Numbered]) -> Sequence[Numbered]:
    """Return the first rows of *batch*, up to the one that would close a circle if an earlier row is refused."""
    named = _named(batch)
    if not named:
        return batch
    with store.reading() as tables:
        closing = {
            account
            for type_id, managers in named.items()
            for account in closing_if_refused(managers, _set_before(tables, docebo, type_id, managers))
        }
    first = next((place for place, (_, operation) in enumerate(batch) if operation.docebo_id in closing), 0)
    return batch[:first] or batch


def _named(batch: Sequence[Numbered]) -> Mapping[int, dict[int, int]]:
    """Return the managers in *batch*, by type and account; 0 for none."""
    named = defaultdict[int, dict[int, int]](dict)
    for _, operation in batch:
        for name, value in operation.changes.items():
            if is_manager(name) and operation.docebo_id is not None:
                named[manager_type_of(name)][operation.docebo_id] = int(value or 0)
    return named


def _set_before(tables: Tables, docebo: str, type_id: int, named: Mapping[int, int]) -> MayHave:
    """Return the managers that accounts in *named* and all their superiors may have: written, or sent by any plan.

    A row that was sent may be refused, or be done and not recorded yet.
    """
    column = manager_column(type_id)
    sent = defaultdict[int, set[int]](set)
    for account, changes in tables.intents.updates(docebo):
        if column in changes:
            sent[account].add(int(changes[column] or 0))
    found: dict[int, Collection[int]] = {}
    above = {*named, *named.values()}
    while above:
        known = tables.managers(docebo).may_have_as(type_id, above)
        found |= {one: {*known.get(one, ()), *sent.get(one, ())} for one in above}
        above = {manager for one in above for manager in found[one]} - found.keys() - {0}
    return found


def _not_theirs(tables: Tables, managers: Managers, plan: Plan, batch: Sequence[Numbered]) -> dict[int, str]:
    """Return the rows of *batch*, by number, whose manager's account is no longer that person's.

    An undo has none: it brings back whoever was the manager.
    """
    if plan.kind is PlanKind.UNDO:
        return {}
    accounts = {one for _, operation in batch for one in managers_of(operation)}
    holders = tables.mappings(plan.docebo).holders(plan.slack_team, accounts)
    moved = {one for one in accounts if holders.get(one) != managers.planned.get(one)}
    return {seq: NOT_THEIRS for seq, operation in batch if not moved.isdisjoint(managers_of(operation))}
