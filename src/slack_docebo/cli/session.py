"""The session of a command that reads Slack and Docebo: the runtime that a run has."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx

from slack_docebo.cli.output import note
from slack_docebo.cli.store import open_store, outdate_status_page
from slack_docebo.clients.prefect_client import PrefectClient
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import VARIABLE, IntegrationSettings, read_rows, read_written
from slack_docebo.lookup_tables import find_tables
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.settings import PrefectSettings, Settings, load_settings

PREFECT_SECONDS = 2.0


@asynccontextmanager
async def open_session(*, rules: str = "") -> AsyncIterator[Runtime]:
    """Open everything a run has, with the table of settings from Prefect or, while that is down, of the last run.

    A Prefect that answers and has no table is not down: then the settings are missing, and that is an error. With *rules*
    it is as if these were its ATTRIBUTES.
    """
    settings = load_settings(Settings)
    behaviour = await _behaviour_from_prefect(settings.tables_dir, rules)
    if behaviour is None:
        with open_store() as store, store.reading() as tables:
            plans = tables.plans.recent(1)
        if not plans:
            raise ConfigurationError(
                f"Prefect is out of reach, and no run has left its {VARIABLE}: set PREFECT_API_URL or start the server"
            )
        behaviour = _trying(read_written({key: str(value) for key, value in plans[0].settings.items()}), rules)
        unread = f"; what needs the table {' or '.join(behaviour.tables)} is not known" if behaviour.tables else ""
        note(f"Prefect is out of reach: going by the {VARIABLE} of the last run, plan {plans[0].id}{unread}")
    async with open_runtime(settings, behaviour, run_id=f"command-line-{secrets.token_hex(4)}") as runtime:
        yield runtime


@asynccontextmanager
async def open_changing_session() -> AsyncIterator[Runtime]:
    """Open a session for a command after which things do not stand as the status page says."""
    async with open_session() as runtime:
        try:
            yield runtime
        finally:
            outdate_status_page(runtime.store)


async def rows_from_prefect() -> object | None:
    """Read the Variable over Prefect's HTTP API; the library does not import Prefect. None: it is out of reach."""
    try:
        async with _prefect() as http:
            return await _rows(http)
    except httpx.HTTPError:
        return None


async def _behaviour_from_prefect(tables_dir: Path, rules: str) -> IntegrationSettings | None:
    """Read the settings and the lookup tables that they use; None where Prefect is out of reach."""
    try:
        async with _prefect() as http:
            behaviour = _trying(read_rows(await _rows(http)), rules)
            return behaviour.with_tables(await find_tables(behaviour.tables, tables_dir, partial(_variable, http)))
    except httpx.HTTPError:
        return None


def _prefect() -> PrefectClient:
    prefect = load_settings(PrefectSettings)
    return PrefectClient(prefect.prefect_api_url, lambda: prefect.prefect_api_auth_string, seconds=PREFECT_SECONDS)


async def _rows(http: PrefectClient) -> object:
    rows = await _variable(http, VARIABLE)
    if rows is None:
        raise ConfigurationError(f"Prefect has no Variable {VARIABLE}: make it with `python -m deployments.bootstrap`")
    return rows


def _trying(behaviour: IntegrationSettings, rules: str) -> IntegrationSettings:
    return behaviour.with_rules(rules) if rules else behaviour


async def _variable(http: PrefectClient, name: str) -> object:
    """Return what the Variable holds, None where there is none."""
    answer = await http.get(f"variables/name/{name}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise ConfigurationError("Prefect refuses the login: check PREFECT_API_AUTH_STRING")
    return answer.raise_for_status().json()["value"]
