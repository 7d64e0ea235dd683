"""Rechecking a saved plan: an operation is skipped if its account or its mapping has changed since."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from slack_docebo.domain.effects import TO_ACCOUNTS, accounts_of, is_looked_for, managers_of, mapping_of, people_of
from slack_docebo.domain.grace import HAS_LEFT, IS_BACK
from slack_docebo.domain.managers import IN_DOUBT
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import SENT_BEFORE, Kind, Operation, Outcome
from slack_docebo.domain.situation import Situation, carried_out, managers_taken_back, reason_to_skip
from slack_docebo.domain.targets import field_id_of
from slack_docebo.engine.reading.accounts import are_few, ask_for_unlisted, note_first_sight, read_target
from slack_docebo.engine.reading.attribute_fields import know_fields
from slack_docebo.engine.reading.branches import branches_of
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import reserve_calls
from slack_docebo.engine.writing.inquiry import OPERATIONS_AT_ONCE, Inquiry, inquire
from slack_docebo.engine.writing.recording import record
from slack_docebo.errors import ConfigurationError, PlanNotApplicable
from slack_docebo.integration_settings import IntegrationSettings, read_written
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind, PlanState
from slack_docebo.storage.tables import Tables

SAVED = frozenset(PlanKind) - {PlanKind.RESET_MAPPINGS}


async def read_for(runtime: Runtime, plan_id: str) -> Accounts:
    """Return all accounts, with the fields that the saved plan changes, even if no present rule names them."""
    with runtime.store.reading() as tables:
        names = tables.operations.attributes_to_change(plan_id)
    await know_fields(runtime, {field_id for name in names if (field_id := field_id_of(name))})
    return await read_target(runtime)


async def recheck(runtime: Runtime, workspace: Workspace, plan_id: str, accounts: Accounts) -> int:
    """Mark each operation that must not be applied today as skipped, and return their number.

    Where *accounts* lack some that Docebo had listed before, these are asked for before an account is made for anybody. What
    Slack is asked first, `inquire` says.
    Operations that a run carried out and did not record, because it was cut off, are recorded now. Raises PlanNotApplicable
    if the plan does not exist, was applied before, is for another workspace or Docebo, or is at odds with the settings,
    and IncompleteRead where to ask Slack for those who have left, are back or are new takes more calls than EVIDENCE_CALLS.
    """
    with runtime.store.reading() as tables:
        plan = tables.plans.read(plan_id)
        pending = {kind for kind in Kind if tables.operations.pending(plan_id, kind, 1)}
        sent = tables.intents.sent(plan_id)
    _check_applicable(runtime, workspace, plan, pending)
    policy = runtime.behaviour.policy(workspace.team)
    planned_by = planned_behaviour(runtime.behaviour, plan).policy(workspace.team)
    inquiry = await inquire(runtime, workspace, plan, accounts=accounts, policy=policy, planned_by=planned_by)
    runtime.managers.planned |= inquiry.managers
    with runtime.store.reading() as tables:
        unseen = tables.mappings(runtime.settings.docebo_url).unseen(workspace.team)
    note_first_sight(runtime, [account for one in unseen if (account := accounts.get(one))])
    undoes, branches = plan.kind is PlanKind.UNDO, runtime.org_chart.branches
    places = await _places(runtime, plan) if Kind.MOVE in pending else {}
    reports = await _reports(runtime, plan) if undoes else {}
    of_all = Situation(accounts, policy, planned_by, undoes=undoes, branches=branches, places=places, reports=reports)
    skipped = 0
    for kind in pending:
        after = -1
        while True:
            with runtime.store.reading() as tables:
                some = tables.operations.pending(plan_id, kind, OPERATIONS_AT_ONCE, after=after)
                today = _situations(tables, plan, some, of_all)
            if not some:
                break
            after = some[-1][0]
            if kind is Kind.CREATE:
                await ask_for_unlisted(runtime, accounts, [operation.email for _, operation in some])
            managing = map(accounts.get, _managers_in(some))
            runtime.managers.usernames |= {account.docebo_id: account.username for account in managing if account}
            results = [
                outcome
                for seq, operation in some
                if (outcome := _outcome(seq, operation, today[seq], inquiry, was_sent=seq in sent))
            ]
            record(runtime, plan_id, some, results)
            skipped += sum(result.outcome is Outcome.SKIPPED for result in results)
    return skipped


async def _places(runtime: Runtime, plan: Plan) -> dict[int, frozenset[int]]:
    """Return the branches of accounts that the *plan* moves by no rule; none if they are many."""
    with runtime.store.reading() as tables:
        moved = {
            row.docebo_id
            for row in tables.operations.told(plan.id, Kind.MOVE)
            if row.outcome == Outcome.PLANNED and (plan.kind is PlanKind.UNDO or row.reason in {HAS_LEFT, IS_BACK})
        }
    return await branches_of(runtime, moved if are_few(runtime, len(moved)) else ())


async def _reports(runtime: Runtime, plan: Plan) -> dict[int, set[int]]:
    """Return who reports to those whom the undo *plan* takes back as managers, as far as Docebo tells it.

    It is asked for a few, a call each; of many nobody asks.
    """
    with runtime.store.reading() as tables:
        rows = tables.operations.told(plan.id, Kind.UPDATE)
        managers = {
            one for row in rows if row.outcome == Outcome.PLANNED for one in managers_taken_back(row.before).values()
        }
    if not managers or not are_few(runtime, len(managers)) or not reserve_calls(runtime, accounts=len(managers)):
        return {}
    asked = {one: await runtime.docebo.subordinates(one) for one in sorted(managers)}
    return {one: reports for one, reports in asked.items() if reports is not None}


def _situations(
    tables: Tables, plan: Plan, some: Sequence[tuple[int, Operation]], of_all: Situation
) -> dict[int, Situation]:
    """Return the situation of each of *some* operations, by number: its own beside what holds *of_all*."""
    docebo, team = plan.docebo, plan.slack_team
    mappings = tables.mappings(docebo)
    rows = mappings.of(team, people_of(operation for _, operation in some))
    ids = accounts_of(operation for _, operation in some)
    holders = mappings.holders(team, ids)
    given = tables.applied(docebo).former_holders(ids) if of_all.undoes else {}
    seen = tables.sightings(docebo).last_seen(_managers_in(some).union(ids))
    branches, managers = _branches_and_managers(tables, docebo, ids)
    other_ids = _other_ids(tables, team, [operation.slack_id for _, operation in some])
    return {
        seq: replace(
            of_all,
            mapping=mapping_of(operation, rows),
            holder="" if operation.docebo_id is None else holders.get(operation.docebo_id, ""),
            given=given.get(operation.docebo_id or 0, ()),
            seen=seen,
            branch=branches.get(operation.docebo_id or 0),
            other_ids=other_ids.get(operation.slack_id, ()),
            managers=managers.get(operation.docebo_id or 0, {}),
        )
        for seq, operation in some
    }


def _managers_in(some: Iterable[tuple[int, Operation]]) -> set[int]:
    """Return the accounts that *some* operations make managers."""
    return {one for _, operation in some for one in managers_of(operation)}


def _outcome(
    seq: int, operation: Operation, today: Situation, inquiry: Inquiry, *, was_sent: bool
) -> RowOutcome | None:
    """Return the outcome of an operation that is not applied any more, or was before; None if it is to be applied."""
    reason = reason_to_skip(operation, today) or inquiry.reason_against(operation)
    if not reason:
        return None
    if was_sent and (docebo_id := carried_out(operation, today)):
        return RowOutcome(seq, Outcome.APPLIED, docebo_id)
    doubt = SENT_BEFORE if was_sent else ""
    return RowOutcome(seq, Outcome.SKIPPED, error=f"{reason}{doubt}", in_doubt=was_sent and is_looked_for(operation))


def _other_ids(tables: Tables, team: str, slack_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the other Slack ids of these people."""
    found: dict[str, list[str]] = {}
    for other, slack_id in tables.people.other_ids(team, slack_ids).items():
        found.setdefault(slack_id, []).append(other)
    return found


