"""Recipe *Validate Connection*."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.reading.connection import Workspace, validate
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED


@task(
    name="Validate connection",
    task_run_name="Validate connection",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def validate_connection(runtime: Runtime) -> Workspace:
    """Return the Slack workspace if both sides answer, allow what is needed and belong together; else stop the run."""
    return await validate(runtime)
