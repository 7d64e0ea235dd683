"""The plan of a reset: whose mappings go."""

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.matching import Accounts
from slack_docebo.engine.mappings import resetting
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED


@task(name="Plan reset", task_run_name="Plan which mappings to delete", cache_policy=NO_CACHE, **RETRIED)
async def plan_reset(
    runtime: Runtime, workspace: Workspace, slack_ids: Sequence[str] = (), *, dry_run: bool = True, confirm: str = ""
) -> str:
    """Plan to delete all mappings of the workspace, or those of *slack_ids*; return the id of the plan.

    For real, *confirm* has to be the name of the workspace, for everybody after "everybody of".
    """
    if not dry_run:
        resetting.check_confirmation(workspace, slack_ids, confirm)
    accounts = await read_target(runtime) if runtime.mirror else Accounts()
    return resetting.plan_reset(runtime, workspace, accounts, slack_ids)
