"""Mappings carried in and out as the form does it, over real HTTP."""

import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.mappings.carrying import Carried, MappingAction, MappingRequest, carry_mappings
from slack_docebo.engine.mappings.forgetting import forget
from slack_docebo.engine.reading.connection import validate
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from tests.both_databases import ON_BOTH
from tests.importing import mapped, run_import
from tests.integration.realtime_world import ON, World, world

HEAD = "slack_id,slack_name,slack_team,user_id\n"


@pytest.fixture
async def here(shared_sandbox, usual_database_url, tmp_path) -> AsyncIterator[World]:
    shared_sandbox.reset()
    async with world(shared_sandbox, usual_database_url, tmp_path, **ON) as opened:
        yield opened


async def carried(here: World, action: MappingAction, **more) -> Carried:
    return await carry_mappings(here.runtime, partial(validate, here.runtime), MappingRequest(action, **more))


def mappings(here: World) -> dict[str, int]:
    return mapped(here.runtime.settings.database_url.get_secret_value(), here.workspace.team)


def text_of(exported: Carried) -> str:
    """The file to which mappings were exported."""
    return Path(re.search(r"written to (\S+), which only its owner can read", exported.told)[1]).read_text("utf-8")


def files(here: World) -> list[str]:
    return sorted(path.name for path in here.runtime.settings.report_dir.glob("mappings-*"))


async def test_a_table_that_is_pasted_is_checked_and_then_taken_over_once_its_number_is_typed(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    account = here.sandbox.docebo.accounts.add("countess", email="countess@example.com").user_id

    checked = await carried(
        here, MappingAction.IMPORT, table=f"{HEAD}{ada},ada,,{account}\n", check_only=False, confirm=1
    )
    before = mappings(here)
    [step] = checked.next_steps
    kept = files(here)
    with pytest.raises(NotConfirmed, match="type their number, 1"):
        await carried(here, **step.values, confirm=2)
    done = await carried(here, **step.values, confirm=1)

    assert checked.told.startswith("1 mapping would be written, nothing was")
    assert (before.get(ada), mappings(here)[ada]) == (None, account)
    assert done.told == "1 mapping written"
    assert kept == [f"mappings-{step.values['checked']}-import.csv"]
    assert files(here) == []
    with pytest.raises(ConfigurationError, match="paste the table again"):
        await carried(here, **step.values, confirm=1)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({}, "one of both"),
        ({"table": "x", "checked": "1abcdefg"}, "one of both"),
        ({"table": " ", "checked": "1abcdefg"}, "no checked table 1abcdefg is on this worker's disk"),
        ({"table": "slack_id,user_id\nU1,2\n"}, "the table: the first line lacks the columns slack_name, slack_team"),
        ({"table": f"{HEAD}U1,ada,TOTHER,2\nada,,,3\n"}, "2 rows cannot be used: line 2: slack_team is not the linked"),
    ],
)
async def test_a_table_that_cannot_be_used_is_not_kept(here, request_, told):
    with pytest.raises(ConfigurationError, match=told):
        await carried(here, MappingAction.IMPORT, **request_)

    assert files(here) == []


@pytest.mark.long
async def test_what_is_exported_is_a_file_for_its_owner_and_a_table_of_ids_and_can_be_imported_again(here):
    await run_import(here.runtime.settings, rows=ON)
    before = mappings(here)

    exported = await carried(here, MappingAction.EXPORT)
    again = await carried(here, MappingAction.IMPORT, table=text_of(exported))

    assert exported.told.startswith(f"{len(before)} mappings written to ")
    assert {row["Slack user"]: row["Docebo user"] for row in exported.rows} == before
    assert here.runtime.behaviour.people_shown is PeopleShown.IDS
    assert {name for row in exported.rows for name in row} == {"Slack user", "Docebo user"}
    assert again.told.startswith("0 mappings would be written")


async def test_who_is_forgotten_is_in_no_table_that_was_carried(here):
    await run_import(here.runtime.settings, rows=ON)
    ada = min(mappings(here))
    exported = await carried(here, MappingAction.EXPORT)

    forget(here.runtime.store, here.runtime.settings.report_dir, ada)

    assert ada not in text_of(exported)


async def test_fields_that_are_missing_are_named_made_and_then_there(here):
    rows = read_rows(table({**ON, "MIRROR_FIELDS": "Slack ID, Chat name, Chat team"}))
    async with open_runtime(here.runtime.settings, rows, run_id="test") as runtime:  # no run can connect yet
        lacking = World(here.sandbox, runtime, here.workspace)
        checked = await carried(lacking, MappingAction.MAKE_FIELDS)
        [step] = checked.next_steps
        made = await carried(lacking, **step.values)
        again = await carried(lacking, MappingAction.MAKE_FIELDS)

    assert checked.told == "2 of 3 fields would be made in Docebo, nothing was"
    assert [row["state"] for row in checked.rows] == ["there already", "missing", "missing"]
    assert made.told == "2 of 3 fields were made in Docebo"
    assert all(row["id"] for row in made.rows)
    assert (again.told, again.next_steps) == ("0 of 3 fields would be made in Docebo, nothing was", [])


@ON_BOTH
@pytest.mark.variants(1)
async def test_a_table_that_is_lost_comes_back_from_the_fields_once_its_number_is_typed(here, shared_sandbox, tmp_path):
    rows = {**ON, "MIRROR_FIELDS": "Slack ID, Slack Name, Slack Team"}
    await run_import(here.runtime.settings, rows=rows)
    before = mappings(here)
    (tmp_path / "anew").mkdir()
    async with world(shared_sandbox, f"sqlite:///{tmp_path}/anew/new.db", tmp_path / "anew", **rows) as anew:
        checked = await carried(anew, MappingAction.REBUILD)
        empty = mappings(anew)
        [step] = checked.next_steps
        number = int(checked.told.split()[0])
        with pytest.raises(NotConfirmed):
            await carried(anew, **step.values)
        done = await carried(anew, **step.values, confirm=number)
        rebuilt = mappings(anew)

    assert (empty, done.told) == ({}, f"{number} mappings written, {len(done.rows)} accounts left out")
    assert rebuilt.items() <= before.items()
    assert len(rebuilt) == number > 0
