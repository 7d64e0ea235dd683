"""Planning who is moved to another branch, once all accounts exist: who is to be in another than where we brought them."""

from collections.abc import Mapping

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.planning import Kind
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.planning.afterwards import changeable, operation_on, rule_for, store_plan, wishes_of
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.sides import read_accounts
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
    wishes = await to_completion(wishes_of, runtime, workspace, listed, rule)
    wanted = {docebo_id: int(value) for docebo_id, value in wishes.values.items() if value}
    placed = await to_completion(_placed, runtime)
    unknown = {branch_id for docebo_id, branch_id in wanted.items() if docebo_id not in placed}
    found: dict[int, int] = {}
    for branch_id in sorted(unknown):
        there = await runtime.docebo.in_branch(branch_id)
        found |= {one: branch_id for one in there if one not in placed and wanted.get(one) == branch_id}
    if found:
        await to_completion(_remember, runtime, found)
    moved = {one: branch for one, branch in wanted.items() if (placed | found).get(one) != branch}
    if not moved:
        return None
    mappings = [
        wishes.mappings[one] for one in sorted(moved, key=lambda one: (moved[one], one))
    ]  # a call is to one branch
    may_move = changeable(runtime, workspace, await read_accounts(runtime, set(moved)), mappings)
    operations = [
        operation_on(
            mapping,
            Kind.MOVE,
            "another branch",
            {BRANCH: str(moved[mapping.docebo_id])},
            {BRANCH: str(placed[mapping.docebo_id])} if mapping.docebo_id in placed else {},
        )
        for mapping in mappings
        if mapping.docebo_id in may_move
    ]
    return await to_completion(store_plan, runtime, workspace, PlanKind.MOVES, operations) if operations else None


def _placed(runtime: Runtime) -> dict[int, int]:
    """Return to which branch, by account, we have brought accounts."""
    with runtime.store.reading() as tables:
        platform_id = tables.platforms.find(runtime.settings.docebo_url)
        return {} if platform_id is None else tables.accounts(platform_id).placed()


def _remember(runtime: Runtime, found: Mapping[int, int]) -> None:
    with runtime.store.transaction() as tables:
        tables.accounts(tables.platforms.take(runtime.settings.docebo_url)).note_placed(found)
