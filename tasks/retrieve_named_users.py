"""The people somebody asked for."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.planning.named import read_named
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED


@task(
    name="Retrieve named users",
    task_run_name="Slack users by id or address",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def retrieve_named_users(runtime: Runtime, slack_ids: list[str], emails: list[str]) -> list[SourceUser]:
    """Return the users of these ids and e-mail addresses, as Slack has them now."""
    return await read_named(runtime, slack_ids, emails)
