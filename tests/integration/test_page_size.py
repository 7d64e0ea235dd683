"""How many people Slack's list is asked for at once, and how long it takes to read ten thousand at Slack's pace."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from sandbox.server import Sandbox
from slack_docebo.clients import pace
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.slack_list import PAGE_LIMIT_KEPT, read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from tests.importing import ON, settings_for

PEOPLE = 10_000
SLACKS_PACE = 20  # calls a minute


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(users=PEOPLE, docebo_users=0, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(pace, "asyncio", clock)
    return clock


@pytest.fixture
def paced(sandbox: Sandbox, sqlite_url: str) -> Callable[..., Settings]:
    return partial(settings_for, sandbox.facts(), sqlite_url, slack_calls_per_minute=SLACKS_PACE)


async def read(settings: Settings, people_there: int = PEOPLE) -> int:
    """Read everybody, in a run of its own; return how many people a page was asked for at the end."""
    async with open_runtime(settings, read_rows(table(ON)), run_id="one") as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
            assert people.people == people_there
        return runtime.slack.page_size


def limited(sandbox: Sandbox, **switches: Any) -> None:
    sandbox.slack.switches = replace(sandbox.slack.switches, **switches)


@pytest.mark.long
async def test_ten_thousand_people_are_read_within_15_s_at_slacks_pace(sandbox, clock, paced):
    assert await read(paced(slack_page_size=1000)) == 1000

    assert sandbox.slack_gate.counters.calls["users.list"] == 10
    assert clock.now <= 15


@pytest.mark.long
async def test_a_slack_that_gives_few_at_once_is_read_in_as_long_as_with_small_pages(sandbox, clock, paced):
    limited(sandbox, most_people=200, too_many="limit_required")
    await read(paced(slack_page_size=200))
    as_ever, clock.now = clock.now, 0.0

    assert await read(paced(slack_page_size=1000)) == 200

    assert clock.now <= as_ever
    assert sandbox.slack_gate.counters.calls["users.list"] == 50 + 51


@pytest.mark.long
async def test_what_slack_could_give_at_once_is_remembered_for_some_days(clock, sqlite_url):
    with Sandbox(users=2_000, docebo_users=0, rate_limits=False) as sandbox:
        settings = settings_for(sandbox.facts(), sqlite_url, slack_calls_per_minute=SLACKS_PACE)
        limited(sandbox, most_people=500, too_many="error_500")
        calls = sandbox.slack_gate.counters.calls

        assert [await read(settings, 2_000), calls["users.list"]] == [200, 2 + 10]
        assert [await read(settings, 2_000), calls["users.list"]] == [200, 12 + 10]

        limited(sandbox, most_people=1000)
        with time_machine.travel(timedelta(), tick=False) as moment:
            moment.shift(PAGE_LIMIT_KEPT + timedelta(hours=1))
            assert [await read(settings, 2_000), calls["users.list"]] == [1000, 22 + 2]
