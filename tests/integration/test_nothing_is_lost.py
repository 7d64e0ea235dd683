"""Events with duplicates and out of order, while runs are killed and Slack and Docebo go away and come back."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deployments.local import free_port
from sandbox.server import Sandbox
from slack_docebo.domain.observation import Present
from slack_docebo.domain.operations import Kind
from slack_docebo.domain.planner import Planner
from slack_docebo.engine.planning.people import plan_people
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.storage.events import Event, EventState
from tests.integration.realtime_world import ON, World, environment, world
from tests.waiting import PATIENCE_SECONDS

PEOPLE = 40
PATIENT = ON | {"REALTIME_RETRY_DELAYS": ", ".join("0" * 20)}  # calls of a second fail on a busy machine, too


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    ports = {"slack_port": free_port(), "docebo_port": free_port()}
    with Sandbox(users=PEOPLE, rate_limits=False, latency_ms=15, **ports) as running:
        yield running


class Worker:
    """Starts a run where one is wanted, as webhook, Prefect and sweep do together."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = {**os.environ, **env}
        self._child: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        if self._child is None or self._child.poll() is not None:
            command = [sys.executable, "-m", "bench.realtime_process", json.dumps(PATIENT), "1"]
            self._child = subprocess.Popen(command, env=self._env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGKILL)
            self._child.wait(PATIENCE_SECONDS)


def changes(here: World, dice: random.Random) -> list[Event]:
    """Change some people in Slack; return the events, with twins, repeats and a wrong order among them."""
    events = []
    for slack_id in dice.sample(here.slack_ids, 12):
        here.sandbox.slack.change(slack_id, {"profile": {"last_name": f"Name{dice.randrange(1000)}"}})
        event = here.event(slack_id)
        events += [event, replace(event, event_id=f"{event.event_id}twin"), event]
    joined = here.sandbox.slack.add("Ada", "Lovelace", f"ada{dice.randrange(10**9)}@example.com")
    events.append(here.event(joined["id"], kind="team_join", bare=dice.random() < 0.5))
    dice.shuffle(events)
    return events


def open_events(here: World) -> int:
    with here.runtime.store.reading() as tables:
        return tables.inbox.status().waiting


@pytest.mark.parametrize("rounds", [2, pytest.param(6, marks=pytest.mark.long)])
async def test_every_event_is_applied_or_superseded_whatever_dies(sandbox, sqlite_url, tmp_path: Path, rounds: int):
    dice = random.Random(20260301)
    env = environment(sandbox, sqlite_url, tmp_path) | {"DOCEBO_TIMEOUT_SECONDS": "1"}
    put: set[str] = set()
    async with world(sandbox, sqlite_url, tmp_path) as here:
        worker = Worker(env)
        try:
            for number in range(rounds):
                events = changes(here, dice)
                here.put(*events)
                put |= {event.event_id for event in events}
                worker.look()
                await asyncio.sleep(dice.uniform(1.0, 2.5))  # (not to wait for anything: to hit it anywhere)
                if number % 3 == 1:
                    sandbox.stop()
                    sandbox.__enter__()
                else:
                    worker.kill()
            deadline = time.monotonic() + PATIENCE_SECONDS
            while open_events(here) and time.monotonic() < deadline:
                worker.look()
                await asyncio.sleep(0.2)
        finally:
            worker.kill()

        with here.runtime.store.reading() as tables:
            stored = tables.inbox.oldest(10_000)
        assert {entry.event.event_id for entry in stored} == put
        assert {entry.state for entry in stored} <= {EventState.APPLIED, EventState.SUPERSEDED}
        assert await differences(here) == []
        assert not sandbox.docebo_gate.counters.violations


async def differences(here: World) -> list[str]:
    """The people an import would still have to do something about, of those any event was about."""
    people = {}
    with here.runtime.store.reading() as tables:
        for entry in tables.inbox.oldest(10_000):
            seen = await here.runtime.slack.user(entry.event.slack_id)
            people[entry.event.slack_id] = seen.value if isinstance(seen, Present) else None
    accounts = await read_target(here.runtime)
    planner = Planner(here.runtime.behaviour.policy(here.workspace.team), accounts)
    with here.runtime.store.reading() as tables:
        planned = plan_people(
            tables,
            here.runtime.settings.docebo_url,
            planner,
            list(people.values()),
            now=here.runtime.now(),
        )
    return [f"{op.kind} {op.slack_id}: {op.reason}" for op in planned.operations if op.kind is not Kind.LEAVE]
