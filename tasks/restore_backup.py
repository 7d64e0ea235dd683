"""Backups of mappings: listed, and brought back."""

from functools import partial

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.moments import in_utc
from slack_docebo.domain.texts import number_of
from slack_docebo.engine.mappings.backups import backups, restorable, restore_backup
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table


@task(name="List backups", task_run_name="List backups", cache_policy=NO_CACHE)
async def list_backups(runtime: Runtime) -> str:
    """Publish which backups there are, and say how many."""
    found = await to_completion(backups, runtime.settings.report_dir)
    rows = [{"backup": backup.plan_id, "made": in_utc(backup.made_at), "file": str(backup.path)} for backup in found]
    await publish_table(rows, key="backups", description="Backups of mappings on this worker's disk, the newest first")
    steps = [
        Step(f"Show what restoring {backup.plan_id} would do", "restore-mappings", {"backup": backup.plan_id})
        for backup in found
    ]
    await publish_steps(steps, key="next-backups")
    there = "1 backup is" if len(rows) == 1 else f"{len(rows)} backups are"
    return f"{there} there, nothing was written"


@task(name="Restore backup", task_run_name="Restore backup {plan_id}", cache_policy=NO_CACHE)
async def restore_mappings_of(
    runtime: Runtime, workspace: Workspace, plan_id: str, *, dry_run: bool, confirm: int
) -> str:
    """Bring the mappings of the backup back, or say what that would do."""
    if dry_run:
        there = await to_completion(restorable, runtime, workspace.team, plan_id)
        words = f"Restore these mappings: type {there} as their number"
        await publish_steps(
            [Step(words, "restore-mappings", {"backup": plan_id, "dry_run": False})], key=f"next-{plan_id}"
        )
        done = (
            f"{number_of('mapping', there)} would be written, nothing was; to restore them, start again with Dry run off and {there} as"
            " Number of mappings"
        )
    else:
        done = await to_completion(partial(restore_backup, runtime, workspace.team, plan_id, confirm=confirm))
    get_run_logger().info(done)
    return done
