"""What goes wrong on the way, at a random point of an import, is put right by the next run."""

import asyncio
import math
import random
from collections.abc import Iterator
from functools import partial

import pytest

from sandbox.server import Sandbox
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.errors import IncompleteRead, StorageError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.plans import PlanState
from tests.faults import (
    ASKED_AGAIN,
    FAULTS,
    READ_LIKE_WRITTEN,
    SHOWN_OTHERWISE,
    disturbed_import,
    import_killed_at_call,
    import_with_room_for,
    sides,
)
from tests.importing import ON, carry_out, plan_import, prove, run_import, settings_for
from tests.waiting import PATIENCE_SECONDS

USERS, PAGE = 130, 20


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=USERS, rate_limits=False) as running:
        yield running


@pytest.fixture(scope="module")
async def undisturbed(sandbox, tmp_path_factory) -> tuple:
    """Both sides as a run without faults leaves them."""
    url = f"sqlite:///{tmp_path_factory.mktemp('undisturbed')}/store.db"
    sandbox.reset()
    summary = await run_import(settings_for(sandbox.facts(), url))
    assert summary.plan.state is PlanState.APPLIED
    return sides(sandbox, url)


@pytest.mark.parametrize(
    ("method", "kind"),
    # Docebo's reads and writes go through one client: what befalls both is played with the writes, the worse place.
    [
        pytest.param(*fault, marks=pytest.mark.long)
        if fault in (*READ_LIKE_WRITTEN, *ASKED_AGAIN, *SHOWN_OTHERWISE)
        else fault
        for fault in FAULTS
    ],
)
@pytest.mark.variants(5)
async def test_after_a_fault_one_more_run_makes_everything_right(sandbox, undisturbed, sqlite_url, method, kind):
    sandbox.reset()
    impatient = {"docebo_timeout_seconds": 1} if kind == "slow" else {}
    settings = settings_for(sandbox.facts(), sqlite_url, slack_page_size=PAGE, **impatient)
    skip = random.Random(f"{method} {kind}").randrange({"users.list": 6, "GET /manage/v1/user": 1}.get(method, 3))

    if await disturbed_import(sandbox, settings, method, kind, skip):
        assert sides(sandbox, sqlite_url) == undisturbed
    await run_import(settings)

    assert sides(sandbox, sqlite_url) == undisturbed
    assert sandbox.docebo_gate.counters.violations == []


@pytest.mark.parametrize(("method", "kind"), [("users.list", "shrinking"), ("users.list", "repeated_cursor")])
async def test_a_read_that_is_not_whole_stops_the_run_before_its_first_write(sandbox, sqlite_url, method, kind):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url, slack_page_size=PAGE)
    await run_import(settings, dry_run=True)
    sandbox.slack_gate.faults.add(method, kind, skip=1, times=-1)

    with pytest.raises(IncompleteRead):
        await run_import(settings)

    assert sandbox.docebo_gate.counters.rows["created"] == 0


async def test_a_read_that_is_tried_again_counts_for_itself_alone(sandbox, sqlite_url):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url, slack_page_size=PAGE)
    async with open_runtime(settings, read_rows(table(ON)), run_id="twice") as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            for _ in range(2):
                await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))

            assert people.people == len(sandbox.slack)
            assert people.pages == math.ceil(len(sandbox.slack) / PAGE)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 4))])
async def test_after_kill_9_one_more_run_makes_everything_right(sandbox, undisturbed, sqlite_url, seed):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url)
    calls = random.Random(seed).randrange(4, 10)  # of the about nine that an import makes
    sandbox.slack_gate.latency = sandbox.docebo_gate.latency = 0.05

    await asyncio.to_thread(import_killed_at_call, calls, sandbox, sqlite_url)
    sandbox.slack_gate.latency = sandbox.docebo_gate.latency = 0
    await run_import(settings)

    assert sides(sandbox, sqlite_url) == undisturbed
    assert sandbox.docebo_gate.counters.violations == []


@pytest.mark.long
@pytest.mark.parametrize(
    "kilobytes",  # while reading ... while recording
    [pytest.param(100, marks=pytest.mark.long), 300, pytest.param(500, marks=pytest.mark.long)],
)
async def test_after_the_disk_was_full_one_more_run_makes_everything_right(sandbox, undisturbed, sqlite_url, kilobytes):
    sandbox.reset()

    said = await asyncio.to_thread(import_with_room_for, kilobytes, sandbox, sqlite_url)
    assert "check the disk and its free space" in said
    await run_import(settings_for(sandbox.facts(), sqlite_url))

    assert sides(sandbox, sqlite_url) == undisturbed
    assert sandbox.docebo_gate.counters.violations == []


async def test_an_answer_is_recorded_although_the_next_batch_could_not_be_read(
    sandbox, undisturbed, sqlite_url, monkeypatch
):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url)
    prove(settings)  # a row that is sent alone is waited for before anything else
    async with open_runtime(settings, read_rows(table(ON)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        upsert, tried = runtime.docebo.upsert_users, asyncio.Event()
        loop = asyncio.get_running_loop()

        def failing():
            loop.call_soon_threadsafe(tried.set)
            raise StorageError("the database cannot be read for a moment")

        async def upsert_meanwhile(*args, **kwargs):
            with monkeypatch.context() as patch:
                patch.setattr(runtime.store, "reading", failing)
                results = await upsert(*args, **kwargs)
                await asyncio.wait_for(tried.wait(), PATIENCE_SECONDS)
                return results

        monkeypatch.setattr(runtime.docebo, "upsert_users", upsert_meanwhile)
        await carry_out(runtime, plan_id)

    assert sides(sandbox, sqlite_url) == undisturbed
