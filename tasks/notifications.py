"""Notifications: each place gets one notice of a trouble, and the run remembers which places were told."""

import logging
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas import FlowRun, State
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
from prefect.types._datetime import now
from prefect.variables import Variable

from slack_docebo.clients.notifier import Notifier, notifier
from slack_docebo.domain.texts import line, without_numbers
from slack_docebo.engine.reporting.troubles import Notice, Trouble, step_after
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import VARIABLE, notification_mail_id
from slack_docebo.settings import NotificationSettings, PlatformSettings, load_settings
from tasks.artifacts import SUMMARY, page_of
from tasks.links import read_forms, whole_address

SAME_TROUBLE = timedelta(days=1)  # after that the same trouble is told again
LABEL = "slack-docebo.told"  # of a run: which trouble a place was told of, and when
Log = logging.Logger | logging.LoggerAdapter[Any]


async def tell_once(
    flow_run_id: UUID,
    flow: str,
    trouble: Trouble,
    message: str,
    log: Log,
    *,
    state: State[Any] | None = None,
    again: bool = False,
) -> None:
    """Tell the places that were not yet told of this *trouble*, by this run or one before that ended alike.

    Only a place that accepted the message counts as told. *state* is the one in which the run ends, None while it is at
    work. People who newly wait for a decision are in no run before, and in none afterwards. With *again*, all places
    are told.
    """
    async with get_client() as client:
        run = await client.read_flow_run(flow_run_id)
        told = {} if again else _told_of(trouble, run)
        if state and trouble is not Trouble.UNDECIDED and (before := await _ended_alike(client, run, state, message)):
            told |= _told_of(trouble, before)
        settings = load_settings(NotificationSettings)
        everybody = notifier(settings, await _mail_id())
        untold = everybody.without(told)
        if not everybody:
            log.info("No notification: neither NOTIFICATION_MAIL_ID nor NOTIFICATION_URLS is set")
        elif not untold:
            log.info("No notification: everybody was told of the same before")
        else:
            told |= await _deliver(await _notice(client, run, flow, trouble, message, settings), untold, log)
        if told:
            labels = {f"{LABEL}.{trouble}.{place}": at for place, at in told.items()}
            await client.update_flow_run_labels(flow_run_id, {**labels})


async def _deliver(notice: Notice, to: Notifier, log: Log) -> dict[str, str]:
    """Send *notice*; return the places that accepted it, with the time."""
    delivery = await to.deliver(notice.title, notice.body, notice.markdown)
    if delivery.not_taken:
        log.warning("The notification was not delivered: not taken by %s", ", ".join(delivery.not_taken))
    if delivery.taken:
        log.info("The operators were notified")
    return dict.fromkeys(delivery.taken, now("UTC").isoformat())


def _told_of(trouble: Trouble, run: FlowRun) -> dict[str, str]:
    """Return the places that were lately told of *trouble* in *run*, with the time."""
    begin, oldest = f"{LABEL}.{trouble}.", now("UTC") - SAME_TROUBLE
    return {
        label.removeprefix(begin): str(at)
        for label, at in run.labels.items()
        if label.startswith(begin) and datetime.fromisoformat(str(at)) > oldest
    }


async def _ended_alike(client: PrefectClient, run: FlowRun, state: State[Any], message: str) -> FlowRun | None:
    """Return the last run before this one, of the same deployment and not long ago, that ended in the same way.

    None if one has gone well since. An outage shows in several ways in turn: each of them is told once.
    """
    if run.deployment_id is None:
        return None
    ended = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[run.deployment_id]),
            id=FlowRunFilterId(not_any_=[run.id]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
            start_time=FlowRunFilterStartTime(after_=now("UTC") - SAME_TROUBLE),
        ),
        sort=FlowRunSort.END_TIME_DESC,
    )
    badly = takewhile(lambda before: before.state is not None and not before.state.is_completed(), ended)
    return next((before for before in badly if before.state and _alike(before.state, state, message)), None)


def _alike(before: State[Any], state: State[Any], message: str) -> bool:
    """Tell whether both messages are the same apart from numbers and ids."""
    said = without_numbers(before.message or ""), without_numbers(state.message or line(message))
    return before.name == state.name and said[0] == said[1]


async def _notice(
    client: PrefectClient, run: FlowRun, flow: str, trouble: Trouble, message: str, settings: NotificationSettings
) -> Notice:
    extent, page = await _extent(client, run.id)
    deployment = (await client.read_deployment(run.deployment_id)).name if run.deployment_id else flow
    step = step_after(trouble)
    form = (await read_forms(client)).link(step) if step else ""
    return Notice(
        trouble=trouble,
        subject=deployment,
        message=message,
        extent=extent,
        link=whole_address(f"/v2/runs/flow-run/{run.id}"),
        page=whole_address(page),
        installation=_installation(),
        form=step.words if step else "",
        form_link=whole_address(form),
        **({"documentation": settings.documentation_url} if settings.documentation_url else {}),
    )


def _installation() -> str:
    """Return the host of Docebo; "" while the settings do not say."""
    try:
        return urlsplit(load_settings(PlatformSettings).docebo_url).netloc
    except ConfigurationError:
        return ""


async def _extent(client: PrefectClient, flow_run_id: UUID) -> tuple[str, str]:
    """Return the line of the run's summary, if it came to that, and where it is."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
    for artifact in await client.read_artifacts(artifact_filter=of_run):
        if (artifact.key or "").startswith(SUMMARY) and artifact.description:
            return artifact.description, page_of(artifact)
    return "", ""


async def _mail_id() -> str:
    try:
        return notification_mail_id(await Variable.aget(VARIABLE))
    except OSError:  # Prefect is out of reach; the other places can be told
        return ""
