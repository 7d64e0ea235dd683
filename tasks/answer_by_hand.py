"""What is known of a Docebo's ways: shown, set by hand, forgotten."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.looking.ways import way_rows, way_steps
from slack_docebo.engine.reading.ways import WayAction, WayChange, way_change
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table

Rows = list[dict[str, str | int | None]]


@task(name="Answer by hand", task_run_name="Docebo's ways: {action}", cache_policy=NO_CACHE)
async def answer_by_hand(runtime: Runtime, action: WayAction, question: str, answer: str, *, check_only: bool) -> str:
    """Do what is asked for, unless it is only to be checked, publish all answers, and say what was or would be done."""
    change = way_change(action, question, answer)
    told, rows, steps = await to_completion(_settle, runtime, change, check_only)
    if change and check_only:
        do_it = {"action": action, "question": question, "answer": answer, "check_only": False}
        steps = [Step(f"{action.capitalize()} it", "dialect", do_it)]
    await publish_table(rows, key="dialect", description="How this Docebo answers: assumed, learned, or set by hand")
    await publish_steps(steps, key="dialect-next")
    get_run_logger().info(told)
    return told


def _settle(runtime: Runtime, change: WayChange | None, check_only: bool) -> tuple[str, Rows, list[Step]]:
    now = runtime.now()
    with runtime.store.transaction() as tables:
        entries = tables.dialect(runtime.settings.docebo_url)
        told = change.told(entries, now) if change else "nothing was changed"
        if change and check_only:
            told = f"nothing was changed; it would be {told}"
        elif change:
            change.keep(entries, now)
        return told, way_rows(entries, now), way_steps(entries)
