"""Undoing a run or a plan: the inverse of its operations is planned."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from slack_docebo.domain.effects import people_of
from slack_docebo.domain.operations import CREATED_STAYS, Kind, Operation, Value
from slack_docebo.domain.people import Mapping
from slack_docebo.domain.targets import BRANCH, EXPIRATION
from slack_docebo.engine.planning.drafts import close_plan, open_plan
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.errors import PlanNotApplicable
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import JournalEntry
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

Key = tuple[str, str]  # a plan, and the Slack id of somebody to whom it did something
MAPPING = "mapping"  # among attributes
NOTHING: MappingType[str, Value] = {}
NOT_UNDONE = {PlanKind.RESET_MAPPINGS: "bring the rows back with the form Restore mappings from a backup"}


@dataclass(slots=True)
class _Past:
    """Everything that a run did to one account and its mapping, put together."""

    last: Operation
    created: bool = False
    before: dict[str, Value] = field(default_factory=dict)  # as it was before the first operation
    after: dict[str, Value] = field(default_factory=dict)  # as the last one left it
    let_in: bool = False  # somebody whom we had shut out
    remapped: bool = False  # the mapping was written or deleted
    prior: Mapping | None = None  # the mapping before the first operation
    written: Mapping | None = None  # and after the last one

    @property
    def changes_mark(self) -> bool:
        """Whether the run changed the note that we have shut the account; account and note are undone together."""
        return (self.prior is not None and self.prior.deactivated) != (
            self.written is not None and self.written.deactivated
        )


def plan_undo(runtime: Runtime, of: str, *, deactivate_created: bool = False) -> str:
    """Plan the inverse of what the plan, or else the flow run, *of* has done; return the plan's id.

    Attributes get their previous values, deactivated accounts are activated again, mappings come back. Accounts that
    were created stay, with their mapping, unless *deactivate_created*. Raises PlanNotApplicable if nothing was done,
    if all of it was undone before, and for a kind of plan or a platform for which undoing is not possible.
    """
    plans, pasts, undone_by = _read(runtime.store, runtime.settings.docebo_url, of)
    operations = [
        operation for past in reversed(pasts) for operation in _inverse(past, deactivate_created=deactivate_created)
    ]
    if undone_by and all(operation.kind is Kind.LEAVE for operation in operations):
        raise PlanNotApplicable(f"{of} was undone before, by plan {', '.join(sorted(undone_by))}")
    first = plans[0]
    plan_id = open_plan(runtime, Workspace(first.slack_team, first.slack_team_name), PlanKind.UNDO)
    with runtime.store.transaction() as tables:
        tables.operations.add(plan_id, 0, operations)
    facts = {"undoes": of, "undoes_plans": [plan.id for plan in plans]}
    close_plan(runtime, plan_id, looked_after=max(plan.looked_after for plan in plans), facts=facts)
    return plan_id


def _read(store: Store, docebo: str, of: str) -> tuple[list[Plan], list[_Past], set[str]]:
    """Return the plans to undo, the oldest first, what they did to each account, and the plans that have undone parts.

    Operations that were undone before are left out.
    """
    with store.reading() as tables:
        plan = tables.plans.get(of)
        entries = list(tables.journal.applied(plan_id=of) if plan else tables.journal.applied(flow_run=of))
        plans = [tables.plans.read(plan_id) for plan_id in dict.fromkeys(entry.plan_id for entry in entries)]
        undone, in_part = _undone(tables)
        ending = {entry.operation.docebo_id or 0 for entry in entries if EXPIRATION in entry.operation.changes}
        ended = tables.expirations(docebo).of(ending)
    if not plans:
        raise PlanNotApplicable(
            f"nothing was done under {of}: give the id of a plan, as its summary or `slack-docebo plan list` shows it, or of a"
            " flow run"
        )
    for plan in plans:
        if advice := NOT_UNDONE.get(plan.kind):
            raise PlanNotApplicable(f"{plan.kind} is not undone from the journal: {advice}")
        if (plan.docebo, plan.slack_team) != (docebo, plans[0].slack_team):
            raise PlanNotApplicable(f"{of} was for workspace {plan.slack_team} and {plan.docebo}")
    undone_by = {undone[key] for key in map(_key, entries) if key in undone}
    return plans, _pasts((entry for entry in entries if _key(entry) not in undone), ended, in_part), undone_by


def _undone(tables: Tables) -> tuple[dict[Key, str], dict[Key, set[str]]]:
    """Return which plan has undone what, and the attributes undone where Docebo has refused to undo the others.

    A row of an undo that was sent without some attributes counts as refused for these. What an undo did counts in
    neither if that undo was undone itself.
    """
    undone, in_part = dict[Key, str](), defaultdict[Key, set[str]](set)
    for undo in reversed(list(tables.plans.undos())):  # the newest first: whether it was undone itself is known by then
        of = undo.facts.get("undoes_plans")
        operations = [entry.operation for entry in tables.journal.applied(plan_id=undo.id)]
        refused = tables.operations.not_done(undo.id, {operation.slack_id for operation in operations})
        # A row that went without something has changed less than it was to change.
        refused |= {one.slack_id for one in operations if one.before.keys() - one.changes.keys()}
        for plan_id, operation in product(of if isinstance(of, list) else (), operations):
            for slack_id in people_of([operation]):
                if (undo.id, slack_id) in undone:
                    continue
                if operation.slack_id in refused:
                    in_part[plan_id, slack_id] |= operation.changes.keys()
                    if operation.maps or operation.kind is Kind.UNMAP:
                        in_part[plan_id, slack_id].add(MAPPING)
                else:
                    undone[plan_id, slack_id] = undo.id
    return undone, in_part


def _key(entry: JournalEntry) -> Key:
    return entry.plan_id, entry.operation.slack_id


def _pasts(
    entries: Iterable[JournalEntry], ended: Collection[int], undone: MappingType[Key, Collection[str]]
) -> list[_Past]:
    """Return what *entries* did to each account, without attributes that are *undone*, in order of the last entry.

    *ended* are the accounts that we have let expire.
    """
    pasts: dict[tuple[str, int | None], _Past] = {}
    for entry in entries:
        operation = entry.operation
        if not operation.slack_id:
            continue  # the person was forgotten
        key = operation.slack_id, operation.docebo_id
        past = pasts[key] = pasts.pop(key, _Past(operation))
        past.last = operation
        past.created |= operation.kind is Kind.CREATE
        past.let_in |= _lets_in(operation, ended)
        for name, value in operation.changes.items():
            if name in undone.get(_key(entry), ()):
                continue
            if operation.kind is Kind.CREATE or name in operation.before:  # else Docebo did not show what it was
                past.before.setdefault(name, operation.before.get(name, ""))
            past.after[name] = value
        changes_mapping = operation.maps or operation.kind is Kind.UNMAP or _changes_applied(operation)
        if changes_mapping and MAPPING not in undone.get(_key(entry), ()):
            if not past.remapped:
                past.remapped, past.prior = True, operation.prior
            past.written = _written(operation)
    return list(pasts.values())


def _lets_in(operation: Operation, ended: Collection[int]) -> bool:
    """Tell whether *operation* let in a person whom we had shut out.

    Another expiration date lets somebody in only if we had let the account expire: otherwise somebody else had set it.
    """
    was_shut = operation.prior is None or operation.prior.deactivated
    is_ours = EXPIRATION in operation.changes and operation.docebo_id in ended and was_shut
    return operation.kind is Kind.UPDATE and (operation.changes.get("active") is True or is_ours)


def _changes_applied(operation: Operation) -> bool:
    """Tell whether *operation* kept the mapping, and changed what is stored as applied to its account."""
    mapping = operation.prior
    return bool(operation.fingerprint) and mapping is not None and mapping.docebo_id == operation.docebo_id


def _written(operation: Operation) -> Mapping | None:
    """Return the mapping row as *operation* left it."""
    if operation.kind is Kind.UNMAP or operation.docebo_id is None:
        return None
    return Mapping(
        slack_id=operation.slack_id,
        slack_team=operation.slack_team,
        slack_name=operation.slack_name,
        docebo_id=operation.docebo_id,
        fingerprint=operation.fingerprint,
        echo=operation.echo,
        deactivated=operation.deactivated,
    )


def _inverse(past: _Past, *, deactivate_created: bool) -> Iterator[Operation]:
    """Yield the operations that bring back the account and the mapping: a single one if it can do both.

    Each is skipped if the mapping is not as the run left it. Attributes that cannot be brought back, because Docebo did
    not show their former values, are reported by an operation that leaves the person alone.
    """
    if past.created:
        yield _inverse_of_creation(past, deactivate=deactivate_created)
        return
    unknown = sorted(past.after.keys() - past.before.keys())
    if unknown:
        yield _operation(past, Kind.LEAVE, f"nobody knows what there was before: {', '.join(unknown)}")
    changed = {name: value for name, value in past.before.items() if value != past.after[name]}
    operations = []
    # In the order in which they are carried out, for the mapping comes back with the last of them. The status is an
    # operation of its own, because deactivations have a limit of their own.
    deactivates = changed.get("active") is False
    if deactivates:
        del changed["active"]
    branch = changed.pop(BRANCH, "")
    if changed:
        before = {name: past.after[name] for name in changed}
        operations.append(
            _operation(past, Kind.UPDATE, f"restores {', '.join(changed)}", changes=changed, before=before)
        )
    if branch:
        before = {BRANCH: past.after[BRANCH]}
        operations.append(_operation(past, Kind.MOVE, "moves back", changes={BRANCH: branch}, before=before))
    if deactivates:
        operations.append(_deactivation(past, "was inactive before"))
    shuts = past.let_in and (deactivates or EXPIRATION in changed)
    if not past.remapped or past.prior == past.written or (EXPIRATION in unknown and past.changes_mark):
        yield from _noting_who_shut(operations) if shuts else operations
        return
    operations = [replace(operation, prior=past.written) for operation in operations]
    if past.prior:
        # All for whoever gets the mapping back: what is done to one account is one person's, or would be undone in halves.
        whose = past.prior.slack_id, past.prior.slack_name
        operations = [replace(operation, slack_id=whose[0], slack_name=whose[1]) for operation in operations]
    if operations and past.prior and past.prior.docebo_id == past.last.docebo_id:
        operations[-1] = replace(operations[-1], **_mapping_of(past.prior))
    else:
        operations.append(_inverse_of_mapping(past))
    yield from _noting_who_shut(operations) if shuts and past.prior is None else operations


def _noting_who_shut(operations: list[Operation]) -> list[Operation]:
    """Return *operations*, the last one with the note that we had shut the account, as no mapping has that note."""
    return [*operations[:-1], replace(operations[-1], deactivated=True)]


def _inverse_of_creation(past: _Past, *, deactivate: bool) -> Operation:
    if not deactivate:
        return _operation(past, Kind.LEAVE, CREATED_STAYS)
    # The mapping stays and says who deactivated the account: if the person is wanted after all, it is activated again.
    return replace(
        _deactivation(past, "was created"), maps=past.written is not None, deactivated=True, prior=past.written
    )


def _inverse_of_mapping(past: _Past) -> Operation:
    if past.prior is None:
        return replace(_operation(past, Kind.UNMAP, "was not mapped before"), prior=past.written)
    operation = _operation(past, Kind.MAP, "was mapped before")
    return replace(operation, docebo_id=past.prior.docebo_id, prior=past.written, **_mapping_of(past.prior))


def _mapping_of(mapping: Mapping) -> dict[str, Any]:
    """Return the fields of an operation that writes this mapping."""
    return {
        "slack_id": mapping.slack_id,
        "slack_team": mapping.slack_team,
        "slack_name": mapping.slack_name,
        "maps": True,
        "fingerprint": mapping.fingerprint,
        "echo": mapping.echo,
        "deactivated": mapping.deactivated,
    }


def _deactivation(past: _Past, reason: str) -> Operation:
    return _operation(past, Kind.DEACTIVATE, reason, changes={"active": False}, before={"active": True})


def _operation(
    past: _Past,
    kind: Kind,
    reason: str,
    *,
    changes: MappingType[str, Value] = NOTHING,
    before: MappingType[str, Value] = NOTHING,
) -> Operation:
    return Operation(
        slack_id=past.last.slack_id,
        slack_team=past.last.slack_team,
        slack_name=past.last.slack_name,
        kind=kind,
        reason=reason,
        docebo_id=past.last.docebo_id,
        changes=changes,
        before=before,
    )
