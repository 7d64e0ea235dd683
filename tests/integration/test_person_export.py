import json
import logging

import pytest
from sqlalchemy import select

from slack_docebo.domain.texts import as_json
from slack_docebo.engine.mappings.exporting import export_person
from slack_docebo.engine.mappings.forgetting import forget
from slack_docebo.engine.mappings.mapping_file import write_mappings
from slack_docebo.engine.mappings.personal_data import PersonalDataRequest, fulfil
from slack_docebo.engine.realtime.upkeep import REPORT
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.errors import ConfigurationError, NotConfirmed, SyncError
from slack_docebo.storage.schema import metadata
from tasks import fulfil_request
from tasks.links import Forms
from tests.importing import mapped
from tests.integration.commands import run
from tests.integration.realtime_world import World, environment


@pytest.fixture
async def ada(here: World) -> str:
    """Somebody who left traces everywhere, beside somebody else, whose row Docebo refused."""
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    grace = here.sandbox.slack.add("Grace", "Hopper", "grace@example.com")
    here.sandbox.docebo_gate.faults.add(
        "POST /manage/v1/user/batch",
        "rows_refused",
        times=3,  # and so once more, and with a password
        usernames=["ada@example.com"],
        message="Refused, see Grace Hopper",
    )
    await here.settle([ada["id"], grace["id"]])
    reports = here.runtime.settings.report_dir
    for plan in here.plans():
        write_files(here.runtime.store, plan.id, reports)
    with here.runtime.store.transaction() as tables:
        write_mappings(reports / "mappings-1abc.csv", tables.mappings().records(here.workspace.team))
        managers = tables.managers(here.runtime.settings.docebo_url)
        hers, graces = here.account(ada["id"]).user_id, here.account(grace["id"]).user_id
        managers.note({(hers, 1): 4711, (graces, 1): 4712})
        managers.doubt({(hers, 1): 4713, (graces, 1): 4714})
    return str(ada["id"])


@pytest.mark.long
async def test_everything_that_is_kept_about_one_person_is_exported(here, ada):
    reports = here.runtime.settings.report_dir

    exported = export_person(here.runtime.store, reports, ada)

    kept = {
        "person",
        "identity",
        "applied",
        "mapping",
        "account",
        "manager",
        "possible_manager",
        "operation",
        "inbox_event",
        "person_share",
        "standing",
    }
    assert exported["tables"].keys() == kept
    assert len(exported["files"]) == 2 * len(here.plans()) + 1
    with here.runtime.store.reading() as tables:
        of_her = [
            f"{table.name}"
            for table in metadata.sorted_tables
            for row in tables.connection.execute(select(table))
            if ada in str(row)
        ]
    assert [name for name, rows in exported["tables"].items() for _ in rows if name in of_her] == of_her
    assert [row["manager_id"] for row in exported["tables"]["possible_manager"]] == [4711, 4713]
    assert exported["tables"]["inbox_event"][0]["profile"]["email"] == "ada@example.com"


@pytest.mark.long
async def test_nobody_else_is_in_it(here, ada):
    exported = as_json(export_person(here.runtime.store, here.runtime.settings.report_dir, ada))

    assert "Refused, …" in exported
    assert "Hopper" not in exported
    assert "grace" not in exported.lower()


@pytest.mark.long
async def test_of_somebody_forgotten_only_that_is_left(here, ada):
    reports = here.runtime.settings.report_dir
    forget(here.runtime.store, reports, ada)

    exported = export_person(here.runtime.store, reports, ada)

    assert exported["tables"].keys() == {"exclusion"}
    assert exported["files"] == {}


@pytest.mark.long
async def test_a_word_that_is_no_id_exports_nobody(here, ada):
    with pytest.raises(ConfigurationError, match="give a Slack id"):
        export_person(here.runtime.store, here.runtime.settings.report_dir, "%")


async def test_the_command_prints_json_and_takes_an_address(here, ada, sqlite_url, tmp_path):
    done = run(environment(here.sandbox, sqlite_url, tmp_path), "person", "export", "ADA@example.com")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["slack_ids"] == [ada]


