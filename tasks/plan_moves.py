"""Moves to other branches, once all accounts exist."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.planning.moving import plan_moves
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED


@task(name="Plan moves", task_run_name="Plan who moves to another branch", cache_policy=NO_CACHE, **RETRIED)
async def plan_who_moves(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> str | None:
    """Return the plan of moves, as its id, or None if nobody is to be moved."""
    return await plan_moves(runtime, workspace, people)
