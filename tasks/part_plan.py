"""A part of a saved plan: shown, or taken out of it."""

from functools import partial

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.planning.parting import PartChoice, find_part, take_part
from slack_docebo.engine.reporting.outcomes import TABLE_ROWS, table
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table


@task(name="Show part", task_run_name="Show who is chosen of plan {plan_id}", cache_policy=NO_CACHE)
async def show_part(runtime: Runtime, plan_id: str, choice: PartChoice) -> str:
    """Publish what would be done to whom; say how many they are."""
    chosen, people = await to_completion(find_part, runtime, plan_id, choice)
    rows = table(runtime.store, plan_id, runtime.behaviour.people_shown, of=set(chosen))
    cut = f": the first {TABLE_ROWS} rows" * (len(rows) == TABLE_ROWS)
    await publish_table(rows, key=f"part-of-{plan_id}", description=f"What would be done, and to whom{cut}")
    again = {
        "plan_id": plan_id,
        "first": choice.first,
        "operations": list(choice.kinds),
        "slack_ids": list(choice.slack_ids),
        "dry_run": False,
    }
    await publish_steps([Step("Apply this to those who are chosen", "apply-plan", again)], key=f"next-{plan_id}")
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
