"""What the settings are elsewhere in Prefect: the values that their form shows."""

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.exceptions import ObjectNotFound
from prefect.variables import Variable

from slack_docebo.integration_settings import VARIABLE
from slack_docebo.settings_form import filled, revision

FORM = "settings/change-settings"


async def show_settings(client: PrefectClient) -> None:
    """Fill the form with the settings of now, if it shows others: a deploy has emptied it, or the table was changed."""
    rows = await Variable.aget(VARIABLE)
    try:
        form = await client.read_deployment_by_name(FORM)
    except ObjectNotFound:
        return  # it is not deployed yet
    shown = {"values": filled(rows), "revision": revision(rows)}
    if form.parameters != shown:
        await client.update_deployment(form.id, DeploymentUpdate(parameters=shown))
