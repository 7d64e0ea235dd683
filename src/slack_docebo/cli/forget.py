"""`slack-docebo forget`: one person erased."""

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from slack_docebo.engine.forgetting import forget as forget_person
from slack_docebo.settings import load_settings
from slack_docebo.storage.store import Store


def forget(slack_id: Annotated[str, Parameter(help="The person's id in Slack, like U012AB3CD.")]) -> None:
    """Erase a person from inbox, mapping, journal and reports. The Docebo account is not touched.

    Who is still in Slack and in scope comes back with the next reconciliation: exclude or erase them there first.
    """
    settings = load_settings()
    with Store.open(settings.database_url.get_secret_value()) as store:
        gone = forget_person(store, settings.report_dir, slack_id)
    Console().print(
        f"{slack_id} is forgotten: {gone.mappings} mappings, {gone.events} events, {gone.operations} operations of the"
        f" journal, {gone.files} report files."
    )
