"""The command line as a whole: what it offers, and what it imports for that."""

import os
import subprocess
import sys
from contextlib import redirect_stdout

import pytest
from cyclopts import App

from slack_docebo.cli import app, main
from slack_docebo.storage.store import Store
from tests.integration.commands import run

CLIENTS = {"aiohttp", "httpx", "slack_sdk", "tenacity"}
LOADED = "import sys\nfrom slack_docebo.cli import main\ntry: main()\nfinally: print('LOADED', *sys.modules)"


def commands(of: App) -> dict[str, App]:
    """All commands by their words, imported."""
    found = {name: command for name, command in of.resolved_commands().items() if not name.startswith("-")}
    deeper = {f"{name} {words}": deep for name, command in found.items() for words, deep in commands(command).items()}
    return {**found, **deeper}


def loaded(*arguments: str, env: dict[str, str]) -> set[str]:
    """The modules that a process has when it has carried out the command."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, env=env, check=False
    )
    assert "LOADED" in done.stdout, done.stderr
    return set(done.stdout.partition("LOADED")[2].split())


def test_every_command_can_be_imported_and_says_what_it_does():
    found = commands(app)
    assert {"doctor", "plan apply", "mappings rebuild", "forget"} <= found.keys()
    assert [words for words, command in found.items() if not command.help] == []


@pytest.mark.long
def test_who_asks_for_help_waits_for_nothing_else():
    assert loaded("--help", env={}).isdisjoint({*CLIENTS, "sqlalchemy", "pydantic"})


@pytest.mark.parametrize(
    "words",
    [
        "mappings list",
        "plan list",
        "plan show P0NONE",
        "events list",
        "dialect",
        "stop",
        "go",
        "settings export FILE --plan P0NONE",
        "person export U0NOBODY",
        "forget U0NOBODY",
    ],
)
@pytest.mark.variants(1)
def test_a_command_that_reads_the_store_alone_waits_for_no_client_and_no_other_database(words, sqlite_url, tmp_path):
    Store.open(sqlite_url).close()  # a new one is made by Alembic
    connection = {"SLACK_BOT_TOKEN": "xoxb-1", "DOCEBO_CLIENT_ID": "a", "DOCEBO_CLIENT_SECRET": "b"}
    env = {**connection, "DOCEBO_URL": "https://lms.example.com", "DATABASE_URL": sqlite_url, "SLACK_TEAM_ID": "T0HOME"}

    found = loaded(*words.split(), env={**env, "REPORT_DIR": str(tmp_path)})

    assert "sqlalchemy" in found
    assert found.isdisjoint({*CLIENTS, "alembic", "prefect", "psycopg", "sqlalchemy.dialects.postgresql"})


def test_a_reader_that_has_seen_enough_is_no_fault_to_be_told(sqlite_url, monkeypatch, capsys):
    monkeypatch.setenv("DOCEBO_URL", "https://lms.example.com")
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setattr("sys.argv", ["slack-docebo", "plan", "list", "--json"])
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as output, redirect_stdout(output), pytest.raises(SystemExit) as ended:
        main()

    assert (ended.value.code, capsys.readouterr().err) == (1, "")


@pytest.mark.parametrize("words", ["plan list", "events list", "mappings list"])
@pytest.mark.parametrize("number", ["-1", "0", "99999999999999999999"])
def test_a_number_of_rows_that_is_none_is_refused_in_one_line(words, number, sqlite_url, tmp_path):
    env = {"DOCEBO_URL": "https://lms.example.com", "DATABASE_URL": sqlite_url, "SLACK_TEAM_ID": "T0HOME"}

    ended = run(env, *words.split(), "--limit", number)

    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "--limit" in ended.stderr
