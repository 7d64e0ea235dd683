"""The flow `reset_mappings` on a real Prefect server: it surprises nobody."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.local import connection_settings
from deployments.settings_variable import ensure_settings
from sandbox.server import Sandbox
from slack_docebo.errors import StorageError
from slack_docebo.integration_settings import table
from slack_docebo.storage.mappings import MappingRepository
from tests.e2e.prefect_http import artifacts_of, prefect_http, run_by_schedule
from tests.importing import ON, mapped, run_import, settings_for


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=24, rate_limits=False) as running:
        yield running


@pytest.fixture
async def installation(sandbox, prefect_api, empty_database, tmp_path, monkeypatch) -> Path:
    """The folder of an installation whose import has been made."""
    sandbox.reset()
    monkeypatch.chdir(tmp_path)
    for name, value in connection_settings(sandbox.facts(), tmp_path).items():
        monkeypatch.setenv(name, value)
    await ensure_settings(table(ON))
    await run_import(settings_for(sandbox.facts(), database_url(tmp_path)))
    return tmp_path


def database_url(folder: Path) -> str:
    return f"sqlite:///{folder}/slack-docebo.db"


def mappings(folder: Path, sandbox: Sandbox) -> dict[str, int]:
    return mapped(database_url(folder), sandbox.slack.team.id)


async def reset(**parameters):
    from flows.reset_mappings import reset_mappings

    return await reset_mappings(**parameters, return_state=True)


def artifact(state, prefix: str) -> dict:
    with prefect_http() as http:
        found = artifacts_of(http, str(state.state_details.flow_run_id))
    return next(artifact for artifact in found if artifact["key"].startswith(prefix))


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = "from slack_docebo.cli import main; main()"
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)


async def test_a_run_without_parameters_deletes_nothing_and_says_what_it_would(installation, sandbox):
    before = mappings(installation, sandbox)
    state = await reset()

    assert state.is_completed()
    assert f"{len(before)} to unmap" in state.message
    assert mappings(installation, sandbox) == before
    assert not list((installation / "reports").glob("mappings-*"))
    in_numbers = artifact(state, "summary")["data"].partition("## In numbers")[2].partition("## ")[0]
    assert f" | {len(before)} | 0 | 0 | 0 | {len(before)} |\n" in in_numbers


@pytest.mark.parametrize(
    "typed", ["as for people named", *(pytest.param(typed, marks=pytest.mark.long) for typed in ("", "delete"))]
)
async def test_without_the_name_of_the_workspace_it_is_refused(installation, sandbox, typed):
    before = mappings(installation, sandbox)
    state = await reset(dry_run=False, confirm=sandbox.slack.team.name if typed == "as for people named" else typed)

    assert (state.name, state.is_failed()) == ("Refused", True)
    assert "nothing was deleted" in state.message
    assert mappings(installation, sandbox) == before


async def test_what_was_reset_is_restored_from_the_backup_to_the_last_row(installation, sandbox):
    before, accounts = mappings(installation, sandbox), len(sandbox.docebo.accounts)
    state = await reset(dry_run=False, confirm=f"everybody of {sandbox.slack.team.name}")

    assert (state.name, mappings(installation, sandbox)) == ("Completed", {})
    assert f"{len(before)} unmapped" in state.message
    assert len(sandbox.docebo.accounts) == accounts
    (backup,) = (installation / "reports").glob("mappings-*.csv")
    shown = artifact(state, "backup")["data"]
    assert str(backup) in shown
    assert f"{len(before)} mappings" in shown
    assert not any(slack_id in shown for slack_id in before)
    assert (backup.stat().st_mode & 0o777) == 0o600

    said = cli("mappings", "restore", str(backup))
    assert (said.returncode, said.stdout) == (0, f"{len(before)} mappings written\n")
    assert mappings(installation, sandbox) == before
    again = await run_import(settings_for(sandbox.facts(), database_url(installation)))
    assert again.count() == again.count("leave")


@pytest.mark.long
async def test_a_reset_that_the_database_cut_off_goes_on_with_its_one_plan_and_backup(
    installation, sandbox, monkeypatch
):
    before = mappings(installation, sandbox)
    chunks = itertools.count(1)
    delete = MappingRepository.delete_planned

    def delete_until_cut_off(*arguments):
        if next(chunks) == 3:
            raise StorageError("the database was locked for too long")
        return delete(*arguments)

    monkeypatch.setattr("slack_docebo.engine.mappings.resetting.MAPPINGS_AT_ONCE", 5)
    monkeypatch.setattr("tasks.delete_mappings.delete_mappings.retry_delay_seconds", [0, 0])
    monkeypatch.setattr(MappingRepository, "delete_planned", delete_until_cut_off)

    state = await reset(dry_run=False, confirm=f"everybody of {sandbox.slack.team.name}")

    assert (state.name, mappings(installation, sandbox)) == ("Completed", {})
    assert f"{len(before)} unmapped" in state.message
    (backup,) = (installation / "reports").glob("mappings-*.csv")
    assert len(backup.read_text().splitlines()) == 1 + len(before)
    assert f"{len(before)} mappings" in artifact(state, "backup")["data"]


@pytest.mark.long
async def test_only_those_named_are_reset(installation, sandbox):
    before = mappings(installation, sandbox)
    chosen = sorted(before)[:2]
    state = await reset(slack_ids=chosen, dry_run=False, confirm=sandbox.slack.team.name)

    assert "2 unmapped" in state.message
    assert mappings(installation, sandbox) == {i: n for i, n in before.items() if i not in chosen}


@pytest.mark.long  # in `make test`: integration/test_reset.py
async def test_a_name_that_is_not_mapped_stops_it(installation, sandbox):
    before = mappings(installation, sandbox)
    state = await reset(slack_ids=[min(before), "UNOBODY"], dry_run=False, confirm=sandbox.slack.team.name)

    assert "these Slack users have no mapping: UNOBODY" in state.message
    assert mappings(installation, sandbox) == before


@pytest.mark.long
async def test_a_start_by_schedule_is_refused(installation, sandbox):
    """A deployment with a schedule that means to reset for real every day."""
    from flows.reset_mappings import reset_mappings

    before = mappings(installation, sandbox)
    parameters = {"dry_run": False, "confirm": f"everybody of {sandbox.slack.team.name}"}

    state = await run_by_schedule(reset_mappings, parameters)

    assert (state.name, state.is_failed()) == ("Refused", True)
    assert "never by a schedule" in state.message
    assert mappings(installation, sandbox) == before
