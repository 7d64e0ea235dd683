"""Who is left alone, as a table; a page beside it links to the other reasons and pages."""

from functools import partial

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.reporting.left_alone import left_alone
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table


@task(name="List who is left alone", task_run_name="List who is left alone", cache_policy=NO_CACHE)
async def list_left_alone(runtime: Runtime, plan_id: str, reason: str, page: int) -> str:
    """Publish one page of those whom the plan leaves alone for the reason; return how many there are."""
    wanted = {"plan_id": plan_id, "reason": reason, "page": page, "shown": runtime.behaviour.people_shown}
    found = await to_completion(partial(left_alone, runtime.store, runtime.settings.docebo_url, **wanted))
    await publish_table(found.rows, key=f"who-is-left-alone-{found.plan_id}", description=found.line)
    await publish_steps(found.next_steps, key="left-alone-next")
    get_run_logger().info(found.line)
    return found.line