async def test_an_export_to_a_file_is_for_its_owner_and_goes_with_the_person(here, ada):
    store, reports = here.runtime.store, here.runtime.settings.report_dir
    before = export_person(store, reports, ada)

    told = fulfil(store, reports, PersonalDataRequest.GIVE_OUT, ada, confirm="")
    (file,) = reports.glob("*-person.json")
    (record,) = json.loads(file.read_text())

    assert (told.told, file.stat().st_mode & 0o777) == (
        f"all that is kept about {ada} is in {file}, which only its owner can read",
        0o600,
    )
    assert record["tables"] == json.loads(as_json(before))["tables"]
    assert export_person(store, reports, ada) == before
    assert REPORT.fullmatch(file.name)
    with pytest.raises(NotConfirmed, match="nothing was erased"):
        fulfil(store, reports, PersonalDataRequest.FORGET, ada, confirm="yes")
    fulfil(store, reports, PersonalDataRequest.FORGET, ada, confirm=ada)
    assert ada not in file.read_text()
    assert "Lovelace" not in file.read_text()


async def test_what_is_asked_for_is_told_without_the_persons_data(here, ada):
    store, reports = here.runtime.store, here.runtime.settings.report_dir

    shown = fulfil(store, reports, PersonalDataRequest.SHOW, ada, confirm="")
    forgotten = fulfil(store, reports, PersonalDataRequest.FORGET, ada, confirm=ada)
    again = fulfil(store, reports, PersonalDataRequest.LOOK_AFTER_AGAIN, ada, confirm="")

    assert (shown.told.startswith(f"{ada} is not forgotten"), "1 mapping" in shown.lines) == (True, True)
    assert shown.lines == forgotten.lines
    assert again.told.startswith(f"{ada} is looked after again")
    assert [[step.values["request"] for step in one.next_steps] for one in (shown, forgotten, again)] == [
        [PersonalDataRequest.GIVE_OUT, PersonalDataRequest.FORGET],
        [PersonalDataRequest.LOOK_AFTER_AGAIN],
        [],
    ]
    for one in (shown, forgotten, again):
        assert not any("Lovelace" in line or "ada@" in line for line in (one.told, *one.lines))


def test_that_nothing_was_kept_about_a_mistyped_id_is_told_before_and_after_it_is_forgotten(here):
    store, reports = here.runtime.store, here.runtime.settings.report_dir

    shown = fulfil(store, reports, PersonalDataRequest.SHOW, "UNOBODY", confirm="")
    forgotten = fulfil(store, reports, PersonalDataRequest.FORGET, "UNOBODY", confirm="UNOBODY")
    after_that = fulfil(store, reports, PersonalDataRequest.SHOW, "UNOBODY", confirm="")

    assert shown.told.endswith("kept is nothing: is it the right id?")
    assert forgotten.told.endswith("erased is nothing: is it the right id?")
    assert after_that.told.endswith("kept is nothing")


async def test_a_run_that_leaves_a_file_to_be_looked_at_does_not_end_as_if_nothing_were_left_to_do(
    here, ada, monkeypatch
):
    pages: list[str] = []

    async def publish_page(page, **_named):
        pages.append(page)

    async def find_forms():
        return Forms({})

    monkeypatch.setattr(fulfil_request, "find_forms", find_forms)
    monkeypatch.setattr(fulfil_request, "publish_page", publish_page)
    monkeypatch.setattr(fulfil_request, "get_run_logger", logging.getLogger)
    notes = here.runtime.settings.report_dir / "notes.txt"
    notes.write_text(f"look at {ada}")

    with pytest.raises(SyncError, match="left to be looked at by hand: 1 of the files"):
        await fulfil_request.fulfil_request.fn(here.runtime, PersonalDataRequest.FORGET, ada, ada)

    assert ada not in mapped(here.runtime.settings.database_url.get_secret_value(), here.workspace.team)
    assert "notes.txt is left as it is" in pages[0]
