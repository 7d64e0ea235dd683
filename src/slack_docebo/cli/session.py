"""The session of a command that reads Slack and Docebo: the runtime that a run has."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slack_docebo.cli.output import note
from slack_docebo.cli.prefect_variables import settings_from_prefect, trying
from slack_docebo.cli.store import open_store, outdate_status_page
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import VARIABLE, read_written
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.settings import Settings, load_settings


@asynccontextmanager
async def open_session(*, rules: str = "") -> AsyncIterator[Runtime]:
    """Open everything a run has, with the table of settings from Prefect or, while that is down, of the last run.

    A Prefect that answers and has no table is not down: then the settings are missing, and that is an error. With *rules*
    it is as if these were its ATTRIBUTES.
    """
    settings = load_settings(Settings)
    behaviour = await settings_from_prefect(settings.tables_dir, rules)
    if behaviour is None:
        with open_store() as store, store.reading() as tables:
            plans = tables.plans.recent(1)
        if not plans:
            raise ConfigurationError(
                f"Prefect is out of reach, and no run has left its {VARIABLE}: set PREFECT_API_URL or start the server"
            )
        behaviour = trying(read_written({key: str(value) for key, value in plans[0].settings.items()}), rules)
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
