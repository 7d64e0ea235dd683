"""The inbox tidied, and what is parked shown."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.realtime.upkeep import Upkeep, parked_rows, tidy
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_parked


@task(name="Tidy inbox", task_run_name="Tidy the inbox", cache_policy=NO_CACHE)
async def tidy_inbox(runtime: Runtime) -> Upkeep:
    """Delete what is older than the settings keep it; tell what waits and what is parked."""
    upkeep = tidy(runtime)
    status = upkeep.status
    get_run_logger().info(
        "%d events wait, %d of them due; %d are parked; purged were %d events, %d plans, %d files",
        status.waiting,
        upkeep.due,
        status.parked,
        upkeep.purged,
        upkeep.plans,
        upkeep.files,
    )
    await publish_parked(parked_rows(runtime.store, runtime.behaviour.people_shown))
    return upkeep
