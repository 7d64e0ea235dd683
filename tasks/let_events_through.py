"""Letting events through that a limit holds back."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.realtime.holding import let_through
from slack_docebo.runtime import Runtime


@task(name="Let events through", task_run_name="Let the events of incident {incident} through", cache_policy=NO_CACHE)
async def let_events_through(runtime: Runtime, incident: str) -> set[str]:
    """Let the events that are held back with *incident* be applied over the limit; return their ids."""
    event_ids = await to_completion(let_through, runtime.store, incident, runtime.now())
    get_run_logger().info("%d events will be applied over the limit", len(event_ids))
    return event_ids
