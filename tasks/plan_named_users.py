"""The plan for the people somebody asked for."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.planning.named import plan_named
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.writing.left_behind import settle_for
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED


@task(
    name="Plan named users",
    task_run_name="Plan changes of the named users",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def plan_named_users(runtime: Runtime, workspace: Workspace, people: list[SourceUser]) -> str:
    """Compare the named users with their accounts and return the id of the stored plan.

    What a run that died has sent for them is settled before.
    """
    await settle_for(runtime, [slack_id for user in people for slack_id in user.ids])
    return await plan_named(runtime, workspace, people)
