"""What happens when a run ends: people are told of a bad end, once per incident, and a monitor of a good import."""

import logging
from typing import Any

from prefect import Flow
from prefect.client.schemas import FlowRun, State
from prefect.logging.loggers import flow_run_logger
from prefect.results import ResultRecord  # type: ignore[attr-defined]  # (it is not in its list)

from slack_docebo.clients.heartbeat import send_heartbeat
from slack_docebo.engine.reporting.troubles import Trouble
from slack_docebo.errors import SyncError
from slack_docebo.settings import NotificationSettings, load_settings
from tasks.notifications import tell_once
from tasks.run import renew_status_page


async def notify_operators(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tell the operators how the run ended, if that is trouble and not told already; never fail.

    After an import of everybody that went well, HEARTBEAT_URL is called. After an import that failed the status page is
    written once more, for only now Prefect shows the failure.
    """
    log = flow_run_logger(flow_run, flow)
    trouble = _trouble(state)
    if (
        (state.is_completed() or trouble is Trouble.UNDECIDED)
        and flow.name == "bulk-import"
        and flow_run.parameters.get("dry_run") is False
        and not flow_run.parameters.get("plan_id")  # which is no look at everybody
    ):
        await _send_heartbeat(log)
    if trouble is None:
        return
    try:
        await tell_once(flow_run.id, flow.name, trouble, _message(state), log, state=state)
    except Exception as error:  # the run's own end must not be hidden by ours
        log.warning("No notification was sent: %s", _safe(error))
    if trouble is Trouble.FAILED and flow.name == "bulk-import":
        try:
            await renew_status_page()
        except Exception as error:
            log.warning("The status page was not written: %s", _safe(error))


ON_TROUBLE: dict[str, Any] = {
    f"on_{end}": [notify_operators] for end in ("failure", "crashed", "cancellation", "completion")
}
"""The hooks of every flow: `@flow(name=..., **ON_TROUBLE)`."""


async def _send_heartbeat(log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
    try:
        url = load_settings(NotificationSettings).heartbeat_url
        if url:
            await send_heartbeat(url.get_secret_value())
    except Exception as error:  # a call that fails breaks nothing: whoever misses it tells people
        log.warning("All is well, and nobody was told: %s", _safe(error))


def _trouble(state: State[Any]) -> Trouble | None:
    """Return the trouble that the state stands for, None if there is nothing to do, whatever its name."""
    if state.is_completed():
        return None
    if state.name in set(Trouble):
        return Trouble(state.name)
    if state.name == "TimedOut":
        return Trouble.FAILED
    # A killed run is shown to its hooks on its way there.
    return Trouble.CANCELLED if state.is_cancelling() else None


def _message(state: State[Any]) -> str:
    """Return what the state says, without what an unforeseen error may hold of a person."""
    # As it is at hand, and not by way of `state.aresult`: that follows what the server says, and unpickles it.
    error = state.data.result if isinstance(state.data, ResultRecord) else state.data
    return _safe(error) if isinstance(error, BaseException) else state.message or ""


def _safe(error: BaseException) -> str:
    return str(error) if isinstance(error, SyncError) else f"{type(error).__name__}; the log has the details"
