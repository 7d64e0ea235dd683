"""One member changes without end, beside another who does now and then: `python -m bench.fairness [--changes 1000]`.

An hour has as few calls to Docebo as its documented limit allows.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.settings_on import ON
from bench.table import Results
from deployments.local import connection_settings
from sandbox.server import Sandbox
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.realtime.serving import FOR_EVER, InboxLease, serve
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.events import Event, EventState
from slack_docebo.storage.shares import PER_HOUR
from tests.integration.realtime_world import event_about

CALLS_PER_HOUR = 1000
LATENCY_MS = 100
CHANGES_A_SECOND = 17
LOOK_SECONDS = 0.05
CALLS_PER_CHANGE = 2  # a look and a write
MOST_CALLS = CALLS_PER_CHANGE * (PER_HOUR // 2 + 1)  # the share that is there at once, and what a minute adds


class Member:
    """Somebody who changes the last name, again and again."""

    def __init__(self, sandbox: Sandbox, runtime: Runtime, name: str) -> None:
        self._sandbox = sandbox
        self._runtime = runtime
        self._slack_id = sandbox.slack.add(name, "New", f"{name.lower()}@example.com")["id"]
        self._changes = 0

    def change(self) -> Event:
        """Change the name, and store the event as the webhook does."""
        self._changes += 1
        user = self._sandbox.slack.change(self._slack_id, {"profile": {"last_name": f"Name{self._changes}"}})
        event = event_about(user, f"Ev{self._slack_id}{self._changes}")
        with self._runtime.store.transaction() as tables:
            tables.inbox.put([event])
        return event

    async def seconds_of_a_change(self) -> float:
        """Return how long a change takes until Docebo shows it."""
        begun, event = time.monotonic(), self.change()
        while not self._is_done(event):  # noqa: ASYNC110  (nothing in this process tells when it is)
            await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - begun

    def _is_done(self, event: Event) -> bool:
        with self._runtime.store.reading() as tables:
            entry = tables.inbox.get(event.event_id)
        return entry is not None and entry.state in {EventState.APPLIED, EventState.SUPERSEDED}


async def measure(results: Results, changes: int) -> None:
    """Let one member make *changes* at full speed while another waits for each of a few."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(users=50, rate_limits=False, latency_ms=LATENCY_MS) as sandbox,
    ):
        env: dict[str, Any] = connection_settings(sandbox.facts(), Path(folder)) | {
            "DOCEBO_CALLS_PER_HOUR": str(CALLS_PER_HOUR)
        }
        settings = Settings(_env_file=None, **{name.lower(): value for name, value in env.items()})
        async with open_runtime(settings, read_rows(table(ON)), run_id="bench") as runtime:
            workspace = await validate(runtime)
            with InboxLease(runtime) as turn:
                turn.take()
                run = asyncio.create_task(serve(runtime, workspace, turn, ServeResult(), linger_seconds=FOR_EVER))
                restless, other = Member(sandbox, runtime, "Mal"), Member(sandbox, runtime, "Ada")
                calm = [await other.seconds_of_a_change() for _ in range(5)]
                before = runtime.budget.left()
                churn = asyncio.create_task(_churn(restless, changes))
                beside = []
                while not churn.done():
                    beside.append(await other.seconds_of_a_change())
                    await asyncio.sleep(3)
                left = runtime.budget.left()
                run.cancel()
                await asyncio.gather(run, return_exceptions=True)
    results.add("another's change while nobody else changes, median", statistics.median(calm), None, "s")
    results.add("another's change beside one who does, median", statistics.median(beside), None, "s")
    results.add("  the longest", max(beside), 10, "s")
    results.add("calls to Docebo that may be made at once, before", before)
    results.add("  of these used by the restless member", before - left - CALLS_PER_CHANGE * len(beside), MOST_CALLS)


async def _churn(member: Member, changes: int) -> None:
    for _ in range(changes):
        member.change()
        await asyncio.sleep(1 / CHANGES_A_SECOND)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", description=__doc__)
    parser.add_argument("--changes", type=int, default=1000, help="changes of the restless member (1000)")
    changes = parser.parse_args(arguments).changes
    results = Results(
        f"One member makes {changes} changes, {CHANGES_A_SECOND} a second, {CALLS_PER_HOUR} calls an hour"
    )
    asyncio.run(measure(results, changes))
    results.show()


if __name__ == "__main__":
    main(sys.argv[1:])
