import csv
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from slack_docebo.engine.forgetting import forget
from slack_docebo.engine.report import write_files
from slack_docebo.errors import StorageError
from slack_docebo.storage.inbox import InboxRepository
from slack_docebo.storage.plans import PlanRepository
from tests.integration.realtime_world import World, world

NAME = "Lovelace"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=50, rate_limits=False) as running:
        yield running


@pytest.fixture
async def here(sandbox: Sandbox, sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    sandbox.reset()
    async with world(sandbox, sqlite_url, tmp_path) as made:
        yield made


@pytest.fixture
async def ada(here: World, tmp_path: Path) -> str:
    """Somebody who left traces everywhere, beside somebody else."""
    ada = here.sandbox.slack.add("Ada", NAME, "ada@example.com")
    grace = here.sandbox.slack.add("Grace", "Hopper", "grace@example.com")
    await here.settle([ada["id"], grace["id"]])
    write_files(here.runtime.store, here.plans()[0].id, tmp_path / "reports")
    return ada["id"]


def everything(here: World, tmp_path: Path) -> bytes:
    """All that is stored, as bytes; the database rewritten without its free pages."""
    with here.runtime.store.reading() as connection:
        rows = [repr(entry) for entry in InboxRepository(connection).list_(1000)]
        rows += [repr(entry) for plan in here.plans() for entry in PlanRepository(connection).rows(plan.id)]
    files = [file.read_bytes() for file in (tmp_path / "reports").iterdir()]
    return b"".join([*files, *(row.encode() for row in rows)])


async def test_a_forgotten_person_is_named_nowhere(here, ada, tmp_path):
    assert NAME.encode() in everything(here, tmp_path)

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert (gone.events, gone.mappings, gone.operations, gone.files) == (1, 1, 1, 2)
    left = everything(here, tmp_path)
    assert NAME.encode() not in left
    assert b"ada@example.com" not in left
    assert here.docebo_id(ada) is None


async def test_nobody_else_is_touched(here, ada, tmp_path):
    forget(here.runtime.store, tmp_path / "reports", ada)

    plan = here.plans()[0].id
    with (tmp_path / "reports" / f"{plan}.csv").open(newline="") as file:
        assert [row["slack_name"] for row in csv.DictReader(file)] == ["grace.hopper"]
    records = json.loads((tmp_path / "reports" / f"{plan}.json").read_text())
    assert [record["changes"]["username"] for record in records] == ["grace@example.com"]
    assert b"grace@example.com" in everything(here, tmp_path)


async def test_a_person_nobody_knows_is_forgotten_without_fuss(here, tmp_path):
    gone = forget(here.runtime.store, tmp_path / "nowhere", "U0NOBODY")

    assert (gone.events, gone.mappings, gone.operations, gone.files) == (0, 0, 0, 0)


async def test_files_that_cannot_be_read_as_a_report_are_named(here, ada, tmp_path):
    (tmp_path / "reports" / "broken.json").write_text(f'["{ada}"')

    with pytest.raises(StorageError, match=r"broken\.json"):
        forget(here.runtime.store, tmp_path / "reports", ada)
