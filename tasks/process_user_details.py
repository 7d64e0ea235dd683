"""Recipe *Process user details*."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.effects import TO_ACCOUNTS
from slack_docebo.domain.operations import Outcome
from slack_docebo.engine.reporting.summary import summary
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED
from tasks.progress import shown


@task(
    name="Process user details",
    task_run_name="Create and update Docebo users, plan {plan_id}",
    cache_policy=NO_CACHE,
    **RETRIED,
)
async def process_user_details(runtime: Runtime, plan_id: str) -> None:
    """Upsert the accounts as planned, in batches and within the limits; a retry goes on where the last try was cut off."""
    begin(runtime, plan_id)
    planned = summary(runtime.store, plan_id)
    total = planned.count(*TO_ACCOUNTS, outcome=Outcome.PLANNED)
    async with shown(runtime.budget, f"progress-{plan_id}", total) as progress:
        await apply_accounts(runtime, plan_id, progress.advance)
