"""The installation examined, as an artifact."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.looking.diagnosis import Diagnosis
from slack_docebo.engine.looking.doctor import examine
from slack_docebo.engine.reporting.steps import Step
from tasks.artifacts import publish_page, step_lines
from tasks.links import find_forms

NEXT = [
    Step("Change the settings", "settings"),
    Step("Send a test message", "send-test-message"),
    Step("Look again", "doctor"),
]


@task(name="Examine installation", task_run_name="Examine installation", cache_policy=NO_CACHE)
async def examine_installation() -> Diagnosis:
    """Publish what each check has found and what to do about it; return it."""
    diagnosis = Diagnosis([finding async for finding in examine()])
    # Not a table artifact: Prefect's UI cuts long cells, and the end of a message is what to do.
    page = [diagnosis.markdown(), "", *step_lines(NEXT, await find_forms())]
    await publish_page("\n".join(page), key="doctor", description=diagnosis.line)
    get_run_logger().info(diagnosis.line)
    return diagnosis
