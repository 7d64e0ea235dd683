"""Everybody of a plan, as a table; a page beside it links to the other reasons and pages."""

from functools import partial

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.reporting import listing
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table


@task(name="List people", task_run_name="List people: {what}", cache_policy=NO_CACHE)
async def list_people(runtime: Runtime, plan_id: str, what: str, reason: str, page: int) -> str:
    """Publish one page of those to whom the plan does *what* for the reason; return how many there are."""
    found = await to_completion(
        partial(
            listing.list_people,
            runtime.store,
            runtime.settings.docebo_url,
            plan_id=plan_id,
            what=what,
            reason=reason,
            page=page,
            shown=runtime.behaviour.people_shown,
        )
    )
    await publish_table(found.rows, key=f"listed-{found.plan_id}", description=found.line)
    await publish_steps(found.next_steps, key="people-next")
    get_run_logger().info(found.line)
    return found.line
