"""The plan: what is to be done about everybody, before anything is done."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.matching import Accounts
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind
from tasks.policies import RETRIED


@task(name="Plan changes", task_run_name="Plan changes", cache_policy=NO_CACHE, **RETRIED)
async def plan_changes(
    runtime: Runtime,
    workspace: Workspace,
    people: SourceSnapshot,
    accounts: Accounts,
    *,
    trusting: bool,
    is_trial: bool,
) -> str:
    """Compare both sides and return the id of the stored plan; nothing is written to Docebo.

    A later try makes a new plan of what was read; the one that was broken off can never be applied.
    """
    plan_id = await make_plan(
        runtime,
        workspace,
        people,
        accounts,
        kind=PlanKind.BULK_IMPORT,
        listed=people,
        trusting=trusting,
        is_trial=is_trial,
    )
    get_run_logger().info("Plan %s covers %d people", plan_id, people.people)
    return plan_id
