"""The backups that resets leave are listed, and one is brought back once that was confirmed."""

import shutil
from collections.abc import AsyncIterator, Mapping

import pytest

from sandbox.docebo.accounts import Account
from sandbox.server import Sandbox
from slack_docebo.engine.mappings.backups import backups, restorable, restore_backup
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.settings import Settings
from tests.importing import ON, mapped, reset, run_import, settings_for
from tests.integration.realtime_world import world


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(users=6, docebo_users=0, rate_limits=False) as running:
        yield running


@pytest.fixture
async def runtime(sandbox: Sandbox, sqlite_url: str) -> AsyncIterator[Runtime]:
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings)
    async with open_runtime(settings, read_rows(table(ON)), run_id="reset") as opened:
        yield opened


def mappings(runtime: Runtime, sandbox: Sandbox) -> dict[str, int]:
    return mapped(runtime.settings.database_url.get_secret_value(), sandbox.slack.team.id)


@pytest.mark.long
async def test_a_backup_is_shown_and_brought_back_once_its_number_is_given(runtime, sandbox):
    before, team = mappings(runtime, sandbox), sandbox.slack.team.id
    plan_id = await reset(runtime)
    assert [backup.plan_id for backup in backups(runtime.settings.report_dir)] == [plan_id]

    there = restorable(runtime, team, plan_id)
    with pytest.raises(NotConfirmed, match=f"type the number of mappings, {len(before)}"):
        restore_backup(runtime, team, plan_id, confirm=len(before) + 1)
    assert (there, mappings(runtime, sandbox)) == (len(before), {})

    restore_backup(runtime, team, plan_id, confirm=len(before))
    assert mappings(runtime, sandbox) == before


async def test_what_is_no_file_of_ours_is_no_backup(runtime, sandbox, tmp_path):
    plan_id = await reset(runtime)
    (backup,) = backups(runtime.settings.report_dir)
    shutil.copy(backup.path, elsewhere := tmp_path / "elsewhere.csv")
    backup.path.with_name("mappings-0planted.csv").symlink_to(elsewhere)
    backup.path.with_name("mappings-../x.csv".replace("/", "_")).write_text("")

    assert [one.plan_id for one in backups(runtime.settings.report_dir)] == [plan_id]
    with pytest.raises(ConfigurationError, match="there is no backup 0planted"):
        restorable(runtime, sandbox.slack.team.id, "0planted")


async def test_a_backup_with_a_row_that_cannot_be_used_is_not_restored(runtime, sandbox):
    plan_id = await reset(runtime)
    (backup,) = backups(runtime.settings.report_dir)
    lines = backup.path.read_text().splitlines()
    backup.path.write_text("\n".join([*lines, lines[1]]) + "\n")

    with pytest.raises(ConfigurationError, match=r"nothing was written, for \d rows cannot be used: line "):
        restore_backup(runtime, sandbox.slack.team.id, plan_id, confirm=len(lines))
    assert mappings(runtime, sandbox) == {}


