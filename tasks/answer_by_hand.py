"""The dialect of a Docebo: shown, set by hand, forgotten."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.looking.dialect_table import dialect_rows, dialect_steps
from slack_docebo.engine.reading.dialect_changes import DialectAction, DialectChange, dialect_change
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table

Rows = list[dict[str, str | int | None]]


@task(name="Answer by hand", task_run_name="Docebo's dialect: {action}", cache_policy=NO_CACHE)
async def answer_by_hand(
    runtime: Runtime, action: DialectAction, question: str, answer: str, *, check_only: bool
) -> str:
    """Do what is asked for, unless it is only to be checked, publish all answers, and say what was or would be done."""
    change = dialect_change(action, question, answer)
    told, rows, steps = await to_completion(_settle, runtime, change, check_only)
    if change and check_only:
        do_it = {"action": action, "question": question, "answer": answer, "check_only": False}
        steps = [Step(f"{action.capitalize()} it", "dialect", do_it)]
    await publish_table(rows, key="dialect", description="How this Docebo answers: assumed, learned, or set by hand")
    await publish_steps(steps, key="dialect-next")
    get_run_logger().info(told)
    return told


def _settle(runtime: Runtime, change: DialectChange | None, check_only: bool) -> tuple[str, Rows, list[Step]]:
    now = runtime.now()
    with runtime.store.transaction() as tables:
        entries = tables.dialect(runtime.settings.docebo_url)
        told = change.told(entries, now) if change else "nothing was changed"
        if change and check_only:
            told = f"nothing was changed; with Check only off, {told}"
        elif change:
            change.keep(entries, now)
        return told, dialect_rows(entries, now), dialect_steps(entries)
