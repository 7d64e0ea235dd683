"""A part of a saved plan: shown, or taken out of it."""

from functools import partial

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.planning.parting import PartChoice, find_part, take_part
from slack_docebo.engine.reporting.outcomes import page_of, table
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table


@task(name="Show part", task_run_name="Show who is chosen of plan {plan_id}", cache_policy=NO_CACHE)
async def show_part(runtime: Runtime, plan_id: str, choice: PartChoice, page: int) -> str:
    """Publish what would be done to whom, a page at a time; say how many they are."""
    chosen, people = await to_completion(find_part, runtime.store, plan_id, choice)
    shown = set(page_of(chosen, page))
    rows = await to_completion(partial(table, runtime.store, plan_id, runtime.behaviour.people_shown, of=shown))
    some = f": page {page}, {len(shown)} of {len(chosen)} people" if len(shown) < len(chosen) else ""
    await publish_table(rows, key=f"part-of-{plan_id}", description=f"What would be done, and to whom{some}")
    await publish_steps(choice.steps(plan_id, len(chosen), people, page), key=f"next-{plan_id}")
    told = f"{len(chosen)} of the {people} people of plan {plan_id} are chosen, nothing was written"
    get_run_logger().info(told)
    return f"{told}; to apply it, start again with Dry run off and, as Number of people: {len(chosen)} of {people}"


@task(name="Take part", task_run_name="Take who is chosen out of plan {plan_id}", cache_policy=NO_CACHE)
async def take_part_of_plan(runtime: Runtime, plan_id: str, choice: PartChoice, confirm: str) -> str:
    """Return the id of the plan that holds the chosen people, and nobody else."""
    part = await to_completion(partial(take_part, runtime, plan_id, choice, confirm=confirm))
    if part != plan_id:
        get_run_logger().info("Those chosen are plan %s by now; the rest of plan %s stays planned", part, plan_id)
    return part
