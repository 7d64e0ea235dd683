"""The report of a run: artifacts in Prefect, files on disk."""

from prefect import get_run_logger, task
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.report import Summary, finish, table, write_files
from slack_docebo.runtime import Runtime


@task(name="Report outcome", task_run_name="Report plan {plan_id}", cache_policy=NO_CACHE)
async def report_outcome(runtime: Runtime, plan_id: str) -> Summary:
    """Publish what was or would be done; return it in numbers."""
    summary = finish(runtime, plan_id)
    files = write_files(runtime.store, plan_id, runtime.settings.report_dir)
    await acreate_markdown_artifact(
        f"{summary.markdown()}\n\nThe full list: {' and '.join(f'`{file}`' for file in files)}",
        key=f"summary-{plan_id}",
        description=summary.line,
    )
    await acreate_table_artifact(
        table(runtime.store, plan_id), key=f"changes-{plan_id}", description="What was or would be done, and to whom"
    )
    get_run_logger().info(summary.line)
    return summary
