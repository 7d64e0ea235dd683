"""`python -m deployments.bootstrap`: make in Prefect what `prefect.yaml` cannot say. Running it again changes nothing."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import temporary_settings
from prefect.states import Cancelled, Scheduled, StateType
from prefect.variables import Variable

from deployments.login import AT_CLIENTS
from deployments.lost_runs import ENDED, TAG
from deployments.worker import FlowRunWorker
from slack_docebo.domain.texts import line
from slack_docebo.engine.reporting.incidents import A_CRASH, Trouble, led
from slack_docebo.errors import ConfigurationError, SyncError
from slack_docebo.given_files import UnusableFileError, read_given_text
from slack_docebo.integration_settings import VARIABLE, documented_rows, read_rows, rows_from_csv, table
from slack_docebo.settings import PrefectSettings, load_settings
from slack_docebo.settings_form import changes, filled_up
from tasks.attended import started_by_itself

WORK_POOL = "slack-docebo-flows"
FORMER_POOL = "slack-docebo"  # its type let the server say what is run, and a pool's type cannot be changed
FORMER_NAMES = tuple(
    f"{flow}/manual" for flow in ("bulk-import", "reset-mappings", "relink", "explain-user", "doctor", "stop", "go")
)
VARIABLE_BEFORE = f"{VARIABLE}_before"
LARGEST_TABLE = 1_000_000  # bytes
SILENCE_SECONDS = 600  # a run sends a heartbeat every 180 seconds: less than three times that gives false alarms


def starting_rows() -> list[dict[str, str]]:
    """Return the table of settings as a new installation has it: everything documented, nothing switched on."""
    return table({key: default for key, default, _ in documented_rows()})


async def ensure_settings(rows: list[dict[str, str]] | None = None) -> bool:
    """Make the Variable if it is not there, or set it to *rows* if they are given; tell whether it was written."""
    if rows is None and await Variable.aget(VARIABLE) is not None:
        return False
    wanted = rows if rows is not None else starting_rows()
    read_rows(wanted)
    await Variable.aset(VARIABLE, wanted, overwrite=True)
    return True


async def load_settings_table(loaded: list[dict[str, str]]) -> bool:
    """Put the rows of *loaded* into the table, fill it up, and print what changes; tell whether it was written.

    The table before is kept in another Variable.
    """
    present = await Variable.aget(VARIABLE)
    wanted = filled_up(present, loaded)
    for remark in read_rows(wanted).remarks:
        print(line(f"  {remark}"))
    if wanted == present:
        return False
    if present is not None:
        await Variable.aset(VARIABLE_BEFORE, present, overwrite=True)
        for key, before, after in changes(present, wanted):
            print(line(f"  {key}: {before or 'nothing'} -> {after or 'nothing'}"))
        print(f"  The table before is kept as the Variable {VARIABLE_BEFORE}.")
    return await ensure_settings(wanted)


async def ensure_work_pool(client: PrefectClient) -> bool:
    """Make the work pool, or lock its template again if it was changed; tell whether it was written.

    The pool has no limit: runs that died with their worker would keep its places, and nothing would be started any more.
    Each worker has a limit instead.
    """
    template = FlowRunWorker.get_default_base_job_template()
    try:
        present = await client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        pool = WorkPoolCreate(name=WORK_POOL, type=FlowRunWorker.type, base_job_template=template)
        await client.create_work_pool(pool)
        return True
    if present.type != FlowRunWorker.type:
        raise SyncError(f"the work pool {WORK_POOL} is of type {present.type}: delete it, and run this again")
    if present.base_job_template == template:
        return False
    await client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=template))
    return True


async def leave_former_pool(client: PrefectClient) -> bool:
    """Move deployments and waiting runs from the pool of the first versions, and pause it; tell whether it was used."""
    try:
        former = await client.read_work_pool(FORMER_POOL)
    except ObjectNotFound:
        return False
    in_former = WorkPoolFilter(name=WorkPoolFilterName(any_=[FORMER_POOL]))
    waiting = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])))
    used = not former.is_paused
    await client.update_work_pool(FORMER_POOL, WorkPoolUpdate(is_paused=True))
    while deployments := await client.read_deployments(work_pool_filter=in_former):
        used = True
        for deployment in deployments:  # the server makes their scheduled runs anew
            moved = DeploymentUpdate(work_pool_name=WORK_POOL, job_variables={})
            await client.update_deployment(deployment.id, moved)
    while runs := await client.read_flow_runs(work_pool_filter=in_former, flow_run_filter=waiting):
        used = True
        for run in runs:
            await _move(client, run)
    return used


async def _move(client: PrefectClient, run: FlowRun) -> None:
    """Ask for the same run in the pool that its deployment has now; asked for twice, it is there once.

    A run that a schedule or an automation asked for is not moved: it would count as a person's, who may do more. Nor is
    a run whose parameters the server refuses today.
    """
    message = f"The work pool {FORMER_POOL} is no longer in use"
    if run.deployment_id is not None and not started_by_itself(run):
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
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
            ),
            limit=1,
        )
        if not (waiting or former.schedules):
            await client.delete_deployment(former.id)
            deleted = True
    return deleted


async def ensure_automations(client: PrefectClient) -> bool:
    """Make the automations that are missing or differ; tell whether one was written."""
    written = False
    for wanted in automations():
        present = await client.read_automations_by_name(wanted.name)
        if present and present[0].model_dump(include=_OURS) == wanted.model_dump(include=_OURS):
            continue
        written = True
        if present:
            # An operator may have switched it off: then it stays off.
            wanted.enabled = present[0].enabled
            await client.update_automation(present[0].id, wanted)
        else:
            await client.create_automation(wanted)
    return written


_OURS = {"description", "trigger", "actions"}


def automations(silence_seconds: int = SILENCE_SECONDS) -> list[AutomationCore]:
    """Return the automations: what Prefect's server does about a run whose process and worker are gone."""
    signs_of_life = "prefect.flow-run.heartbeat"
    # Events bear the names of states, ours among them. Not all of them, by a wildcard: the event of a run's beginning
    # can come after its first sign of life, and would pass for the next one.
    ends = {ENDED, *(f"prefect.flow-run.{end}" for end in (*Trouble, "Completed", "TimedOut", "Cancelling"))}
    return [
        AutomationCore(
            name="slack-docebo: a run without signs of life has crashed",
            description="Its process or machine is gone. What it had begun is done by the next run; nothing is lost.",
            trigger=EventTrigger(
                posture=Posture.Proactive,
                after={signs_of_life},
                expect={signs_of_life, *ends},
                match={"prefect.resource.id": "prefect.flow-run.*"},
                match_related={
                    "prefect.resource.role": "tag",
                    "prefect.resource.id": f"prefect.tag.{TAG}",
                },
                for_each={"prefect.resource.id"},
                threshold=1,
                within=silence_seconds,
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.CRASHED,
                    message=led(
                        A_CRASH,
                        f"no sign of life for {silence_seconds / 60:g} minutes, for its process or machine is gone",
                    ),
                )
            ],
        )
    ]


