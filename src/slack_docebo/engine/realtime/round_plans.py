"""Planning in real time: the plan for the people of one round, and the people whom the limits hold back."""

from collections.abc import Collection

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.guards import Change, changes_of
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Observation
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.standing import is_undecided
from slack_docebo.engine.planning.drafts import close_plan, open_plan
from slack_docebo.engine.planning.limits import count_people, end_of_window
from slack_docebo.engine.planning.people import keep_found_accounts, keep_observations, note_names, plan_people
from slack_docebo.engine.planning.returners import look_for_leavers, look_for_returners
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_people
from slack_docebo.engine.reading.overtaken import overtaken
from slack_docebo.engine.realtime.holding import hold
from slack_docebo.engine.realtime.merging import Case, event_ids
from slack_docebo.engine.realtime.serve_result import Became, ServeResult
from slack_docebo.engine.writing.leavers import passed_on_to
from slack_docebo.engine.writing.left_behind import in_doubt
from slack_docebo.errors import IncompleteRead
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind, PlanState
from slack_docebo.storage.store import Store


async def plan_cases(
    runtime: Runtime, policy: Policy, cases: list[Case], accounts: Accounts
) -> tuple[Planner, list[Operation]]:
    """Return planner and operations for *cases*.

    Slack is asked for holders of accounts to which people may return, and for people who may have returned to accounts
    that would be shut. Raises IncompleteRead if Docebo does not say whether somebody has an account already.
    """
    planner, team = Planner(policy, accounts), policy.scope.team
    operations = await to_completion(_operations, runtime, cases, planner)
    await look_for_leavers(runtime, planner, [[op for op in operations if op.kind is Kind.CREATE]])
    if planner.returns.in_doubt:
        raise IncompleteRead(next(iter(planner.returns.in_doubt.values())))
    await look_for_returners(runtime, planner, [op for op in operations if op.kind is Kind.DEACTIVATE])
    answers: dict[str, Observation[SourceUser]] = {}
    if holders := planner.returns.holders:
        answers, former_ids = await ask_for_people(runtime, team, sorted(holders)), planner.returns.former_ids
        others = {holder: seen for holder, seen in answers.items() if holder not in former_ids}
        answers |= await to_completion(overtaken, runtime, team, others)
    if planner.returns.settle(answers):
        planner = planner.anew()
        operations = await to_completion(_operations, runtime, cases, planner)
    return planner, operations


def _operations(runtime: Runtime, cases: list[Case], planner: Planner) -> list[Operation]:
    """Plan for *cases*, and again for people whose claim to an account lost to that of somebody later in *cases*."""
    docebo, now = runtime.settings.docebo_url, runtime.now()
    with runtime.store.reading() as tables:
        operations = plan_people(tables, docebo, planner, [case.person for case in cases], now=now).operations
        looked_after = planner.found.people
        outdone = [case.person for case in cases if not planner.claims.outdone.isdisjoint(case.person.ids)]
        again = plan_people(tables, docebo, planner, outdone, now=now).operations if outdone else []
        planner.found.people = looked_after
    by_person = {operation.slack_id: operation for operation in (*operations, *again)}
    return list(by_person.values())


def to_be_read(runtime: Runtime, planner: Planner, cases: list[Case], operations: list[Operation]) -> list[Case]:
    """Return the *cases* for which Slack has to be asked before *operations* are stored: what is known of them may be old.

    Something newer may have been applied to people who turn out to be known under another id, and to people who are to
    be created though they were served before: their account may have gone to the id under which they are back.
    """
    created = [operation.slack_id for operation in operations if operation.kind is Kind.CREATE]
    with runtime.store.reading() as tables:
        stamps = tables.applied(runtime.settings.docebo_url).stamps(
            planner.policy.scope.team, created, now=runtime.now()
        )
    outdated = planner.returns.newly_identified | stamps.keys()
    return [case for case in cases if case.slack_id in outdated]


