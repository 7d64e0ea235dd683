"""Members whose names are anything but names, on their way through an import to every outlet."""

import csv
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from slack_docebo import cli
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.operations import Kind
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.scope import Scope
from slack_docebo.domain.texts import bared, line
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.engine.reporting.outcomes import table
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.storage.store import Store
from tests.hostile_texts import TEXTS, seen
from tests.importing import run_import, settings_for
from tests.integration.commands import environment


@dataclass
class World:
    sandbox: Sandbox
    members: list[str]  # the Slack ids of those with the names of TEXTS, in their order
    imported: Summary
    database_url: str
    folder: Path

    def said(self, monkeypatch, capsys, *arguments: str) -> str:
        """Return what a command prints, in this process."""
        for name, value in environment(self.sandbox.facts(), self.database_url, self.folder, COLUMNS="100000").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["slack-docebo", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert ended.value.code in {0, None}, err
        return out


@pytest.fixture(scope="module")
async def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    database_url = f"sqlite:///{folder}/store.db"
    with Sandbox(users=4 * len(TEXTS), docebo_users=0, rate_limits=False) as sandbox:
        everybody = map(source_user, sandbox.slack)
        members = [user.slack_id for user in everybody if not Scope().reason_against(user)][: len(TEXTS)]
        for slack_id, text in zip(members, TEXTS, strict=True):
            names = dict.fromkeys(("first_name", "last_name", "real_name", "display_name", "title"), text)
            sandbox.slack.change(slack_id, {"name": text, "profile": names})
        imported = await run_import(settings_for(sandbox.facts(), database_url))
        yield World(sandbox, members=members, imported=imported, database_url=database_url, folder=folder)


def handles(world: World) -> list[str]:
    with Store.open(world.database_url) as store, store.reading() as tables:
        found = {m.slack_id: m.slack_name for m in tables.mappings().all(world.sandbox.slack.team.id)}
    return [found[slack_id] for slack_id in world.members]


async def test_everybody_is_imported_and_a_second_import_writes_nothing(world):
    again = await run_import(settings_for(world.sandbox.facts(), world.database_url))

    assert world.imported.count(Kind.CREATE) >= len(TEXTS)
    assert again.count(*(set(Kind) - {Kind.LEAVE})) == 0


def test_tables_show_every_name_as_text(world, monkeypatch, capsys):
    listed = world.said(monkeypatch, capsys, "mappings", "list", "--limit", "1000")
    shown = world.said(monkeypatch, capsys, "plan", "show", world.imported.plan.id, "--values", "--limit", "1000")

    for handle in handles(world):
        assert line(handle).strip() in listed
    assert seen((listed + shown).replace("\n", ""))
    assert "[/]" in shown
    assert ":bomb:" in shown


def test_json_tells_every_name_unchanged(world, monkeypatch, capsys):
    listed = world.said(monkeypatch, capsys, "mappings", "list", "--limit", "1000", "--json")

    assert seen(listed.replace("\n", ""))
    assert {row["slack_id"]: row["slack_name"] for row in json.loads(listed)}.items() >= set(
        zip(world.members, handles(world), strict=True)
    )


@pytest.mark.parametrize("text", ["Zoë \ud83d", "[/]", "\u202eevil"])
def test_one_person_is_explained_whatever_the_name(world, text, monkeypatch, capsys):
    slack_id = world.members[TEXTS.index(text)]

    explained = world.said(monkeypatch, capsys, "explain", slack_id, "--json")

    assert seen(explained.replace("\n", ""))
    assert json.loads(explained)["slack_user"]["title"] == text


def test_report_files_hold_text_in_every_cell(world):
    with Store.open(world.database_url) as store:
        csv_file, json_file = write_files(store, world.imported.plan.id, world.folder / "reports").written
        page_rows = table(store, world.imported.plan.id, PeopleShown.IDS)

    cells = [cell for row in csv.reader(io.StringIO(csv_file.read_text("utf-8"), newline="")) for cell in row]
    assert all(map(seen, cells))
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)
    assert seen(json_file.read_text("utf-8").replace("\n", ""))
    assert len(json.loads(json_file.read_text("utf-8"))) > len(TEXTS)
    assert len(page_rows) >= len(TEXTS)


def test_an_export_is_text_and_brings_every_name_back(world, monkeypatch, capsys):
    before = handles(world)
    world.said(monkeypatch, capsys, "mappings", "export", str(world.folder / "mappings.csv"))
    exported = (world.folder / "mappings.csv").read_text("utf-8")

    assert seen(exported.replace("\n", ""))
    rows = {row["slack_id"]: bared(row["slack_name"]) for row in csv.DictReader(io.StringIO(exported, newline=""))}
    assert [rows[slack_id] for slack_id in world.members] == before
    assert "0 mappings written" in world.said(
        monkeypatch, capsys, "mappings", "restore", str(world.folder / "mappings.csv")
    )
