"""The fields of both sides, as an artifact."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.looking import fields
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table
from tasks.change_settings import rules_of_now
from tasks.policies import RETRIED


@task(name="Show fields", task_run_name="Show fields", cache_policy=NO_CACHE, **RETRIED)
async def show_fields(runtime: Runtime) -> str:
    """Publish what rules can read and fill, and which rules do; return that in numbers."""
    shown, notes = await fields.show_fields(runtime)
    await publish_table(
        [field.row for field in shown],
        key="fields",
        description="The fields of both sides, and the rules that read or fill them",
    )
    attempt = Step("Try rules on twenty people", "try-attributes", {"rules": await rules_of_now()})
    await publish_steps([attempt], key="fields-next")
    for note in notes:
        get_run_logger().warning(note)
    mapped = sum(bool(field.rules) for field in shown)
    return "; ".join([f"{len(shown)} fields, {mapped} of them in ATTRIBUTES", *notes])
