"""Plans to choose from, for a form that is about one of them."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.texts import number_of
from slack_docebo.engine.reporting.choosing import applicable, rows, undoable
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table


@task(name="List what can be undone", task_run_name="List what can be undone", cache_policy=NO_CACHE)
async def list_undoable(runtime: Runtime) -> str:
    """Publish which plans can be undone, each with a link that shows what that would do; say how many there are."""
    found = await to_completion(undoable, runtime.store, runtime.settings.docebo_url)
    steps = [Step(f"Show what undoing {one.line} would do", "undo", {"of": one.plan.id}) for one in found]
    return await _publish(found, steps, what="can be undone")


@task(name="List saved plans", task_run_name="List saved plans", cache_policy=NO_CACHE)
async def list_saved(runtime: Runtime) -> str:
    """Publish which saved plans can be applied, each with a link that shows who is in it; say how many there are."""
    found = await to_completion(applicable, runtime.store, runtime.settings.docebo_url)
    steps = [Step(f"Show who is in {one.line}", "apply-plan", {"plan_id": one.plan.id}) for one in found]
    return await _publish(found, steps, what="can be applied")


async def _publish(found: list[Summary], steps: list[Step], *, what: str) -> str:
    await publish_table(rows(found), key="plans", description=f"The newest plans of each kind that {what}")
    await publish_steps(steps, key="next-plans")
    if not found:
        return f"no plan {what}, nothing was written"
    there = number_of("plan", len(found))
    return f"{there} {what}, nothing was written; choose one by the page next-plans"
