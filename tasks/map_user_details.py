"""Recipe *Map user details to Slack table*."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.writing.applying import apply_mappings
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED


@task(
    name="Map user details",
    task_run_name="Map Docebo users to Slack users, plan {plan_id}",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def map_user_details(runtime: Runtime, plan_id: str) -> None:
    """Write the mappings of those whose account needed no change; the others were mapped with their change."""
    await apply_mappings(runtime, plan_id)
