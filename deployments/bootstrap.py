"""`python -m deployments.bootstrap`: make in Prefect what `prefect.yaml` cannot say. Running it again changes nothing."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import temporary_settings

from deployments.automations import ensure_automations
from deployments.former_releases import FORMER_POOL, leave_former_names, leave_former_pool
from deployments.login import AT_CLIENTS
from deployments.settings_variable import ensure_settings, load_settings_table
from deployments.worker import FlowRunWorker
from slack_docebo.domain.texts import line
from slack_docebo.errors import ConfigurationError, SyncError
from slack_docebo.given_files import UnusableFileError, read_given_text
from slack_docebo.integration_settings import VARIABLE, rows_from_csv
from slack_docebo.settings import PrefectSettings, load_settings
from slack_docebo.work_pool import WORK_POOL

LARGEST_TABLE = 1_000_000  # bytes
FAULTS = (SyncError, PrefectException, httpx.HTTPError)  # what is told in one line


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
    """Return the line about *error*: that Prefect refuses the login or is gone, or the error's own message."""
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.UNAUTHORIZED:
        return "Prefect refuses the login: check PREFECT_API_AUTH_STRING"
    if isinstance(error, httpx.TransportError):
        return "Prefect does not answer: once it is up, run this again"
    return str(error) or type(error).__name__


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
    except FAULTS as error:
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
