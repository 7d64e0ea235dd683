"""`slack-docebo person`: what is kept about one person."""

from typing import Annotated

from cyclopts import App, Parameter

from slack_docebo.cli.output import show_json
from slack_docebo.cli.store import open_store
from slack_docebo.engine.mappings.exporting import export_person
from slack_docebo.engine.mappings.forgetting import find_person
from slack_docebo.settings import ForgetSettings, load_settings

app = App(name="person")

Who = Annotated[str, Parameter(help="Slack id (U...) or e-mail address.")]


@app.command
def export(who: Who, /) -> None:
    """Print everything that is kept about one person as JSON: personal data, for that person and nobody else."""
    settings = load_settings(ForgetSettings)
    with open_store(settings) as store:
        show_json(export_person(store, settings.report_dir, find_person(store, who)))
