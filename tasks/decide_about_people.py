"""Decisions about single people: made, taken back, shown."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.mappings.deciding import (
    DecisionAction,
    DecisionRequest,
    decide,
    decision_rows,
    steps_to_take_back,
)
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reporting.shown import with_names
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table


@task(name="Decide about people", task_run_name="Decide about people", cache_policy=NO_CACHE)
async def decide_about_people(runtime: Runtime, workspace: Workspace, request: DecisionRequest) -> str:
    """Do what is asked for, publish all decisions, and say what was done and how many there are."""
    done = await decide(runtime, workspace, request)
    rows = decision_rows(runtime.store, workspace)
    with runtime.store.reading() as tables:
        shown = with_names(tables, workspace.team, rows, runtime.behaviour.people_shown)
    await publish_table(shown, key="decisions", description="What was decided about people by hand")
    steps = []
    if request.action is DecisionAction.LINK:
        alone = {"slack_ids": list(request.slack_ids), "dry_run": True}
        steps.append(Step("Bring this person in line now: see first what that does", "realtime-sync", alone))
    await publish_steps([*steps, *steps_to_take_back(shown)], key="decisions-next")
    told = f"{done}; {'1 decision is' if len(rows) == 1 else f'{len(rows)} decisions are'} kept"
    get_run_logger().info(told)
    return told
