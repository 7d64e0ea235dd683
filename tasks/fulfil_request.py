"""A request about what is kept of one person."""

from functools import partial

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.texts import markdown
from slack_docebo.engine.mappings.personal_data import PersonalDataRequest, fulfil
from slack_docebo.errors import SyncError
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_page, step_lines
from tasks.links import find_forms


@task(name="Fulfil request", task_run_name="Personal data: {request}", cache_policy=NO_CACHE)
async def fulfil_request(runtime: Runtime, request: PersonalDataRequest, slack_id: str, confirm: str) -> str:
    """Do what is asked for and publish where how much is or was kept, without the person's data; say the result.

    Raises SyncError where something is left to be done by hand.
    """
    done = await to_completion(
        partial(fulfil, runtime.store, runtime.settings.report_dir, request, slack_id, confirm=confirm)
    )
    kept = [f"- {markdown(line)}" for line in done.lines]
    page = "\n".join([markdown(done.told), "", *kept, "", *step_lines(done.next_steps, await find_forms())])
    await publish_page(page, key="personal-data", description=done.told)
    get_run_logger().info(done.told)
    if not done.is_whole:
        raise SyncError(done.told)
    return done.told
