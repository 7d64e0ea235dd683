"""The report of a run: artifacts in Prefect, files on disk."""

import httpx
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException

from slack_docebo.concurrency import side_by_side, to_completion
from slack_docebo.domain.planning import Outcome
from slack_docebo.engine.reporting.attention import attention_rows
from slack_docebo.engine.reporting.report import TABLE_ROWS, Summary, table, write_files
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind, PlanState
from tasks.artifacts import publish_page, publish_table
from tasks.links import form_links


@task(name="Report outcome", task_run_name="Report plan {plan_id}", cache_policy=NO_CACHE)
async def report_outcome(runtime: Runtime, plan_id: str) -> Summary:
    """Publish what was or would be done; return it in numbers."""
    summary = finish(runtime, plan_id)
    shown = runtime.behaviour.people_shown
    in_need = await to_completion(attention_rows, runtime.store, plan_id, shown) if summary.needs_somebody else []
    rows = table(runtime.store, plan_id, shown)
    cut = f": the first {TABLE_ROWS}, the files hold all of them" * (len(rows) == TABLE_ROWS)
    files, _ = await side_by_side(
        to_completion(write_files, runtime.store, plan_id, runtime.settings.report_dir),
        publish_table(rows, key=f"changes-{plan_id}", description=f"What was or would be done, and to whom{cut}"),
    )
    if in_need:
        await publish_table(in_need, key=f"to-look-at-{plan_id}", description=f"To look at: {len(in_need)} people")
    await publish_page(
        "\n\n".join([summary.markdown(), *await _next_steps(summary), *files.lines]),
        key=f"summary-{plan_id}",
        description=summary.line,
    )
    logger = get_run_logger()
    for fault in files.faults:
        logger.warning(fault)
    logger.info(summary.line)
    return summary


async def _next_steps(summary: Summary) -> list[str]:
    """Return links to the forms, filled in, for what can be done next; none while Prefect does not answer."""
    try:
        async with get_client() as client:
            forms = await form_links(client)
    except (httpx.HTTPError, PrefectException):
        return []
    plan, steps = summary.plan, []
    can_be_applied = plan.state in {PlanState.PLANNED, PlanState.REFUSED}
    if can_be_applied and (form := forms.get("bulk-import")):
        anyway = " although it exceeds a limit" * (plan.state is PlanState.REFUSED)
        steps.append(f"[Apply exactly this plan{anyway}]({form.link(plan_id=plan.id, dry_run=False)})")
    if can_be_applied and (form := forms.get("apply-plan")):
        steps.append(f"[Apply a part of it first]({form.link(plan_id=plan.id)})")
    applied = plan.kind is not PlanKind.RESET_MAPPINGS and summary.count(outcome=Outcome.APPLIED)
    if applied and (form := forms.get("undo")):
        steps.append(f"[Show what undoing this would do]({form.link(of=plan.id)})")
    return steps
