"""One person explained, as an artifact without anybody's data."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.looking.explaining import Explanation, explain
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_table
from tasks.policies import RETRIED


@task(
    name="Explain person",
    task_run_name="Explain {who}",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def explain_person(runtime: Runtime, who: str) -> Explanation:
    """Publish what is known about one person by ids and attribute names, for everybody who sees Prefect sees it; return it."""
    found = await explain(runtime, who)
    rows: list[dict[str, str | int | None]] = [
        {"question": question, "answer": answer} for question, answer in found.lines
    ]
    rows += [
        {"question": f"Attribute {compared.name}", "answer": "same" if compared.same else "differs"}
        for compared in found.attributes
    ]
    rows += [
        {
            "question": f"{entry.done_at or plan.created_at:%Y-%m-%d %H:%M} UTC, {plan.kind} {plan.id}",
            "answer": f"{entry.operation.kind}, {entry.outcome}: {entry.error or entry.operation.reason}",
        }
        for plan, entry in found.history
    ]
    await publish_table(
        rows, key=f"explained-{who.lower().replace(':', '-')}", description=f"What is known about {who}, without values"
    )
    for question, answer in found.lines:
        get_run_logger().info("%s: %s", question, answer)
    return found
