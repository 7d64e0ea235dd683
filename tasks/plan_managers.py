"""Managers, once all accounts exist."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.planning.managing import plan_managers
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.realtime.managers import plan_managers_of
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED


@task(name="Plan managers", task_run_name="Plan who is whose manager", cache_policy=NO_CACHE, **RETRIED)
async def plan_who_manages(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> str | None:
    """Return the plan, as its id, of people whose manager has changed, or None."""
    plan_id, problems = await plan_managers(runtime, workspace, people)
    for why, count in problems.most_common():
        get_run_logger().warning("Managers of %d people are not written: %s", count, why)
    return plan_id


@task(
    name="Plan managers of named users",
    task_run_name="Plan who manages the named users",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def plan_who_manages_named(runtime: Runtime, workspace: Workspace, people: list[SourceUser]) -> str | None:
    """Return the plan, as its id, of those of *people* whose manager has changed and is known, or None."""
    return await plan_managers_of(runtime, workspace, people, tried={})
