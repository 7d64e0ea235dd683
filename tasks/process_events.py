"""Recipe *Slack Real-Time Sync*: the work of one run, however many events come while it lingers."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.realtime.parked import parked_steps
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.realtime.serving import InboxLease, serve
from slack_docebo.engine.realtime.upkeep import parked_rows
from slack_docebo.engine.reporting.attention import attention_lines
from slack_docebo.engine.reporting.shown import with_names
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_page, publish_parked, step_lines
from tasks.links import find_forms
from tasks.served_events import ServedEvents


@task(name="Process events", task_run_name="Process and map the users of the waiting events", cache_policy=NO_CACHE)
async def process_events(
    runtime: Runtime, workspace: Workspace, lease: InboxLease, *, linger_seconds: int
) -> ServeResult:
    """Serve the inbox until nothing has come for a while; one task run, for each costs Prefect's server more than we.

    No retry by Prefect: the events keep their own count of attempts.
    """
    served = ServeResult()
    watched = ServedEvents(runtime, workspace.team, served)
    try:
        async with watched.shown():
            await serve(
                runtime, workspace, lease, served, linger_seconds=linger_seconds, after_round=watched.after_round
            )
    finally:
        if served.events:
            await _publish(runtime, workspace.team, served)
            await watched.tell_of_more()
    return served


async def _publish(runtime: Runtime, team: str, served: ServeResult) -> None:
    shown = runtime.behaviour.people_shown
    with runtime.store.reading() as tables:
        in_need = with_names(tables, team, served.in_need, shown)
    steps = parked_steps(runtime.store) if served.parked or served.held else []
    if served.operations:
        steps.append(Step("Show what undoing this would do", "undo", {"of": runtime.run_id}))
    forms = await find_forms()
    first = [*attention_lines(in_need, forms.shown), *step_lines(steps, forms)]
    await publish_page(served.markdown(first), key="summary-realtime-sync", description=served.line)
    await publish_parked(parked_rows(runtime.store, shown))
    get_run_logger().info(served.line)
