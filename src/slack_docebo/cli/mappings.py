"""`slack-docebo mappings`: the table that says which Slack user is which Docebo account."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from slack_docebo.cli.output import Json, Limit, NamedFile, say, show_done, show_json, show_rows
from slack_docebo.cli.store import open_store, outdate_status_page
from slack_docebo.domain.texts import number_of
from slack_docebo.engine.mappings.mapping_file import BadRow, MappingFile, write_mappings
from slack_docebo.engine.mappings.restoring import Taken, import_file, linked_workspace, restore_file
from slack_docebo.errors import ConfigurationError
from slack_docebo.settings import MappingSettings, load_settings
from slack_docebo.storage.gate import import_lock
from slack_docebo.storage.store import Store

app = App(name="mappings")

DryRun = Annotated[bool, Parameter(negative="", help="Check everything and say what would change; write nothing.")]


@app.command(name="list")
def list_(*, limit: Limit = 50, json: Json = False) -> None:
    """List mappings in the order of Slack ids."""
    settings = load_settings(MappingSettings)
    with open_store(settings) as store:
        team, _ = linked_workspace(store, settings)
        with store.reading() as tables:
            repository = tables.mappings(settings.docebo_url)
            rows = [
                {"slack_id": mapping.slack_id, "slack_name": mapping.slack_name, "user_id": mapping.docebo_id}
                for mapping in islice(repository.all(team), limit)
            ]
            total = repository.count(team)
    show_rows(rows, json=json, empty="There is no mapping.")
    if not json and total > len(rows):
        say(f"{total} in all; --limit shows more, `mappings export` writes all of them to a file")


@app.command
def export(file: NamedFile, *, json: Json = False) -> None:
    """Write all mappings to a new CSV file that only you can read."""
    settings = load_settings(MappingSettings)
    with open_store(settings) as store:
        team, _ = linked_workspace(store, settings)
        with store.reading() as tables:
            records = tables.mappings(settings.docebo_url).records(team)
            count = write_mappings(file, records, docebo=settings.docebo_url)
    show_done(f"{number_of('mapping', count)} written to {file}", {"written": count, "file": str(file)}, json=json)


@app.command(name="import")
def import_(file: NamedFile, *, dry_run: DryRun = False, json: Json = False) -> None:
    """Take mappings over from a CSV file with the columns slack_id, slack_name, slack_team and user_id.

    All rows are taken over or, where one cannot be used, none. Who is not in the file is left alone. What a row says is
    a claim: no account is written to before it has shown the person's address or name.
    """
    with _locked_store("import") as (store, docebo, team, name):
        rows = MappingFile(file, team=team, team_name=name, docebo=docebo)
        taken = import_file(store, docebo, rows, now=datetime.now(UTC), dry_run=dry_run)
    _conclude(taken, file, dry_run=dry_run, json=json)
    if taken.changed and not (dry_run or json):
        say(
            "none is proven before its account has shown the person's address or name: a dry run of an import lists the others"
        )


@app.command
def restore(backup: NamedFile, *, dry_run: DryRun = False, json: Json = False) -> None:
    """Bring the mappings of a backup, or of an export, back exactly as they were.

    All rows are brought back or, where one cannot be used, none. Who is not in the file is left alone.
    """
    with _locked_store("restore") as (store, docebo, team, _):
        taken = restore_file(store, docebo, MappingFile(backup, team=team, docebo=docebo), dry_run=dry_run)
    _conclude(taken, backup, dry_run=dry_run, json=json)


app.command(
    "slack_docebo.cli.mirror_commands:rebuild",
    help="Bring the mappings back from the fields in Docebo that mirror them; needs the setting MIRROR_FIELDS.",
)
app.command(
    "slack_docebo.cli.mirror_commands:prepare_mirror",
    help="Make the Docebo user fields named in the setting MIRROR_FIELDS, as far as they are missing.",
)


@contextmanager
def _locked_store(command: str) -> Iterator[tuple[Store, str, str, str]]:
    """Open the store under the import's lock, and yield it with Docebo's address and the linked workspace's id and name."""
    settings = load_settings(MappingSettings)
    with (
        open_store(settings) as store,
        import_lock(store, settings.docebo_url, holder=f"slack-docebo mappings {command}"),
    ):
        yield store, settings.docebo_url, *linked_workspace(store, settings)
        outdate_status_page(store)


def _conclude(taken: Taken, file: Path, *, dry_run: bool, json: bool) -> None:
    if json:
        refused = [{"line": row.line, "reason": row.reason} for row in taken.refused]
        show_json({"written": 0 if refused else taken.changed, "dry_run": dry_run, "refused": refused})
    elif taken.refused:
        show_refused(taken.refused, "line")
    else:
        say(changed(taken, dry_run=dry_run))
    if taken.refused:
        raise ConfigurationError(f"{file}: nothing was written, for {len(taken.refused)} rows cannot be used")


def show_refused(refused: Sequence[BadRow], number: str) -> None:
    """Print the rows that cannot be used, and why; *number* is the heading over their lines or ids."""
    if refused:
        show_rows([{number: row.line, "cannot be used": row.reason} for row in refused], json=False, empty="")


def changed(taken: Taken, *, dry_run: bool) -> str:
    """Say how many mappings were written, or would be."""
    return f"{number_of('mapping', taken.changed)} {'would be ' if dry_run else ''}written"
