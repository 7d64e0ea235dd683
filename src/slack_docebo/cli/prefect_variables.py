"""What a command reads of Prefect, over its HTTP API, as the library does not import it: Variables."""

from functools import partial
from pathlib import Path

import httpx

from slack_docebo.clients.prefect_client import PrefectClient
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import VARIABLE, IntegrationSettings, read_rows
from slack_docebo.lookup_tables import find_tables
from slack_docebo.settings import PrefectSettings, load_settings

PREFECT_SECONDS = 2.0


async def rows_from_prefect() -> object | None:
    """Read the Variable of settings; None where Prefect is out of reach."""
    try:
        async with _prefect() as http:
            return await _rows(http)
    except httpx.HTTPError:
        return None


async def settings_from_prefect(tables_dir: Path, rules: str) -> IntegrationSettings | None:
    """Read the settings and the lookup tables that they use; None where Prefect is out of reach."""
    try:
        async with _prefect() as http:
            behaviour = trying(read_rows(await _rows(http)), rules)
            return behaviour.with_tables(await find_tables(behaviour.tables, tables_dir, partial(_variable, http)))
    except httpx.HTTPError:
        return None


def trying(behaviour: IntegrationSettings, rules: str) -> IntegrationSettings:
    """Return *behaviour* as if *rules* were its ATTRIBUTES, or as it is if there are none to try."""
    return behaviour.with_rules(rules) if rules else behaviour


def _prefect() -> PrefectClient:
    prefect = load_settings(PrefectSettings)
    return PrefectClient(prefect.prefect_api_url, lambda: prefect.prefect_api_auth_string, seconds=PREFECT_SECONDS)


async def _rows(http: PrefectClient) -> object:
    rows = await _variable(http, VARIABLE)
    if rows is None:
        raise ConfigurationError(f"Prefect has no Variable {VARIABLE}: make it with `python -m deployments.bootstrap`")
    return rows


async def _variable(http: PrefectClient, name: str) -> object:
    """Return what the Variable holds, None where there is none."""
    answer = await http.get(f"variables/name/{name}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise ConfigurationError("Prefect refuses the login: check PREFECT_API_AUTH_STRING")
    return answer.raise_for_status().json()["value"]
