"""Recording: what became of operations, with the mappings and standings that go with it, in one transaction."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import replace
from datetime import datetime

from slack_docebo.domain.effects import TO_ACCOUNTS, activates, changes_access, mapping_of, people_of
from slack_docebo.domain.grace import HAS_LEFT, is_of_leaver
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.people import Applied, Mapping
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.stamps import TOLERANCE, UNSTAMPED
from slack_docebo.domain.targets import BRANCH, EXPIRATION, MANAGER, is_manager, manager_type_of
from slack_docebo.engine.writing.standing import BRINGS_IN_LINE, note_standings
from slack_docebo.errors import StorageConflict
from slack_docebo.runtime import OrgChart, Runtime
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.sightings import Written
from slack_docebo.storage.tables import Tables

Numbered = tuple[int, Operation]  # an operation with its place in the plan
Recorded = tuple[Operation, RowOutcome]
STILL_IN, STILL_OUT = "still gets in: ", "still shut out: "  # why what decides on somebody's access has failed
REMAPPED = "the mapping or the account of this person was changed meanwhile, and stays so: plan again"


def record(
    runtime: Runtime, plan_id: str, batch: Sequence[Numbered], results: Sequence[RowOutcome], *, flow_run: str = ""
) -> None:
    """Write outcomes with their mappings and standings; as those of *flow_run*, if not of this run.

    A mapping that was changed during the call stays as it is. Its outcome is recorded all the same, without the
    mapping: what was done to the account is done.
    """
    if not results:
        return
    operations = dict(batch)
    try:
        _record(runtime, plan_id, operations, results, flow_run=flow_run)
    except StorageConflict:
        for result in results:
            try:
                _record(runtime, plan_id, operations, [result], flow_run=flow_run)
            except StorageConflict:
                alone = replace(operations[result.seq], maps=False, fingerprint="")
                outcome = result.outcome if alone.kind in TO_ACCOUNTS else Outcome.SKIPPED
                became = replace(result, outcome=outcome, error=REMAPPED)
                _record(runtime, plan_id, {result.seq: alone}, [became], flow_run=flow_run)


def _record(
    runtime: Runtime, plan_id: str, operations: dict[int, Operation], results: Sequence[RowOutcome], *, flow_run: str
) -> None:
    everybody = [(_as_written(operations[result.seq], result), result) for result in results]
    now = runtime.now()
    with runtime.store.transaction() as tables:
        excluded = tables.exclusions.all()  # of whom somebody was forgotten during the call, perhaps
        outcomes = [(op, result) for op, result in everybody if op.slack_id and not excluded.cover_any([op.slack_id])]
        nameable = {result.seq for _, result in outcomes}
        told = [
            _with_access(op, one) if one.seq in nameable else replace(one, error="", said="") for op, one in everybody
        ]
        tables.operations.record(plan_id, told, now=now, flow_run=flow_run or runtime.run_id)
        tables.operations.keep_written(plan_id, {one.seq: op.changes for op, one in outcomes if one.without})
        tables.intents.settle(plan_id, [result.seq for result in results if not result.in_doubt])
        plan = tables.plans.read(plan_id)
        note_standings(tables, plan, outcomes, provision=runtime.behaviour.provision_slack_user_data, now=now)
        applied = [(op, result) for op, result in outcomes if result.outcome is Outcome.APPLIED]
        if plan.read_since:
            applied = _with_events_tried_again(tables, plan, applied, plan.read_since, now=now)
            if plan.kind is PlanKind.REALTIME_SYNC:  # no list: nothing else says how new this is
                stamps = {op.slack_id: UNSTAMPED for op, _ in applied}
                tables.applied(plan.docebo).advance(plan.slack_team, stamps, now=now)
        if plan.kind in BRINGS_IN_LINE:
            tables.inbox.look_at_parked(plan.slack_team, [op.slack_id for op, _ in applied], now=now)
        if plan.kind is PlanKind.UNDO:
            # What is undone is not what Docebo has made of it. Where a mapping comes back, it brings back its own echo.
            tables.applied(plan.docebo).forget_echoes(plan.slack_team, people_of(op for op, _ in applied))
            # It would be written once more by what was read before.
            undone = people_of(op for op, _ in applied if _comes_from_custom_fields(op, runtime.behaviour.attributes))
            tables.profiles.doubt(plan.slack_team, tables.people.ids_of(undone))
        shut_out = _shut_out_since(tables, plan, applied)
        for team in {op.slack_team for op, _ in applied}:
            of_team = [(op, result) for op, result in applied if op.slack_team == team]
            _keep_mappings(runtime, tables, plan, of_team, team=team, shut_out=shut_out)
        _note_accounts(runtime, tables, plan, applied)


def _with_access(operation: Operation, result: RowOutcome) -> RowOutcome:
    """Return *result* with an error that says whose access stays as it was.

    Whoever has acknowledged that Docebo refuses a person another name has not thereby acknowledged that.
    """
    if result.outcome is not Outcome.FAILED or not (operation.kind is Kind.DEACTIVATE or activates(operation)):
        return result
    return replace(result, error=f"{STILL_IN if operation.kind is Kind.DEACTIVATE else STILL_OUT}{result.error}")


def _as_written(operation: Operation, result: RowOutcome) -> Operation:
    """Return *operation* with what its row held: what was left out was not written, and cannot be undone."""
    written = {name: value for name, value in operation.changes.items() if name not in result.without}
    return replace(operation, changes=written) if result.without else operation


def _with_events_tried_again(
    tables: Tables, plan: Plan, applied: Sequence[Recorded], read_since: datetime, *, now: datetime
) -> list[Recorded]:
    """Let events about these people be tried again that were applied since *read_since*: older values may be written.

    Returns *applied*, then without the fingerprints of accounts that somebody else has changed since.
    """
    people = [op.slack_id for op, _ in applied]
    changed: Collection[int] = ()
    known = {*people, *tables.people.other_ids(plan.slack_team, people)}  # an event may bear another id
    if tables.inbox.look_again(known, since=read_since - TOLERANCE, now=now):
        # What was changed since it was read may not show all that is wanted: the events are held against Docebo. Not what
        # may have been changed before it, by another clock: an import soon after an event, and the event, which is looked
        # at again then, would write by turns.
        changed = tables.operations.written_by_others(plan.id, people, since=read_since)
    return [(replace(op, fingerprint="") if op.docebo_id in changed else op, result) for op, result in applied]


def _keep_mappings(
    runtime: Runtime, tables: Tables, plan: Plan, applied: Sequence[Recorded], *, team: str, shut_out: Collection[int]
) -> None:
    """Store the mappings of people in *team* and what was written to their accounts; *shut_out* stay deactivated.

    Raises StorageConflict where somebody else has changed one of the mappings, or is shutting an account that a person
    would get.
    """
    docebo, now, run = runtime.settings.docebo_url, runtime.now(), runtime.run_id
    mappings = tables.mappings(docebo)
    received = {result.docebo_id for op, result in applied if op.gives_account}
    is_shut = received and not received.isdisjoint(tables.intents.shutting(docebo, but_of=plan.id))
    if is_shut or _remapped(applied, mappings.of(team, people_of(op for op, _ in applied))):
        raise StorageConflict(REMAPPED)
    acted_on = [op.mapped_as for op, _ in applied if is_of_leaver(op.kind, op.reason) or op.mapped_as != op.slack_id]
    tables.leavers.clear(team, acted_on)
    if gone := [op.mapped_as for op, _ in applied if op.kind is Kind.UNMAP]:
        mappings.delete(team, gone)
    if heirs := {op.mapped_as: op.slack_id for op, _ in applied if op.passes_mapping}:
        mappings.pass_on(team, heirs, now=now)
    given = [
        (op, Applied(docebo_id, op.fingerprint, op.echo, op.deactivated or docebo_id in shut_out))
        for op, result in applied
        if (docebo_id := result.docebo_id) is not None
    ]
    mapped = [
        Mapping(
            slack_id=op.slack_id,
            slack_team=team,
            slack_name=op.slack_name,
            docebo_id=one.docebo_id,
            fingerprint=one.fingerprint,
            echo=one.echo,
            deactivated=one.deactivated,
        )
        for op, one in given
        if op.maps
    ]
    mappings.save(mapped, now=now, run=run)
    unmapped = {op.slack_id: one for op, one in given if op.fingerprint and not op.maps}
    known = tables.applied(docebo)
    known.save(team, unmapped, now=now, run=run)
    known.pass_on(
        team, {op.slack_id: one.docebo_id for op, one in given if op.gives_account or op.slack_id in unmapped}
    )


def _note_accounts(runtime: Runtime, tables: Tables, plan: Plan, applied: Sequence[Recorded]) -> None:
    """Note what was written to accounts: names, status, managers, branches, and the former branch of leavers."""
    docebo, now = runtime.settings.docebo_url, runtime.now()
    by_account = [(docebo_id, op) for op, result in applied if (docebo_id := result.docebo_id)]
    if written := [_written(op, docebo_id) for docebo_id, op in by_account if op.kind in TO_ACCOUNTS]:
        tables.sightings(docebo).note_written(written, now=now)
        shut = [(one, op) for one, op in by_account if op.kind is Kind.DEACTIVATE]
        tables.expirations(docebo).note(
            {one: str(op.before.get(EXPIRATION, "")) if EXPIRATION in op.changes else None for one, op in shut}
        )
        tables.managers(docebo).note(_managers(applied))
        placements = tables.placements(docebo)
        placements.note({one: int(op.changes[BRANCH]) for one, op in by_account if BRANCH in op.changes})
        moves = [(one, op) for one, op in by_account if op.kind is Kind.MOVE]
        away = {one for one, op in moves if _is_to_leavers(runtime.org_chart, plan, op)}
        placements.note_left({one: int(op.before[BRANCH]) for one, op in moves if one in away and BRANCH in op.before})
        placements.clear_left(one for one, _ in moves if one not in away)
    if inactive := [one for one, op in by_account if op.deactivated and not op.maps]:
        tables.deactivations(docebo).note(inactive, now=now, run=runtime.run_id)


def _is_to_leavers(org_chart: OrgChart, plan: Plan, move: Operation) -> bool:
    """Tell whether *move* brings an account to the leavers' branch; an undo may bring it back there."""
    is_there_again = plan.kind is PlanKind.UNDO and move.changes[BRANCH] == str(org_chart.of_leavers)
    return is_there_again or move.reason == HAS_LEFT


