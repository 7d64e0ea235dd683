"""Mappings carried in and out, with what can be done next."""

from functools import partial

from prefect import get_run_logger, task
from prefect import runtime as prefect_runtime
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client

from slack_docebo.engine.mappings import carrying
from slack_docebo.engine.mappings.carrying import MappingRequest
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table
from tasks.validate_connection import validate_connection


@task(name="Carry mappings", task_run_name="Mappings: carry in or out", cache_policy=NO_CACHE)
async def carry_mappings(runtime: Runtime, request: MappingRequest) -> str:
    """Do what is asked for, or check it; publish what it is about by ids, and say what was done."""
    done = await carrying.carry_mappings(runtime, partial(validate_connection, runtime), request)
    if done.rows:
        await publish_table(done.rows, key="mappings", description=done.told)
    await publish_steps(done.next_steps, key="mappings-next")
    get_run_logger().info(done.told)
    return done.told


async def take_table_out_of_the_run() -> None:
    """Let Prefect keep nothing of the table that was pasted: it holds handles."""
    run_id = prefect_runtime.flow_run.id
    if run_id is None:
        return
    async with get_client() as client:
        run = await client.read_flow_run(run_id)
        if run.parameters.get("table"):
            await client.update_flow_run(run.id, parameters={**run.parameters, "table": ""})
