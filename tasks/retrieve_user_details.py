"""Recipe *Retrieve User details*."""

from prefect import runtime as prefect_runtime
from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.slack_list import read_page
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED


def _page_number() -> str:
    return f"Slack users, page {prefect_runtime.task_run.parameters['people'].pages + 1}"


@task(
    name="Retrieve user details",
    task_run_name=_page_number,
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def retrieve_user_details(runtime: Runtime, workspace: Workspace, people: SourceSnapshot, cursor: str) -> str:
    """Read one page of `users.list` into *people* and return the cursor of the next, "" at the end.

    The users are not returned: Prefect would keep every page until the run ends.
    """
    return await read_page(runtime, workspace, people, cursor)