def _shut_out_since(tables: Tables, plan: Plan, applied: Sequence[Recorded]) -> set[int]:
    """Return which accounts in *applied* we have deactivated since the plan's run began, and it has not activated.

    The data that it has read may show them as active: without this note, they would stay shut when their person is
    back.
    """
    if plan.read_since is None:
        return set()
    ids = [result.docebo_id for op, result in applied if result.docebo_id and not changes_access(op)]
    since = plan.read_since - TOLERANCE
    return {docebo_id for docebo_id, when in tables.deactivations(plan.docebo).since(ids).items() if when > since}


def _remapped(applied: Sequence[Recorded], mappings: MappingType[str, Mapping]) -> bool:
    """Tell whether somebody is mapped neither to the account that the plan replaces nor to the one that it brings."""

    def is_remapped(operation: Operation, result: RowOutcome) -> bool:
        mapping, prior = mapping_of(operation, mappings), operation.prior
        return (mapping and mapping.docebo_id) not in {result.docebo_id, prior and prior.docebo_id}

    return any(is_remapped(op, result) for op, result in applied if op.maps or op.kind is Kind.UNMAP)


def _comes_from_custom_fields(operation: Operation, rules: Iterable[AttributeRule]) -> bool:
    """Tell whether *operation* changes an attribute that these *rules* fill from custom profile fields."""
    given = {rule.target for rule in rules if rule.is_custom}
    return any(name in given or (is_manager(name) and MANAGER in given) for name in operation.changes)


def _managers(applied: Sequence[Recorded]) -> dict[tuple[int, int], int]:
    """Return the managers that were written, by account and type; 0 for none."""
    return {
        (result.docebo_id, manager_type_of(name)): int(value or 0)
        for operation, result in applied
        for name, value in operation.changes.items()
        if is_manager(name) and result.docebo_id
    }


def _written(operation: Operation, docebo_id: int) -> Written:
    changes = operation.changes
    active = bool(changes["active"]) if "active" in changes else (activates(operation) or None)
    return Written(docebo_id, operation.username, operation.email, active)
