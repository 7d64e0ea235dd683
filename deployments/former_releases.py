"""What earlier releases have left in Prefect: a work pool, and deployments under other names."""

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolUpdate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Scheduled

from slack_docebo.clients.prefect import BY_WEBHOOK
from slack_docebo.work_pool import WORK_POOL
from tasks.attended import started_by_itself

FORMER_POOL = "slack-docebo"  # its type let the server say what is run, and a pool's type cannot be changed
FORMER_NAMES = tuple(
    f"{flow}/manual" for flow in ("bulk-import", "reset-mappings", "relink", "explain-user", "doctor", "stop", "go")
)
WAITING = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])))


async def leave_former_pool(client: PrefectClient) -> bool:
    """Move deployments and waiting runs from the pool of the first versions, and pause it; tell whether it was used."""
    try:
        former = await client.read_work_pool(FORMER_POOL)
    except ObjectNotFound:
        return False
    in_former = WorkPoolFilter(name=WorkPoolFilterName(any_=[FORMER_POOL]))
    used = not former.is_paused
    await client.update_work_pool(FORMER_POOL, WorkPoolUpdate(is_paused=True))
    while deployments := await client.read_deployments(work_pool_filter=in_former):
        used = True
        for deployment in deployments:  # the server makes their scheduled runs anew
            moved = DeploymentUpdate(work_pool_name=WORK_POOL, job_variables={})
            await client.update_deployment(deployment.id, moved)
    while runs := await client.read_flow_runs(work_pool_filter=in_former, flow_run_filter=WAITING):
        used = True
        for run in runs:
            await _move(client, run)
    return used


async def _move(client: PrefectClient, run: FlowRun) -> None:
    """Ask for the same run in the pool that its deployment has now; asked for twice, it is there once.

    A run that a schedule or an automation asked for is not moved: it would count as a person's, who may do more; one of the
    webhook's keeps the tag that tells. Nor is a run whose parameters the server refuses today.
    """
    message = f"The work pool {FORMER_POOL} is no longer in use"
    if run.deployment_id is not None and (BY_WEBHOOK in run.tags or not started_by_itself(run)):
        try:
            again = await client.create_flow_run_from_deployment(
                run.deployment_id,
                parameters=run.parameters,
                tags=run.tags,
                name=run.name,
                state=Scheduled(scheduled_time=run.expected_start_time),
                idempotency_key=f"moved {run.id}",
            )
        except (ObjectNotFound, httpx.HTTPStatusError) as error:
            if isinstance(error, httpx.HTTPStatusError) and not error.response.is_client_error:
                raise
            message += ": start it again"
        else:
            message += f": run {again.id} takes its place"
    await client.set_flow_run_state(run.id, Cancelled(message=message), force=True)


async def leave_former_names(client: PrefectClient) -> bool:
    """Delete the deployments that have other names by now; tell whether one was there.

    One that somebody has given a schedule, or for which a run waits, stays until that is no more.
    """
    deleted = False
    for name in FORMER_NAMES:
        try:
            former = await client.read_deployment_by_name(name)
        except ObjectNotFound:
            continue
        waiting = await client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[former.id])),
            flow_run_filter=WAITING,
            limit=1,
        )
        if not (waiting or former.schedules):
            await client.delete_deployment(former.id)
            deleted = True
    return deleted
