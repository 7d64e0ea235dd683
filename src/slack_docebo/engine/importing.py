"""An import without Prefect, for the command line."""

from functools import partial

from slack_docebo.concurrency import side_by_side
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.connection import Workspace, validate
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing.applying import Progress, apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.checking import read_for, recheck
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.engine.writing.left_behind import settle_left_behind
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind


async def plan_import(runtime: Runtime) -> str:
    """Read both sides, plan, and return the plan's id; nothing is written to Docebo."""
    workspace = await validate(runtime)
    with SourceSnapshot() as people:
        return await plan_everybody(runtime, workspace, people)


async def plan_everybody(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> str:
    """Read both sides, Slack's into *people*, plan for everybody, and return the plan's id.

    Before that, the outcomes of rows that dead runs have sent are found out and recorded.
    """
    await settle_left_behind(runtime, PlanKind.BULK_IMPORT)

    async def compare() -> str:
        accounts = await read_target(runtime)
        return await make_plan(runtime, workspace, people, accounts, kind=PlanKind.BULK_IMPORT, listed=people)

    reading = read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
    _, plan_id = await side_by_side(reading, compare())
    return plan_id


async def apply_saved(runtime: Runtime, plan_id: str, progress: Progress) -> Summary:
    """Apply exactly the saved plan, skipping operations that no longer fit, and return the summary."""
    workspace: Workspace = await validate(runtime)
    await recheck(runtime, workspace, plan_id, await read_for(runtime, plan_id))
    begin(runtime, plan_id)
    try:
        await apply_accounts(runtime, plan_id, progress)
        await apply_mappings(runtime, plan_id)
    finally:
        summary = finish(runtime, plan_id)
    return summary
