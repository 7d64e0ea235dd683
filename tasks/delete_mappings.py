"""Recipe *Delete Mappings*."""

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.texts import code, number_of
from slack_docebo.engine.mappings.resetting import back_up, delete_planned
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reporting.summary import summary
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_page
from tasks.policies import RETRIED
from tasks.progress import shown


@task(
    name="Delete mappings",
    task_run_name="Delete mappings, plan {plan_id}",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def delete_mappings(runtime: Runtime, workspace: Workspace, plan_id: str, slack_ids: Sequence[str]) -> None:
    """Delete the mappings that the plan names; accounts stay.

    They are written to a backup first, and the mirrored fields are emptied where there are any. A retry goes on where
    the last try was cut off, with the backup that was made then.
    """
    backup, count = back_up(runtime, workspace, plan_id, slack_ids)
    get_run_logger().info("Backup of %d mappings: %s", count, backup)
    await publish_page(
        f"{number_of('mapping', count)}: {code(str(backup))}\n\nThey come back with the form restore-a-backup and the id"
        f" {code(plan_id)}, or with {code(f'slack-docebo mappings restore {backup}')}",
        key=f"backup-{plan_id}",
        description=f"Backup of {number_of('mapping', count)}",
    )
    begin(runtime, plan_id)
    emptied = summary(runtime.store, plan_id).count(Kind.UPDATE, outcome=Outcome.PLANNED)
    async with shown(runtime.budget, f"progress-{plan_id}", emptied) as progress:
        await apply_accounts(runtime, plan_id, progress.advance)
    delete_planned(runtime, workspace, plan_id)
