"""Taking up a saved plan: may it be applied, and which of its rows still can be."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.matching import Accounts
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.writing.checking import recheck
from slack_docebo.runtime import Runtime


@task(name="Recheck plan", task_run_name="Recheck plan {plan_id}", cache_policy=NO_CACHE)
async def recheck_plan(runtime: Runtime, workspace: Workspace, plan_id: str, accounts: Accounts) -> None:
    """Compare the saved plan with the target of today; what has changed since is skipped, with the reason."""
    skipped = await recheck(runtime, workspace, plan_id, accounts)
    get_run_logger().info("Plan %s: %d operations skipped, for the target has changed since", plan_id, skipped)