async def bootstrap(rows: list[dict[str, str]] | None = None) -> dict[str, bool]:
    """Make everything that is missing; return each thing that is there now, and whether it was written."""
    async with get_client() as client:
        made = {f"Work pool {WORK_POOL}": await ensure_work_pool(client)}
        if await leave_former_pool(client):
            made[f"All that was in work pool {FORMER_POOL}"] = True
        if await leave_former_names(client):
            made["Deployments by their new names"] = True
        made[f"Variable {VARIABLE}"] = await (ensure_settings() if rows is None else load_settings_table(rows))
        made["Automations"] = await ensure_automations(client)
        return made


def login_of(settings: PrefectSettings) -> dict[str, str]:
    """Return the login of *settings* as Prefect is told it, which reads none from a file."""
    login = settings.prefect_api_auth_string
    return {AT_CLIENTS: login.get_secret_value()} if login else {}


def told(error: Exception) -> str:
    """Return the line about *error*: that Prefect refuses the login, or the error's own message."""
    refused = isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.UNAUTHORIZED
    return "Prefect refuses the login: check PREFECT_API_AUTH_STRING" if refused else str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; a wrong file or table is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m deployments.bootstrap", description=__doc__)
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="CSV",
        help="load the table integration-settings as the retired product exports it; rows that it lacks stay as they are",
    )
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(PrefectSettings)  # a login in the address would be quoted by Prefect's errors
        rows = _rows_of(options.settings) if options.settings else None
        with temporary_settings(login_of(settings)):
            made = asyncio.run(bootstrap(rows))
    except (SyncError, PrefectException, httpx.HTTPError) as error:
        print(line(f"bootstrap: {told(error)}"), file=sys.stderr)
        return 2
    for name, written in made.items():
        print(f"{name}: {'written' if written else 'there already, left as it is'}")
    return 0


def _rows_of(file: Path) -> list[dict[str, str]]:
    try:
        return rows_from_csv(read_given_text(file, largest=LARGEST_TABLE))
    except UnusableFileError as error:
        raise ConfigurationError(f"{file} {error}") from None


if __name__ == "__main__":
    sys.exit(main())
