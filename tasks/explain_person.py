"""One person explained, as an artifact without anybody's data."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.moments import in_utc
from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.looking.explaining import Compared, Explanation, explain
from slack_docebo.engine.reporting.outcomes import became
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table
from tasks.policies import RETRIED


@task(
    name="Explain person",
    task_run_name="Explain {who}",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def explain_person(runtime: Runtime, who: str) -> Explanation:
    """Publish what is known about one person, by ids and attribute names unless people are shown by names; return it."""
    found = await explain(runtime, who)
    named = runtime.behaviour.people_shown is PeopleShown.NAMES
    lines = [*(found.names if named else []), *found.lines]
    lines += [(f"Attribute {compared.name}", _compared(compared, named)) for compared in found.attributes]
    rows: list[dict[str, str | int | None]] = [{"question": question, "answer": answer} for question, answer in lines]
    rows += [
        {
            "question": f"{in_utc(entry.done_at or plan.created_at)}, {plan.kind} {plan.id}",
            "answer": f"{became(entry.operation.kind, entry.outcome)}: {entry.error or entry.operation.reason}",
        }
        for plan, entry in found.history
    ]
    what = f"What is known about {who}{'' if named else ', without values'}"
    key = who.lower().replace(":", "-")
    await publish_table(rows, key=f"explained-{key}", description=what)
    await publish_steps(found.next_steps, key=f"next-{key}")
    for question, answer in found.lines:
        get_run_logger().info("%s: %s", question, answer)
    return found


def _compared(compared: Compared, named: bool) -> str:
    """Say how the attribute stands, by which rule; what the rule reads is said with values only where *named*."""
    if compared.target is None:
        how = f"{compared.source or 'nothing'} in Slack, no account" if named else "no account"
    elif compared.same:
        how = f"same: {compared.target}" if named else "same"
    elif named:
        how = f"differs: {compared.source or 'nothing'} in Slack, {compared.target or 'nothing'} in Docebo"
    else:
        how = "differs"
    reads = compared.reads if named else ", ".join(compared.inputs)
    told = [how, compared.note, f"by {compared.rule} ({reads})" if reads else f"by {compared.rule}"]
    return "; ".join(filter(None, told))
