"""The plan that undoes a run or another plan."""

from functools import partial

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.writing.left_behind import settle_sent_by
from slack_docebo.runtime import Runtime


@task(name="Plan inverse", task_run_name="Plan to undo {of}", cache_policy=NO_CACHE)
async def plan_inverse(runtime: Runtime, of: str, *, deactivate_created: bool) -> str:
    """Plan the inverse of what the plan or the flow run *of* has done, recorded or not; return the id of the plan."""
    await settle_sent_by(runtime, of)
    return await to_completion(partial(plan_undo, runtime, of, deactivate_created=deactivate_created))