def _branches_and_managers(
    tables: Tables, docebo: str, docebo_ids: Collection[int]
) -> tuple[dict[int, int], dict[int, dict[int, int]]]:
    """Return the branch into which we moved each account, and the managers we surely set, by type."""
    managers: dict[int, dict[int, int]] = {}
    for (docebo_id, type_id), manager_id in tables.managers(docebo).of(docebo_ids).items():
        if manager_id != IN_DOUBT:
            managers.setdefault(docebo_id, {})[type_id] = manager_id
    return tables.placements(docebo).of(docebo_ids), managers


def planned_behaviour(behaviour: IntegrationSettings, plan: Plan) -> IntegrationSettings:
    """Return the settings that the plan was made with; raise PlanNotApplicable if they can no longer be read."""
    if plan.settings in ({}, behaviour.written):
        return behaviour
    try:
        planned = read_written({key: str(value) for key, value in plan.settings.items()})
    except ConfigurationError as error:
        raise PlanNotApplicable(
            f"plan {plan.id} was made with settings that this version does not read: make a new one ({error})"
        ) from None
    try:
        return planned.with_members_as(behaviour) if planned.reads_user_groups else planned
    except ValueError as error:
        raise PlanNotApplicable(f"plan {plan.id}: {error}; make a new one") from None


def _check_applicable(runtime: Runtime, workspace: Workspace, plan: Plan, pending: set[Kind]) -> None:
    plan.check_open()
    if plan.kind not in SAVED:
        raise PlanNotApplicable(f"plan {plan.id} is a {plan.kind}: run the flow of that name")
    if plan.kind is PlanKind.REALTIME_SYNC and plan.state is PlanState.APPLYING:
        raise PlanNotApplicable(f"plan {plan.id} may be at work in realtime-sync: run a bulk import instead")
    if (plan.docebo, plan.slack_team) != (runtime.settings.docebo_url, workspace.team):
        raise PlanNotApplicable(f"plan {plan.id} was made for workspace {plan.slack_team} and {plan.docebo}")
    if plan.kind is PlanKind.UNDO:
        return  # what went wrong is undone with everything switched off
    if pending.intersection(TO_ACCOUNTS) and not runtime.behaviour.provision_slack_user_data:
        raise PlanNotApplicable(f"plan {plan.id} changes accounts, but PROVISION_SLACK_USER_DATA is off by now")
    if pending & {Kind.MAP, Kind.UNMAP} and _is_mapping_off_since(runtime.behaviour, plan):
        raise PlanNotApplicable(f"plan {plan.id} changes mappings, but MAP_SLACK_USER_DATA is off by now")


def _is_mapping_off_since(behaviour: IntegrationSettings, plan: Plan) -> bool:
    """Tell whether mapping was switched off since the plan: while it is off, earlier mappings may still pass on."""
    return planned_behaviour(behaviour, plan).map_slack_user_data and not behaviour.map_slack_user_data
