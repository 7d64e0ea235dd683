"""What happens when a run ends: of a bad end people are told, once per incident; of a good import somebody outside is."""

import logging
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterId,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.client.schemas.sorting import FlowRunSort
from prefect.logging.loggers import flow_run_logger
from prefect.results import ResultRecord
from prefect.states import State
from prefect.types._datetime import now
from prefect.utilities.urls import url_for
from prefect.variables import Variable

from slack_docebo.clients.heartbeat import send_heartbeat
from slack_docebo.clients.notifier import notifier
from slack_docebo.domain.texts import line, without_numbers
from slack_docebo.engine.reporting.incidents import Incident, Trouble
from slack_docebo.errors import SyncError
from slack_docebo.integration_settings import VARIABLE, notification_mail_id
from slack_docebo.settings import NotificationSettings, load_settings

SAME_INCIDENT = timedelta(days=1)  # after that the same trouble is told again


async def notify_operators(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tell the operators how the run ended, if that is trouble and no news of yesterday; never fail.

    After an import of everybody that went well, HEARTBEAT_URL is called.
    """
    log = flow_run_logger(flow_run, flow)
    trouble = _trouble(state)
    if (
        (state.is_completed() or trouble is Trouble.UNDECIDED)
        and flow.name == "bulk-import"
        and flow_run.parameters.get("dry_run") is False
    ):
        await _tell_that_all_is_well(log)
    if trouble is None:
        return
    try:
        message = _message(state)
        if await _told_before(flow_run, state, message):
            log.info("No notification: the run before ended the same way")
            return
        extent = await _extent(flow_run.id)
        link = _without_login(url_for("flow-run", flow_run.id) or "")
        await notify(Incident(trouble, flow.name, message, extent, link), log)
    except Exception as error:  # the run's own end must not be hidden by ours
        log.warning("No notification was sent: %s", _safe(error))


ON_TROUBLE: dict[str, Any] = {
    f"on_{end}": [notify_operators] for end in ("failure", "crashed", "cancellation", "completion")
}
"""The hooks of every flow: `@flow(name=..., **ON_TROUBLE)`."""


async def notify(incident: Incident, log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
    """Send *incident* to everybody who wants to be told; what goes wrong is logged, and nothing is raised."""
    try:
        to = notifier(load_settings(NotificationSettings), await _mail_id())
        if not to:
            log.info("No notification: neither NOTIFICATION_MAIL_ID nor NOTIFICATION_URLS is set")
            return
        await to.send(incident.title, incident.body, incident.markdown)
    except Exception as error:  # a failing notification breaks nothing
        log.warning("The notification was not delivered: %s", _safe(error))
    else:
        log.info("The operators were notified")


async def _tell_that_all_is_well(log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
    try:
        url = load_settings(NotificationSettings).heartbeat_url
        if url:
            await send_heartbeat(url.get_secret_value())
    except Exception as error:  # a call that fails breaks nothing: whoever misses it tells people
        log.warning("All is well, and nobody was told: %s", _safe(error))


def _trouble(state: State[Any]) -> Trouble | None:
    """Return what trouble the state stands for; it is none that another run sees to the events this one came for."""
    if state.name == Trouble.ALREADY_RUNNING and state.is_completed():
        return None
    if state.name in set(Trouble):
        return Trouble(state.name)
    if state.name == "TimedOut":
        return Trouble.FAILED
    # A killed run is shown to its hooks on its way there.
    return Trouble.CANCELLED if state.is_cancelling() else None


async def _mail_id() -> str:
    try:
        return notification_mail_id(await Variable.aget(VARIABLE))
    except OSError:  # Prefect is out of reach; the other places can be told
        return ""


def _message(state: State[Any]) -> str:
    """Return what the state says, without what an unforeseen error may hold of a person."""
    # As it is at hand, and not by way of `state.aresult`: that follows what the server says, and unpickles it.
    error = state.data.result if isinstance(state.data, ResultRecord) else state.data
    return _safe(error) if isinstance(error, BaseException) else state.message or ""


def _safe(error: BaseException) -> str:
    return str(error) if isinstance(error, SyncError) else f"{type(error).__name__}; the log has the details"


async def _told_before(flow_run: FlowRun, state: State[Any], message: str) -> bool:
    """Tell whether the run before this one, of the same deployment and not long ago, ended in the same way."""
    if flow_run.deployment_id is None:
        return False
    async with get_client() as client:
        ended = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[flow_run.deployment_id]),
                id=FlowRunFilterId(not_any_=[flow_run.id]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
                start_time=FlowRunFilterStartTime(after_=now("UTC") - SAME_INCIDENT),
            ),
            sort=FlowRunSort.END_TIME_DESC,
            limit=1,
        )
    return any(before.state is not None and _alike(before.state, state, message) for before in ended)


def _alike(before: State[Any], state: State[Any], message: str) -> bool:
    return before.name == state.name and _constant(before.message or "") == _constant(state.message or line(message))


def _constant(message: str) -> str:
    """Return what of *message* stays the same from run to run: all but numbers and ids."""
    return without_numbers(message)


async def _extent(flow_run_id: UUID) -> str:
    """Return the line of the run's summary, if it came to that."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
    async with get_client() as client:
        artifacts = await client.read_artifacts(artifact_filter=of_run)
    return _line(artifact.description for artifact in artifacts if (artifact.key or "").startswith("summary-"))


def _without_login(link: str) -> str:
    """Return *link* as it may be mailed: Prefect makes it of PREFECT_API_URL where PREFECT_UI_URL is not set."""
    return re.sub(r"//[^/]*@", "//", link)


def _line(descriptions: Iterable[str | None]) -> str:
    return next((line for line in descriptions if line), "")
