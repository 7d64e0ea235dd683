"""Recipe *Recursion - Retrieve User Details*."""

from functools import partial

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.connection import Workspace
from slack_docebo.engine.reading import read_source
from slack_docebo.engine.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from tasks.retrieve_user_details import retrieve_user_details


@task(name="Retrieve all user details", task_run_name="Slack users, all pages", cache_policy=NO_CACHE)
async def retrieve_all_user_details(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> None:
    """Follow the cursor chain until all users are in *people*, and prove that they are all there."""
    await read_source(runtime, workspace, people, partial(retrieve_user_details, runtime, workspace))
    get_run_logger().info("Slack: %d users on %d pages, read completely", people.people, people.pages)
