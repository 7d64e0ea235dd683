"""Planning who is moved to another branch, once all accounts exist: who is to be in another than where we brought them."""

from collections.abc import Mapping

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.planning import Kind, Operation, shielded
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.planning.afterwards import look_at_accounts, rule_for, store_plan, values_of
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind


async def plan_moves(runtime: Runtime, workspace: Workspace, listed: SourceSnapshot) -> str | None:
    """Return the id of the stored plan of moves, None where nobody is to be moved.

    An account that we have never brought anywhere may be in its branch already: each branch that is wanted for such is
    listed once, and who is found there is remembered.
    """
    rule = rule_for(runtime, BRANCH)
    if rule is None or not runtime.behaviour.branch_moves:
        return None
    values = await to_completion(values_of, runtime, workspace, listed, rule)
    wanted, people, placed = await to_completion(_wanted, runtime, workspace, values)
    unknown = {wanted[account] for account in wanted.keys() - placed.keys()}
    found: dict[int, int] = {}
    for branch_id in sorted(unknown):
        there = await runtime.docebo.in_branch(branch_id)
        found |= {one: branch_id for one in there if one not in placed and wanted.get(one) == branch_id}
    if found:
        await to_completion(_remember, runtime, found)
    moved = {one: branch for one, branch in wanted.items() if (placed | found).get(one) != branch}
    if not moved:
        return None
    accounts = await look_at_accounts(runtime, set(moved))
    policy = runtime.behaviour.policy(workspace.team)
    operations = [
        Operation(
            people[docebo_id],
            workspace.team,
            "",
            Kind.MOVE,
            "another branch",
            docebo_id,
            {BRANCH: str(branch_id)},
            {BRANCH: str(placed[docebo_id])} if docebo_id in placed else {},
        )
        for docebo_id, branch_id in sorted(moved.items(), key=lambda item: item[1])  # a call is to one branch
        if (account := accounts.get(docebo_id)) and not shielded(account, policy.protected)
    ]
    return await to_completion(store_plan, runtime, workspace, PlanKind.MOVES, operations) if operations else None


def _wanted(
    runtime: Runtime, workspace: Workspace, values: Mapping[str, str]
) -> tuple[dict[int, int], dict[int, str], dict[int, int]]:
    """Return by account the branch that is wanted and the Slack id, of all that are mapped, and where we have brought them."""
    docebo = runtime.settings.docebo_url
    with runtime.store.reading() as tables:
        mapped = {one.slack_id: one.docebo_id for one in tables.mappings(docebo).all(workspace.team)}
        platform_id = tables.platforms.find(docebo)
        placed = {} if platform_id is None else tables.accounts(platform_id).placed()
    people = {mapped[slack_id]: slack_id for slack_id in values if slack_id in mapped}
    return {one: int(values[slack_id]) for one, slack_id in people.items() if values[slack_id]}, people, placed


def _remember(runtime: Runtime, found: Mapping[int, int]) -> None:
    with runtime.store.transaction() as tables:
        tables.accounts(tables.platforms.take(runtime.settings.docebo_url)).note_placed(found)
