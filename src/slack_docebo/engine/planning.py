"""Making a plan: the rules applied to everybody who was read, kept in the store before anything is written."""

from collections import Counter
from collections.abc import AsyncIterable, Sequence

from sqlalchemy import Connection

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.guards import exceeded
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.planning import Kind, Operation, Planner
from slack_docebo.engine.connection import Workspace
from slack_docebo.engine.orphans import OrphanSearch
from slack_docebo.engine.reading import FEW, confirm_gone
from slack_docebo.engine.report import orphan_file, write_orphans
from slack_docebo.engine.snapshot import Restarted
from slack_docebo.runtime import Runtime
from slack_docebo.storage.applied import AppliedRepository
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.plans import Plan, PlanKind, PlanRepository, PlanState, new_plan_id


async def make_plan(
    runtime: Runtime,
    workspace: Workspace,
    people: AsyncIterable[list[SourceUser]],
    accounts: Accounts,
    *,
    kind: PlanKind,
    trusting: bool = False,
    proven: bool = True,
) -> str:
    """Plan for everybody in *people*, page by page, hold the whole against the limits, and return the plan's id.

    The pages may still be coming: the plan is whole, and can be applied, when they have ended.

    *trusting* takes the target to be as it was last written, for people whose attributes have not changed since.
    *proven* says that *people* is the whole source: only then is anybody taken to have left who is not in it, and
    only when the target was read, too. Then it is also noted what does not fit together: in numbers with the plan,
    one by one in a file. Raises IncompleteRead if Slack shows somebody whom its list left out.
    """
    plan_id = open_plan(runtime, workspace, kind)
    planner = Planner(runtime.behaviour.policy(workspace.team), accounts)
    orphans = OrphanSearch(accounts, planner.given) if proven and not trusting else None
    facts: dict[str, object] = {}
    planned = 0
    try:
        async for page in people:
            planned += await to_completion(
                _plan_page, runtime, workspace, planner, plan_id, planned, page, trusting, orphans
            )
    except Restarted:  # what was planned so far stays unfinished: nobody can apply it
        return await make_plan(runtime, workspace, people, accounts, kind=kind, trusting=trusting, proven=proven)
    if orphans:
        gone = await to_completion(_plan_gone, runtime, workspace, planner, plan_id, planned, orphans)
        await confirm_gone(runtime, workspace, _doubtful(gone))
        file = orphan_file(runtime.settings.report_dir, plan_id)
        facts["orphans"], facts["orphan_fault"] = await to_completion(write_orphans, orphans.found(), file)
    close_plan(runtime, plan_id, looked_after=planner.people, **facts)
    return plan_id


def open_plan(runtime: Runtime, workspace: Workspace, kind: PlanKind) -> str:
    """Store the header of a plan that is not whole yet, and return its id."""
    plan_id = new_plan_id()
    with runtime.store.transaction() as connection:
        PlanRepository(connection).create(
            Plan(
                id=plan_id,
                kind=kind,
                created_at=runtime.now(),
                flow_run=runtime.run_id,
                docebo=runtime.settings.docebo_url,
                slack_team=workspace.team,
                slack_team_name=workspace.name,
                state=PlanState.PLANNING,
                settings=runtime.behaviour.written,
            )
        )
    return plan_id


def close_plan(runtime: Runtime, plan_id: str, *, looked_after: int, **facts: object) -> None:
    """Note that the plan is whole, and which limits it exceeds; percentages are of the people *looked_after*."""
    with runtime.store.transaction() as connection:
        plans = PlanRepository(connection)
        sizes = Counter[Kind]()
        for operation, _, _, count in plans.tally(plan_id):
            sizes[operation] += count
        over = exceeded(
            sizes, looked_after, runtime.behaviour.limits, minimum_sample=runtime.behaviour.limit_minimum_sample
        )
        plans.set_state(plan_id, PlanState.PLANNED, facts={"looked_after": looked_after, "over_limit": over, **facts})


def plan_people(
    connection: Connection,
    docebo: str,
    team: str,
    planner: Planner,
    users: Sequence[SourceUser],
    *,
    trusting: bool = False,
    orphans: OrphanSearch | None = None,
) -> list[Operation]:
    """Return the operation for each of *users*. Mappings are looked up for them alone: a whole table is large."""
    repository = MappingRepository(connection, docebo)
    mappings = repository.of(team, [user.slack_id for user in users])
    unmapped = [user.slack_id for user in users if user.slack_id not in mappings]
    applied = AppliedRepository(connection, docebo).of(team, unmapped)
    pairs = [(user, mappings.get(user.slack_id)) for user in users]
    matches = {user.slack_id: planner.match(user, mapping) for user, mapping in pairs}
    found = [match.account.docebo_id for match in matches.values() if match.account]
    holders = repository.holders(team, found)
    operations = []
    for user, mapping in pairs:
        operation = planner.plan_trusting(user, mapping) if trusting else None
        if operation is None:
            match = matches[user.slack_id]
            holder = holders.get(match.account.docebo_id, "") if match.account else ""
            operation = planner.plan(user, mapping, match, holder, applied.get(user.slack_id))
        operations.append(operation)
    if orphans:
        orphans.look(users, mappings)
    return operations


def _plan_page(
    runtime: Runtime,
    workspace: Workspace,
    planner: Planner,
    plan_id: str,
    first: int,
    users: Sequence[SourceUser],
    trusting: bool,
    orphans: OrphanSearch | None,
) -> int:
    """Plan and store one page."""
    with runtime.store.transaction() as connection:
        docebo = runtime.settings.docebo_url
        operations = plan_people(connection, docebo, workspace.team, planner, users, trusting=trusting, orphans=orphans)
        PlanRepository(connection).add(plan_id, first, operations)
        # An observation like the proven read, kept even by a dry run.
        AppliedRepository(connection, docebo).forget_echoes(workspace.team, planner.no_echo)
    planner.no_echo.clear()
    return len(operations)


def _plan_gone(
    runtime: Runtime, workspace: Workspace, planner: Planner, plan_id: str, first: int, orphans: OrphanSearch
) -> list[Operation]:
    """Plan for the mappings whose Slack user was not in the list."""
    with runtime.store.transaction() as connection:
        gone = list(MappingRepository(connection, runtime.settings.docebo_url).absent_from(plan_id, workspace.team))
        operations = [planner.plan_gone(mapping) for mapping in gone]
        PlanRepository(connection).add(plan_id, first, operations)
    orphans.look_at_gone(gone)
    return operations


def _doubtful(gone: Sequence[Operation]) -> list[str]:
    """Return the Slack ids of those about whom something would be done, and of a few of the others, evenly chosen."""
    acted_on = [operation.slack_id for operation in gone if operation.kind is not Kind.LEAVE]
    left = [operation.slack_id for operation in gone if operation.kind is Kind.LEAVE]
    return acted_on + left[:: len(left) // FEW + 1]
