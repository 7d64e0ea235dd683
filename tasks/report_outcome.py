"""The report of a run: artifacts in Prefect, files on disk."""

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import side_by_side, to_completion
from slack_docebo.domain.texts import people
from slack_docebo.engine.reporting.attention import (
    acknowledged_lines,
    acknowledged_rows,
    attention_lines,
    attention_rows,
)
from slack_docebo.engine.reporting.files import branches_file, orphans_shown, values_file, values_shown, write_files
from slack_docebo.engine.reporting.outcomes import DONE, TABLE_ROWS, tables_by_kind
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.runtime import Runtime
from tasks.artifacts import SUMMARY, publish_page, publish_table, step_lines
from tasks.links import find_forms


@task(name="Report outcome", task_run_name="Report plan {plan_id}", cache_policy=NO_CACHE)
async def report_outcome(runtime: Runtime, plan_id: str, *, steps: Sequence[Step] | None = None) -> Summary:
    """Publish what was or would be done, with links to the next steps; return it in numbers.

    Without *steps* these are the plan's own.
    """
    summary = finish(runtime, plan_id)
    shown = runtime.behaviour.people_shown
    in_need = await to_completion(attention_rows, runtime.store, plan_id, shown) if summary.needs_somebody else []
    if in_need:
        await publish_table(in_need, key=f"to-look-at-{plan_id}", description=f"To look at: {people(len(in_need))}")
    seen = await to_completion(acknowledged_rows, runtime.store, plan_id, shown)
    if seen:
        await publish_table(seen, key=f"acknowledged-{plan_id}", description=f"Acknowledged: {people(len(seen))}")
    folder = runtime.settings.report_dir
    if values := await to_completion(values_shown, values_file(folder, plan_id), shown):
        await publish_table(values, key=f"values-{plan_id}", description="Values that accounts do not get")
    if missing := await to_completion(values_shown, branches_file(folder, plan_id), shown):
        await publish_table(missing, key=f"branches-{plan_id}", description="Branches to make in Docebo")
    if orphans := await to_completion(orphans_shown, runtime.store, folder, plan_id, shown):
        told = "What does not fit together, as things were when the plan was made"
        await publish_table(orphans, key=f"orphans-{plan_id}", description=told)
    files, _ = await side_by_side(
        to_completion(write_files, runtime.store, plan_id, folder),
        _publish_tables(runtime, summary),
    )
    forms = await find_forms()
    next_ = step_lines(summary.next_steps if steps is None else steps, forms)
    first = [*attention_lines(in_need, forms.shown), *next_, *acknowledged_lines(seen, forms.shown)]
    await publish_page(
        "\n\n".join([summary.markdown(first, forms.shown), *files.lines]),
        key=f"{SUMMARY}{plan_id}",
        description=summary.line,
    )
    logger = get_run_logger()
    for fault in files.faults:
        logger.warning(fault)
    logger.info(summary.line)
    return summary


async def _publish_tables(runtime: Runtime, summary: Summary) -> None:
    """Publish a table for each thing that was or would be done."""
    plan_id, kinds = summary.plan.id, [kind for kind in DONE if summary.count(kind)]
    found = await to_completion(tables_by_kind, runtime.store, plan_id, kinds, runtime.behaviour.people_shown)
    for kind, rows in found.items():
        cut = f"; the first {TABLE_ROWS}, the summary links to all of them" if len(rows) == TABLE_ROWS else ""
        key = f"{DONE[kind].replace(' ', '-')}-{plan_id}"
        await publish_table(rows, key=key, description=f"{summary.told_of(kind)}{cut}")
