"""Recipe *Delete Mappings*."""

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.planning import Kind, Outcome
from slack_docebo.domain.texts import code
from slack_docebo.engine.applying import apply_accounts, begin
from slack_docebo.engine.connection import Workspace
from slack_docebo.engine.reading import read_target
from slack_docebo.engine.report import summary
from slack_docebo.engine.resetting import back_up, check_confirmation, delete_planned, plan_reset
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_page
from tasks.progress import shown


@task(name="Delete mappings", task_run_name="Delete mappings", cache_policy=NO_CACHE)
async def delete_mappings(
    runtime: Runtime, workspace: Workspace, slack_ids: Sequence[str] = (), *, dry_run: bool = True, confirm: str = ""
) -> str:
    """Delete all mappings of the workspace, or those of *slack_ids*, and return the id of the plan; accounts stay.

    For real, *confirm* has to be the name of the workspace. What is deleted is written to a backup first, and the
    mirrored fields are emptied where there are any.
    """
    if not dry_run:
        check_confirmation(workspace, confirm)
    accounts = await read_target(runtime) if runtime.mirror else Accounts()
    plan_id = plan_reset(runtime, workspace, accounts, slack_ids)
    if dry_run:
        return plan_id
    backup, count = back_up(runtime, workspace, plan_id, slack_ids)
    get_run_logger().info("Backup of %d mappings: %s", count, backup)
    await publish_page(
        f"{count} mappings: {code(str(backup))}\n\nThey come back with {code(f'slack-docebo mappings restore {backup}')}",
        key=f"backup-{plan_id}",
        description=f"Backup of {count} mappings",
    )
    begin(runtime, plan_id)
    emptied = summary(runtime.store, plan_id).count(Kind.UPDATE, outcome=Outcome.PLANNED)
    async with shown(runtime, f"progress-{plan_id}", emptied) as progress:
        await apply_accounts(runtime, plan_id, progress.advance)
    delete_planned(runtime, workspace, plan_id)
    return plan_id
