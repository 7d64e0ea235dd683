"""The target's side of a comparison: Docebo's accounts."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.matching import Accounts
from slack_docebo.engine.reading.accounts import read_changed, read_target
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.writing.checking import read_for
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED


@task(
    name="Retrieve accounts",
    task_run_name="Docebo users, all pages",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def retrieve_accounts(runtime: Runtime, plan_id: str = "") -> Accounts:
    """Return every account of the platform, with all that the saved plan changes, where there is one."""
    accounts = await (read_for(runtime, plan_id) if plan_id else read_target(runtime))
    get_run_logger().info("Docebo: %d users", len(accounts))
    return accounts


@task(
    name="Retrieve changed accounts",
    task_run_name="Docebo users, only those changed in Slack",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def retrieve_changed_accounts(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> Accounts:
    """Return the accounts of those whose Slack profile is not what was last written; the others are trusted."""
    accounts = await read_changed(runtime, workspace, people)
    get_run_logger().info("Docebo: %d users looked at, the others are trusted", len(accounts))
    return accounts
