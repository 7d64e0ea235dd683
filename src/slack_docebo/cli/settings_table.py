"""`slack-docebo settings`: the table of settings, out of Prefect or out of what runs have kept of it."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from cyclopts import App, Parameter

from slack_docebo.cli.output import Json, NamedFile, note, show_done
from slack_docebo.cli.store import open_store
from slack_docebo.errors import ConfigurationError, StorageError
from slack_docebo.integration_settings import VARIABLE, rows_as_csv, rows_by_key
from slack_docebo.private_files import new_file
from slack_docebo.storage.plans import Plan

app = App(name="settings")

PlanId = Annotated[str, Parameter(name="--plan", help="As the run that made this plan had them.")]


@app.command
def export(file: NamedFile, *, plan: PlanId = "", json: Json = False) -> None:
    """Write the table of settings to a new CSV file that only you can read.

    From Prefect or, while that is out of reach, as the last run had it. `python -m deployments.bootstrap --settings FILE`
    loads it again.
    """
    values = None if plan else _values_in_prefect()
    if values is None:
        kept = _kept(plan)
        values = kept.settings
        note(
            f"As the run of plan {kept.id} had them, which keeps no address: fill in NOTIFICATION_MAIL_ID after loading."
        )
    try:
        with new_file(file) as out:
            out.write(rows_as_csv(values))
    except FileExistsError:
        raise StorageError(f"{file} is there already: name another file") from None
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}") from None
    show_done(f"{len(values)} rows written to {file}", {"written": len(values), "file": str(file)}, json=json)


def _values_in_prefect() -> Mapping[str, object] | None:
    # Who names a plan, and with that the store alone, does not wait for a client.
    from slack_docebo.cli.prefect_variables import rows_from_prefect

    rows = asyncio.run(rows_from_prefect())
    return None if rows is None else rows_by_key(rows)


def _kept(plan_id: str) -> Plan:
    """Return the plan of that id, or the newest one: each keeps the settings of its run."""
    with open_store() as store, store.reading() as tables:
        if plan_id:
            return tables.plans.read(plan_id)
        plans = tables.plans.recent(1)
    if not plans:
        raise ConfigurationError(f"Prefect is out of reach, and no run has left its {VARIABLE}: start Prefect's server")
    return plans[0]