def store_round_plan(
    runtime: Runtime,
    workspace: Workspace,
    cases: list[Case],
    *,
    planner: Planner,
    operations: list[Operation],
    served: ServeResult,
    let_through: Collection[Change],
) -> tuple[str | None, set[str]]:
    """Store a plan for *cases*; return its id, None if it would say nothing new, and the Slack ids held back.

    If somebody is held back, the plan has only their operations and is refused; the caller has to plan for the others
    again. Somebody has let the plan exceed the limits for the changes in *let_through*.
    """
    docebo, team = runtime.settings.docebo_url, workspace.team
    with runtime.store.reading() as tables:
        # A limit is a share of everybody who is looked after, not of the few people of this round.
        looked_after = count_people(tables, runtime.settings.docebo_url, team, at_least=planner.found.people)
        waiting = [op for op in operations if op.kind is Kind.LEAVE and is_undecided(op.reason)]
        known = tables.standings.of(docebo, team, [op.slack_id for op in waiting])
    news = [op for op in waiting if op.slack_id not in known or not known[op.slack_id].covers(op)]
    if not news and all(operation.kind is Kind.LEAVE for operation in operations):
        found = planner.found
        if found.first_seen_leaving or found.no_leavers or found.seen or found.accounts or found.handed_over:
            with runtime.store.transaction() as tables:
                keep_observations(tables, docebo, team, found, now=runtime.now())
                keep_found_accounts(tables, docebo, team, found.accounts, now=runtime.now())
        return None, set()
    plan_id = open_plan(runtime, workspace, PlanKind.REALTIME_SYNC)
    with runtime.store.transaction() as tables:
        kept = tables.inbox.keep(event_ids(cases))
        forgotten = {case.slack_id for case in cases if kept.isdisjoint(case.event_ids)}
        remembered = [operation for operation in operations if operation.slack_id not in forgotten]
        tables.operations.add(plan_id, 0, remembered)
        keep_observations(tables, docebo, team, planner.found, now=runtime.now())
        keep_found_accounts(tables, docebo, team, planner.found.accounts, now=runtime.now())
        note_names(tables, team, [case.person for case in cases], runtime.behaviour.people_shown)
    measured = close_plan(runtime, plan_id, looked_after=looked_after, let_through=let_through)
    served.plans.append(plan_id)
    over = dict(measured.refused(let_through))
    held = _hold_back(runtime, plan_id, cases, operations=remembered, served=served, over=over)
    if not held:
        served.undecided += len(news)
    return plan_id, held


def withdraw_unsent(store: Store, plan_id: str) -> set[str]:
    """Take those out of a plan that was begun for whom nothing was sent yet, and return their Slack ids."""
    sent = {operation.slack_id for _, operation in in_doubt(store, plan_id)}
    with store.transaction() as tables:
        if tables.plans.read(plan_id).state is not PlanState.APPLYING:
            return set()
        return tables.operations.withdraw(plan_id, set(tables.operations.people_planned(plan_id, Kind)) - sent)


def _hold_back(
    runtime: Runtime,
    plan_id: str,
    cases: list[Case],
    *,
    operations: list[Operation],
    served: ServeResult,
    over: dict[Change, str],
) -> set[str]:
    """Hold back the people in *cases* whose changes are *over* a limit, and return their Slack ids."""
    if not over:
        return set()
    ends_by = end_of_window(runtime.behaviour, runtime.now())
    with runtime.store.reading() as tables:
        passed_on = passed_on_to(tables, operations[0].slack_team, operations)
    held = {op.slack_id for op in operations if not over.keys().isdisjoint(changes_of(op, ends_by, passed_on))}
    if held:
        with runtime.store.transaction() as tables:
            tables.operations.withdraw(plan_id, {op.slack_id for op in operations} - held)
        theirs = [case for case in cases if case.slack_id in held]
        incident = hold(runtime, plan_id, theirs, over.values())
        why = "; ".join(over.values())
        served.note(event_ids(theirs), Became.HELD, runtime.now(), why=why, incident=incident)
    return held
