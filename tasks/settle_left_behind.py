"""What runs that died have sent, and nobody has recorded."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.writing.left_behind import settle_left_behind
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind
from tasks.policies import RETRIED


@task(
    name="Settle what was left behind",
    task_run_name="What became of what a run that died has sent",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def settle_what_was_left_behind(runtime: Runtime) -> None:
    """Find out what became of it, and record it, before anything is planned."""
    await settle_left_behind(runtime, PlanKind.BULK_IMPORT)
