"""Parked events shown, replayed or dropped."""

from functools import partial

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.realtime.parked import (
    ParkedAction,
    ParkedChoice,
    drop_parked,
    parked_steps,
    replay_parked,
    told_of_parked,
)
from slack_docebo.engine.realtime.upkeep import parked_rows
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table


@task(name="Settle parked events", task_run_name="Parked events: {action}", cache_policy=NO_CACHE)
async def settle_parked_events(runtime: Runtime, action: ParkedAction, choice: ParkedChoice, confirm: int) -> str:
    """Do with the chosen events what is asked for, publish which are parked then, and say what was done."""
    match action:
        case ParkedAction.SHOW:
            done = await to_completion(told_of_parked, runtime.store)
        case ParkedAction.REPLAY:
            done = await to_completion(replay_parked, runtime.store, choice, runtime.now())
        case ParkedAction.DROP:
            done = await to_completion(partial(drop_parked, runtime.store, choice, runtime.now(), confirm=confirm))
    rows = parked_rows(runtime.store, runtime.behaviour.people_shown)
    await publish_table(rows, key="parked-events", description="Events that are parked, the oldest first")
    await publish_steps(parked_steps(runtime.store), key="parked-events-next")
    get_run_logger().info(done)
    return done
