"""People found by what they are called."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.looking import finding
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table
from tasks.policies import RETRIED


@task(name="Find people", task_run_name="Find people", cache_policy=NO_CACHE, **RETRIED)
async def find_people(runtime: Runtime, words: str) -> list[str]:
    """Publish who is called so, with links that explain each; return their ids as `explain_person` takes them."""
    rows = await finding.find_people(runtime, words)
    await publish_table(
        rows, key="found-people", description=f"Who was found: {len(rows)}, at most {finding.SHOWN} are shown"
    )
    steps = [
        Step(
            f"Explain {row['name']}, {row['e-mail address']} ({row['Slack user']})",
            "explain-user",
            {"who": row["Slack user"]},
        )
        for row in rows
    ]
    await publish_steps(steps, key="found-people-next")
    get_run_logger().info("%d people were found", len(rows))
    return [str(row["Slack user"]) for row in rows]
