"""Recipe *Recursion - Retrieve User Details*."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.slack_list import last_list, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED, is_storage_trouble
from tasks.progress import shown
from tasks.retrieve_user_details import retrieve_user_details


@task(
    name="Retrieve all user details",
    task_run_name="Slack users, all pages",
    cache_policy=NO_CACHE,
    **RETRIED | {"retry_condition_fn": is_storage_trouble},
)
async def retrieve_all_user_details(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> None:
    """Follow the cursor chain until all users are in *people*, and prove that they are all there."""
    last = last_list(runtime.store, workspace)
    async with shown(runtime.budget, "slack-users", last.people if last else 0) as progress:

        async def read(people: SourceSnapshot, cursor: str) -> str:
            before = people.people
            following = await retrieve_user_details(runtime, workspace, people, cursor)
            progress.advance(people.people - before)
            return following

        await read_source(runtime, workspace, people, read)
    get_run_logger().info("Slack: %d users, read completely; pages: %d", people.people, people.pages)