LEAVERS = {**ON, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none"}


async def ada_imported(sandbox: Sandbox, settings: Settings, rows: Mapping[str, str]) -> tuple[str, str, Account]:
    """The workspace as it was at first, Ada's Slack id, and the account that an import has made for her."""
    sandbox.reset()
    ada = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(settings, rows=rows)
    [account] = sandbox.docebo.accounts.by_email("ada@example.com")
    return sandbox.slack.team.id, ada, account


@pytest.mark.parametrize("has_left_before", [False, True])
@pytest.mark.variants(1)
async def test_a_backup_does_not_undo_what_is_known_since_of_who_has_shut_an_account(
    sandbox, usual_database_url, tmp_path, has_left_before
):
    """Who was shut out by us since has the account again on return; what somebody else has shut since stays so."""
    settings = settings_for(sandbox.facts(), usual_database_url, report_dir=tmp_path)
    team, ada, account = await ada_imported(sandbox, settings, LEAVERS)
    if has_left_before:
        sandbox.slack.deactivate(ada)
        await run_import(settings, rows=LEAVERS)
    async with open_runtime(settings, read_rows(table(LEAVERS)), run_id="reset") as runtime:
        count = len(mappings(runtime, sandbox))
        plan_id = await reset(runtime)
    if has_left_before:
        sandbox.slack.reactivate(ada)
        await run_import(settings, rows=LEAVERS)
        sandbox.docebo.edit(account.user_id, {"active": False})
    else:
        await run_import(settings, rows=LEAVERS)
        sandbox.slack.deactivate(ada)
        await run_import(settings, rows=LEAVERS)
        sandbox.slack.reactivate(ada)

    async with open_runtime(settings, read_rows(table(LEAVERS)), run_id="restore") as runtime:
        written = restorable(runtime, team, plan_id)
        restore_backup(runtime, team, plan_id, confirm=written)
        assert restorable(runtime, team, plan_id) == 0
        restore_backup(runtime, team, plan_id, confirm=0)
    await run_import(settings, rows=LEAVERS)

    assert written <= count
    assert account.active is not has_left_before


async def test_a_backup_of_before_an_account_was_handed_over_shuts_nobody_out_by_its_former_owner(
    sandbox, usual_database_url, tmp_path
):
    settings = settings_for(sandbox.facts(), usual_database_url, report_dir=tmp_path)
    team, ada, account = await ada_imported(sandbox, settings, LEAVERS)
    async with open_runtime(settings, read_rows(table(LEAVERS)), run_id="reset") as runtime:
        of_before = await reset(runtime)
        bobs = {"username": "bob@example.com", "email": "bob@example.com", "firstname": "Bob", "lastname": "Babbage"}
        sandbox.docebo.edit(account.user_id, bobs)
        bob = str(sandbox.slack.add("Bob", "Babbage", "bob@example.com")["id"])
        sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})
        await run_import(settings, rows=LEAVERS)
        assert mappings(runtime, sandbox)[bob] == account.user_id
        await reset(runtime)

        restore_backup(runtime, team, of_before, confirm=restorable(runtime, team, of_before))
        assert restorable(runtime, team, of_before) == 0
    sandbox.slack.deactivate(ada)
    await run_import(settings, rows=LEAVERS)

    assert (account.email, account.active) == ("bob@example.com", True)


@pytest.mark.parametrize("road", ["import", "real time"])
@pytest.mark.variants(2)
async def test_a_backup_of_before_somebody_returned_under_a_new_id_shuts_nobody_out_by_the_former_one(
    sandbox, usual_database_url, tmp_path, road
):
    settings = settings_for(sandbox.facts(), usual_database_url, report_dir=tmp_path)
    team, former, account = await ada_imported(sandbox, settings, LEAVERS)
    async with open_runtime(settings, read_rows(table(LEAVERS)), run_id="reset") as runtime:
        of_before = await reset(runtime)
        await run_import(settings, rows=LEAVERS)
        sandbox.slack.deactivate(former)
        now = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
        await run_import(settings, rows={**LEAVERS, "REHIRES": "hand-over"})
        assert mappings(runtime, sandbox)[now] == account.user_id
        await reset(runtime)
        restore_backup(runtime, team, of_before, confirm=restorable(runtime, team, of_before))

    if road == "import":
        await run_import(settings, rows=LEAVERS)
    else:
        async with world(sandbox, usual_database_url, tmp_path, **LEAVERS) as here:
            here.put(here.event(former))
            await here.serve()

    assert account.active


@pytest.mark.long
async def test_a_backup_of_two_resets_ago_lets_nobody_in_whom_somebody_has_shut_out_since(
    sandbox, usual_database_url, tmp_path
):
    settings = settings_for(sandbox.facts(), usual_database_url, report_dir=tmp_path)
    team, ada, account = await ada_imported(sandbox, settings, LEAVERS)
    sandbox.slack.deactivate(ada)
    await run_import(settings, rows=LEAVERS)
    async with open_runtime(settings, read_rows(table(LEAVERS)), run_id="reset") as runtime:
        of_before = await reset(runtime)
        sandbox.slack.reactivate(ada)
        await run_import(settings, rows=LEAVERS)
        assert account.active
        await reset(runtime)
        sandbox.docebo.edit(account.user_id, {"active": False})

        restore_backup(runtime, team, of_before, confirm=restorable(runtime, team, of_before))
    await run_import(settings, rows=LEAVERS)

    assert not account.active


@pytest.mark.long
async def test_a_backup_of_before_a_change_does_not_hide_that_an_account_differs(sandbox, usual_database_url, tmp_path):
    settings = settings_for(sandbox.facts(), usual_database_url, report_dir=tmp_path)
    team, ada, account = await ada_imported(sandbox, settings, ON)
    async with open_runtime(settings, read_rows(table(ON)), run_id="reset") as runtime:
        of_before = await reset(runtime)
        sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
        await run_import(settings)
        await reset(runtime)
        restore_backup(runtime, team, of_before, confirm=restorable(runtime, team, of_before))
    assert account.lastname == "King"
    sandbox.slack.change(ada, {"profile": {"last_name": "Lovelace"}})

    await run_import(settings, verify_target=False)

    assert account.lastname == "Lovelace"
