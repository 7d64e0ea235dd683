"""Decisions about single people: made, taken back, shown."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.mappings.deciding import DecisionRequest, decide, decision_rows
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_table


@task(name="Decide about people", task_run_name="Decide about people", cache_policy=NO_CACHE)
async def decide_about_people(runtime: Runtime, workspace: Workspace, request: DecisionRequest) -> str:
    """Do what is asked for, publish all decisions, and say what was done and how many there are."""
    done = await decide(runtime, workspace, request)
    rows = decision_rows(runtime, workspace)
    await publish_table(rows, key="decisions", description="What was decided about people by hand")
    told = f"{done}; {len(rows)} decisions are kept"
    get_run_logger().info(told)
    return told
