"""Undoing a run or a plan: what it did is planned the other way round."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from slack_docebo.domain.people import Mapping
from slack_docebo.domain.planning import Kind, Operation, Value
from slack_docebo.engine.planning.plans import close_plan, open_plan
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.errors import PlanNotApplicable
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import Entry, Plan, PlanKind, PlanRepository

Key = tuple[str, int | None]  # Slack id and account
NOT_UNDONE = {PlanKind.RESET_MAPPINGS: "bring the rows back with `slack-docebo mappings restore`"}


@dataclass(slots=True)
class _Past:
    """All that a run did to one account and its mapping, put together."""

    last: Operation
    created: bool = False
    before: dict[str, Value] = field(default_factory=dict)  # as it was before the first operation
    after: dict[str, Value] = field(default_factory=dict)  # as the last one left it
    remapped: bool = False  # the mapping was written or deleted
    prior: Mapping | None = None  # the mapping before the first operation
    written: Mapping | None = None  # and after the last one

    @property
    def key(self) -> Key:
        return _key(self.last)


def plan_undo(runtime: Runtime, of: str, *, deactivate_created: bool = False) -> str:
    """Plan the inverse of what the plan, or else the flow run, *of* has done; return the plan's id.

    Attributes get their previous values, deactivated accounts are activated again, mappings come back. Accounts that
    were created stay, with their mapping, unless *deactivate_created*. Raises PlanNotApplicable where there is nothing
    to undo, or nothing any more.
    """
    plans, pasts, undone = _read(runtime, of)
    still_done = [past for past in pasts if past.key not in undone]
    operations = [op for past in still_done for op in _inverse(past, deactivate_created=deactivate_created)]
    if undone and all(operation.kind is Kind.LEAVE for operation in operations):
        raise PlanNotApplicable(f"{of} was undone before, by plan {', '.join(sorted(set(undone.values())))}")
    first = plans[0]
    plan_id = open_plan(runtime, Workspace(first.slack_team, first.slack_team_name), PlanKind.UNDO)
    with runtime.store.transaction() as connection:
        PlanRepository(connection).add(plan_id, 0, operations)
    facts = {"undoes": of, "undoes_plans": [plan.id for plan in plans]}
    close_plan(runtime, plan_id, looked_after=max(plan.looked_after for plan in plans), facts=facts)
    return plan_id


def _read(runtime: Runtime, of: str) -> tuple[list[Plan], list[_Past], dict[Key, str]]:
    """Return the plans concerned, the oldest first, what they did to each account, and what of it was undone before."""
    with runtime.store.reading() as connection:
        repository = PlanRepository(connection)
        plan = repository.get(of)
        entries = repository.applied(plan_id=of) if plan else repository.applied(flow_run=of)
        pasts, plan_ids = _pasts(entries)
        plans = [repository.read(plan_id) for plan_id in plan_ids]
        undone = _undone(repository, plan_ids)
    if not plans:
        raise PlanNotApplicable(
            f"nothing was done under {of}: give the id of a plan, as `slack-docebo plan list` shows it, or of a flow run"
        )
    for plan in plans:
        if advice := NOT_UNDONE.get(plan.kind):
            raise PlanNotApplicable(f"{plan.kind} is not undone from the journal: {advice}")
        if (plan.docebo, plan.slack_team) != (runtime.settings.docebo_url, plans[0].slack_team):
            raise PlanNotApplicable(f"{of} was for workspace {plan.slack_team} and {plan.docebo}")
    return plans, pasts, undone


def _undone(repository: PlanRepository, plan_ids: Collection[str]) -> dict[Key, str]:
    """Return what of these plans was undone before, and was not done again by undoing that: by which plan."""
    done = {
        undo.id: {_key(entry.operation) for entry in repository.applied(plan_id=undo.id)} for undo in repository.undos()
    }
    undone: dict[Key, str] = {}
    for undo in repository.undos():  # the oldest first
        of = undo.facts.get("undoes_plans")
        undoes = set(of) if isinstance(of, list) else set[str]()
        if undoes & set(plan_ids):
            undone |= dict.fromkeys(done[undo.id], undo.id)
        for key in done[undo.id]:
            if undone.get(key) in undoes:
                del undone[key]
    return undone


def _key(operation: Operation) -> Key:
    return operation.slack_id, operation.docebo_id


def _pasts(entries: Iterable[Entry]) -> tuple[list[_Past], list[str]]:
    pasts: dict[Key, _Past] = {}
    plan_ids: dict[str, None] = {}
    for entry in entries:
        plan_ids.setdefault(entry.plan_id)
        operation = entry.operation
        if not operation.slack_id:
            continue  # the person was forgotten
        past = pasts.setdefault(_key(operation), _Past(operation))
        past.last = operation
        past.created |= operation.kind is Kind.CREATE
        for name, value in operation.changes.items():
            past.before.setdefault(name, operation.before.get(name, ""))
            past.after[name] = value
        if operation.maps or operation.kind is Kind.UNMAP or _changes_applied(operation):
            if not past.remapped:
                past.remapped, past.prior = True, operation.prior
            past.written = _written(operation)
    return list(pasts.values()), list(plan_ids)


def _changes_applied(operation: Operation) -> bool:
    """Tell whether *operation* left the mapping as it was, and changed what is known to be applied to its account."""
    mapping = operation.prior
    return bool(operation.fingerprint) and mapping is not None and mapping.docebo_id == operation.docebo_id


def _written(operation: Operation) -> Mapping | None:
    """Return the mapping row as *operation* left it."""
    if operation.kind is Kind.UNMAP or operation.docebo_id is None:
        return None
    return Mapping(
        operation.slack_id,
        operation.slack_team,
        operation.slack_name,
        operation.docebo_id,
        operation.fingerprint,
        operation.echo,
        operation.deactivated,
    )


def _inverse(past: _Past, *, deactivate_created: bool) -> Iterator[Operation]:
    """Yield the operations that bring back the account and the mapping: in one, where one can do both.

    Each of them is skipped where the mapping is not as the run left it.
    """
    if past.created:
        yield _inverse_of_creation(past, deactivate=deactivate_created)
        return
    changed = {name: value for name, value in past.before.items() if value != past.after[name]}
    operations = []
    # The status is an operation of its own, which comes after the others: deactivations have a limit of their own.
    deactivates = changed.get("active") is False and changed.pop("active") is False
    if changed:
        before = {name: past.after[name] for name in changed}
        operations.append(_operation(past, Kind.UPDATE, f"restores {', '.join(changed)}", changed, before))
    if deactivates:
        operations.append(_operation(past, Kind.DEACTIVATE, "was inactive before", {"active": False}, {"active": True}))
    if not past.remapped or past.prior == past.written:
        yield from operations
        return
    operations = [replace(operation, prior=past.written) for operation in operations]
    if operations and past.prior and past.prior.docebo_id == past.last.docebo_id:
        operations[-1] = replace(operations[-1], **_mapping_of(past.prior))
    else:
        operations.append(_inverse_of_mapping(past))
    yield from operations


def _inverse_of_creation(past: _Past, *, deactivate: bool) -> Operation:
    if not deactivate:
        return _operation(past, Kind.LEAVE, "created; accounts stay unless their deactivation is asked for", {}, {})
    # The mapping stays and says who deactivated the account: if the person is wanted after all, it is activated again.
    deactivation = _operation(past, Kind.DEACTIVATE, "was created", {"active": False}, {"active": True})
    return replace(deactivation, maps=past.written is not None, deactivated=True, prior=past.written)


def _inverse_of_mapping(past: _Past) -> Operation:
    if past.prior is None:
        return replace(_operation(past, Kind.UNMAP, "was not mapped before", {}, {}), prior=past.written)
    operation = _operation(past, Kind.MAP, "was mapped before", {}, {})
    return replace(operation, docebo_id=past.prior.docebo_id, prior=past.written, **_mapping_of(past.prior))


def _mapping_of(mapping: Mapping) -> dict[str, Any]:
    """Return the fields of an operation that writes this mapping."""
    return {
        "slack_name": mapping.slack_name,
        "maps": True,
        "fingerprint": mapping.fingerprint,
        "echo": mapping.echo,
        "deactivated": mapping.deactivated,
    }


def _operation(past: _Past, kind: Kind, reason: str, changes: dict[str, Value], before: dict[str, Value]) -> Operation:
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
