"""Moves to other branches, once all accounts exist."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.planning.moving import plan_moves
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.report import Summary
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED
from tasks.process_user_details import process_user_details
from tasks.report_outcome import report_outcome


async def bring_branches_in_line(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> list[Summary]:
    """Move those of *people* whose rule gives another branch; return the summary of what was done."""
    plan_id = await plan_who_moves(runtime, workspace, people)
    if plan_id is None:
        return []
    try:
        await process_user_details(runtime, plan_id)
    finally:
        summary = await report_outcome(runtime, plan_id)
    return [summary]


@task(name="Plan moves", task_run_name="Plan who moves to another branch", cache_policy=NO_CACHE, **RETRIED)
async def plan_who_moves(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> str | None:
    """Return the id of the plan of moves, None where nobody is to be moved."""
    return await plan_moves(runtime, workspace, people)
