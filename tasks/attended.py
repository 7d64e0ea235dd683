"""Who started a run: a person, or a schedule, an automation or our webhook."""

from prefect import runtime as prefect_runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun

from slack_docebo.clients.prefect import BY_WEBHOOK
from slack_docebo.errors import NotConfirmed

BY_ITSELF = frozenset({"SCHEDULE", "AUTOMATION"})


def started_by_itself(run: FlowRun) -> bool:
    """Tell whether a schedule, an automation or the webhook started *run*."""
    return bool(run.auto_scheduled or BY_WEBHOOK in run.tags or (run.created_by and run.created_by.type in BY_ITSELF))


async def is_unattended() -> bool:
    """Tell whether a schedule, an automation or the webhook started this flow run, so that nobody waits for what comes of it."""
    run_id = prefect_runtime.flow_run.id
    if run_id is None:
        return False
    async with get_client() as client:
        return started_by_itself(await client.read_flow_run(run_id))


async def require_a_person() -> None:
    """Raise NotConfirmed if this flow run was started by a schedule or an automation."""
    if await is_unattended():
        raise NotConfirmed(
            "nothing was done: this flow is started by a person, never by a schedule or an automation;"
            " remove that from the deployment"
        )
