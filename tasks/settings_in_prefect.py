"""What follows from the settings elsewhere in Prefect: the values that their form shows, and when the reconciliation begins."""

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.variables import Variable

from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import VARIABLE, read_rows
from slack_docebo.settings_form import filled, revision

FORM = "settings/change-settings"
RECONCILIATION = "bulk-import/reconcile"
NIGHTLY = "nightly"  # the schedule's slug


async def follow_settings(client: PrefectClient) -> None:
    """Bring the form's values and the schedule in line with the settings, after a deploy or a change of the table.

    What is not deployed yet is passed over, and with a table that cannot be read the schedule stays.
    """
    rows = await Variable.aget(VARIABLE)
    try:
        await _fill_form(client, rows)
        await _set_schedule(client, rows)
    except (ObjectNotFound, ConfigurationError):
        return


async def _fill_form(client: PrefectClient, rows: object) -> None:
    form = await client.read_deployment_by_name(FORM)
    shown = {"values": filled(rows), "revision": revision(rows)}
    if form.parameters != shown:
        await client.update_deployment(form.id, DeploymentUpdate(parameters=shown))


async def _set_schedule(client: PrefectClient, rows: object) -> None:
    """Set when the reconciliation begins, if the settings say it; a paused schedule stays paused."""
    settings = read_rows(rows)
    if settings.reconcile_at is None:
        return
    at = settings.reconcile_at
    wanted = CronSchedule(cron=f"{at.minute} {at.hour} * * *", timezone=settings.time_zone)
    reconciliation = await client.read_deployment_by_name(RECONCILIATION)
    if any(present.slug == NIGHTLY and present.schedule != wanted for present in reconciliation.schedules):
        change = DeploymentScheduleUpdate(slug=NIGHTLY, schedule=wanted)
        await client.update_deployment(reconciliation.id, DeploymentUpdate(schedules=[change]))
