"""The status page: one artifact at one address that always says how things stand."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.client.schemas.sorting import FlowRunSort

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.reporting.status import FailedRun, page_without_a_run, status
from slack_docebo.engine.reporting.troubles import Trouble
from slack_docebo.runtime import Runtime
from tasks.artifacts import summary_page
from tasks.links import RED_RUNS, Forms, read_forms
from tasks.run_names import RECONCILIATION
from tasks.settings_in_prefect import follow_settings

KEY = "slack-docebo-status"
TITLES = {
    "settings": "Change the settings",
    "bulk-import": "Import, or apply a saved plan",
    "realtime-sync": "Synchronise single people",
    "apply-plan": "Apply a saved plan, or a part of it",
    "undo": "Undo a run",
    "parked-events": "Replay or drop parked events",
    "decide": "Decide about people: never this one, leave it so, this account",
    "explain-user": "Explain a person, by id",
    "find-person": "Find a person by name or address",
    "plan-people": "Everybody of a plan: who is created, updated, left alone, and why",
    "fields": "The fields of both sides, and which rules read or fill them",
    "try-attributes": "Try rules for attributes on twenty people, or on one",
    "reset-mappings": "Delete mappings",
    "personal-data": "Give out or forget a person",
    "mappings": "Import or export mappings, or show them in Docebo's fields",
    "restore-mappings": "Restore mappings from a backup",
    "relink": "Link to another address of Docebo",
    "stop": "Stop: let no run write",
    "go": "Go: let runs write again",
    "send-test-message": "Send a test message",
    "doctor": "Is everything in place?",
    "dialect": "How this Docebo answers: what is assumed, learned, or set by hand",
}

logger = logging.getLogger(__name__)


async def refresh_status_page(runtime: Runtime) -> None:
    """Write the status page; errors are logged, for no run fails over it.

    The page belongs to no run, so that it is not deleted with one and keeps its address.
    """
    with _failing_no_run():
        found = await to_completion(status, runtime)
        async with get_client() as client:
            found = replace(found, failed_run=await _failed_reconciliation(client))
            await follow_settings(client)
            forms = await read_forms(client)
            page = found.page(
                next_import=await _next_import(client),
                summaries={plan: link for plan in found.plans_told_of if (link := await summary_page(client, plan))},
                runs_to_look_at=RED_RUNS,
                forms=_titled(forms),
                shown=forms.shown,
            )
            await _write(client, page, description=f"How things stand: {found.line}")


async def say_that_no_run_begins() -> None:
    """Write to the page that no run can begin, and where the reason is shown; no run fails over it either.

    Nothing of the former page stays: with other settings, its links to forms would be refused.
    """
    with _failing_no_run():
        async with get_client() as client:
            await follow_settings(client)  # the form may be what mends it
            forms = await read_forms(client)
            page = page_without_a_run(datetime.now(UTC), forms=_titled(forms), shown=forms.shown)
            await _write(client, page, description="How things stand: no run can begin")


@contextmanager
def _failing_no_run() -> Iterator[None]:
    """Log what goes wrong in the block, which writes the page."""
    try:
        yield
    except Exception as error:
        logger.warning("The status page was not written: %s", type(error).__name__)


def _titled(forms: Forms) -> dict[str, str]:
    """Return the links to the forms by what each is for."""
    links = forms.links()
    return {title: links[flow] for flow, title in TITLES.items() if flow in links}


async def _write(client: PrefectClient, page: str, *, description: str) -> None:
    of_key = ArtifactFilter(key=ArtifactFilterKey(any_=[KEY]))
    present = [artifact for artifact in await client.read_artifacts(artifact_filter=of_key) if not artifact.flow_run_id]
    if not present:
        await client.create_artifact(ArtifactCreate(key=KEY, type="markdown", data=page, description=description))
        return
    first = min(present, key=lambda artifact: str(artifact.created))  # two runs may have made it at once
    await client.update_artifact(first.id, ArtifactUpdate(data=page, description=description))


async def _failed_reconciliation(client: PrefectClient) -> FailedRun | None:
    """Return the last reconciliation that has ended, if it could not go on: of what else ends red the page tells itself."""
    ended = await client.read_flow_runs(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[RECONCILIATION])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES)))
        ),
        sort=FlowRunSort.END_TIME_DESC,
        limit=1,
    )
    for run in ended:
        if run.state and run.state.name in {Trouble.FAILED, Trouble.CRASHED} and run.end_time:
            return FailedRun(run.end_time, run.state.message or "", f"/v2/runs/flow-run/{run.id}")
    return None


async def _next_import(client: PrefectClient) -> datetime | None:
    """Return when the next scheduled import of everybody begins, None if none is scheduled."""
    runs = await client.read_flow_runs(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[RECONCILIATION])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=1,
    )
    return runs[0].expected_start_time if runs else None
