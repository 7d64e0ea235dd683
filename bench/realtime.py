"""Real time against its bars: `python -m bench.realtime [--events 120] [--burst 10000] [--noise 10000]`."""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.settings_on import ON
from bench.table import Results
from deployments.local import connection_settings, free_port, prefect_server, process, wait_until_listening
from sandbox.server import Sandbox
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.storage.events import Event, EventState
from slack_docebo.storage.store import Store
from tests.e2e.prefect_http import prefect_http
from tests.integration.realtime_world import event_about

LATENCY_MS = 100
EVENTS_A_SECOND = 2
BATCH_CALL = "POST /manage/v1/user/batch"


class Installation:
    """A sandbox, a database, and the processes that work on them."""

    def __init__(self, folder: Path, users: int, *, latency_ms: float = LATENCY_MS) -> None:
        self.folder = folder
        self.sandbox = Sandbox(users=users, rate_limits=False, latency_ms=latency_ms, docebo_users=0)

    def __enter__(self) -> "Installation":
        self.sandbox.__enter__()
        self.port = free_port()
        self.env = connection_settings(self.sandbox.facts(), self.folder) | {
            "DOCEBO_CALLS_PER_HOUR": "100000000",
            "SLACK_CALLS_PER_MINUTE": "100000",
            "SLACK_PAGE_SIZE": "1000",
            "SLACK_SIGNING_SECRET": self.sandbox.events.signing_secret,
            "WEBHOOK_PORT": str(self.port),
            "PREFECT_API_URL": "http://127.0.0.1:9/api",  # the run is started by hand
        }
        self.store = Store.open(self.env["DATABASE_URL"])
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        self.sandbox.stop()

    def put(self, events: Sequence[Event]) -> None:
        """Store events as the webhook does."""
        with self.store.transaction() as tables:
            tables.inbox.put(events)

    def open_events(self) -> int:
        with self.store.reading() as tables:
            return tables.inbox.status().waiting

    def serve(self, linger: int) -> "subprocess.Popen[str]":
        """Start a run in a process and return when it is ready to serve."""
        command = [sys.executable, "-m", "bench.realtime_process", json.dumps(ON), str(linger)]
        child = subprocess.Popen(command, env={**os.environ, **self.env}, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()
        return child

    @contextmanager
    def webhook(self) -> Iterator[None]:
        """Run the real webhook and point Slack at it."""
        command = [sys.executable, "-m", "deployments.webhook"]
        log = self.folder / "webhook.log"
        with process(command, log=log, env=self.env) as child:
            wait_until_listening(self.port, child, log)
            self.sandbox.events.configure(request_url=f"http://127.0.0.1:{self.port}/slack/events")
            yield
            self.sandbox.events.configure(request_url="")


def result(child: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return what a run printed at its end."""
    out, _ = child.communicate(timeout=600)
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def warm(results: Results, events: int) -> None:
    """Measure how long it takes until each of several people who join has an account, while a run lingers."""
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder), 50) as here, here.webhook():
        child = here.serve(linger=5)
        joined: dict[str, datetime] = {}
        for number in range(events):
            at = datetime.now(UTC)
            user = here.sandbox.slack.add("Ada", f"Number{number}", f"ada{number}@example.com")
            joined[user["id"]] = at
            time.sleep(max(0.0, 1 / EVENTS_A_SECOND - (datetime.now(UTC) - at).total_seconds()))
        run = result(child)
        with here.store.reading() as tables:
            entries = [e for e in tables.inbox.oldest(10 * events) if e.event.slack_id in joined]
        whole = [(e.done_at - joined[e.event.slack_id]).total_seconds() for e in entries if e.done_at]
        delivery = [(e.event.received_at - joined[e.event.slack_id]).total_seconds() for e in entries]
        accounts = sum(bool(here.sandbox.docebo.accounts.by_email(f"ada{n}@example.com")) for n in range(events))
    results.add("warm: events without an account at the end", events - accounts)
    results.add("warm: event to account, median", statistics.median(whole), 1, "s")
    results.add("warm: event to account, p99", sorted(whole)[math.ceil(len(whole) * 0.99) - 1], 3, "s")
    results.add("  of it Slack to inbox, mean", statistics.mean(delivery), None, "s")
    in_run = sum(run["seconds"].values()) / run["rounds"]
    for stage, seconds in run["seconds"].items():
        results.add(f"  of it {stage}, mean per round", seconds / run["rounds"], None, "s")
    rest = statistics.mean(whole) - statistics.mean(delivery) - in_run
    results.add("  of it waiting for the next look, mean", max(0.0, rest), None, "s")


def cold(results: Results) -> None:
    """Measure the time from starting a run's process, as a worker does, to the account, when no run is at work."""
    with tempfile.TemporaryDirectory() as name, Installation(Path(name), 50) as here:
        with prefect_server(Path(name)) as clients:
            env = {**os.environ, **here.env, **clients, "PREFECT_HOME": f"{name}/prefect"}
            subprocess.run([sys.executable, "-m", "bench.settings_on"], env=env, check=True)
            here.put([event_about(here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com"), "Ev1")])
            begun = datetime.now(UTC)
            flow = (
                "import asyncio; from flows.realtime_sync import realtime_sync as f; asyncio.run(f(linger_seconds=0))"
            )
            subprocess.run([sys.executable, "-c", flow], env=env, check=True, capture_output=True)
            with prefect_http(clients) as http:
                runs = http.post("flow_runs/filter", json={}).json()
        with here.store.reading() as tables:
            done = tables.inbox.get("Ev1")
        assert done is not None
        assert done.done_at is not None
        start = datetime.fromisoformat(runs[0]["start_time"]) - begun
        whole = done.done_at - begun
    results.add("cold: start of the process to the first line of the flow", start.total_seconds(), None, "s")
    results.add("cold: start of the process to account", whole.total_seconds(), start.total_seconds() + 1, "s")


def burst(results: Results, events: int) -> None:
    """Measure a burst: everybody changes several times at once."""
    people = events * 4 // 10
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder), people + 200) as here:
        users = [user for user in here.sandbox.slack if source_user(user).email][:people]
        child = here.serve(linger=3)
        begun = time.perf_counter()
        for start in range(0, events, 100):
            here.put([event_about(users[n % len(users)], f"Ev{n}") for n in range(start, min(start + 100, events))])
        stored = time.perf_counter() - begun
        run = result(child)
        calls = here.sandbox.docebo_gate.counters.calls[BATCH_CALL]
        with here.store.reading() as tables:
            status = tables.inbox.status()
    done = sum(status.counts.get(state, 0) for state in (EventState.APPLIED, EventState.SUPERSEDED))
    results.add(f"burst of {events} for {len(users)} people: stored in", stored, 60, "s")
    results.add("burst: events not done at the end", events - done)
    results.add("burst: batch calls", calls, math.ceil(len(users) / 100) + 5)
    results.add("burst: time at work", sum(run["seconds"].values()), 60, "s")
    results.add("burst: peak memory of the run", run["peak_mb"], None, "MB")


def noise(results: Results, events: int) -> None:
    """Measure events of people of whom nothing that is mapped has changed."""
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder), 400, latency_ms=0) as here:
        everybody = list(here.sandbox.slack)
        here.put([event_about(user, f"Ev{number}") for number, user in enumerate(everybody)])
        result(here.serve(linger=0))
        here.sandbox.docebo_gate.counters.reset()
        child = here.serve(linger=3)
        validated = sum(here.sandbox.docebo_gate.counters.calls.values())
        for number in range(events):
            user = here.sandbox.slack.get(everybody[number % len(everybody)]["id"])
            if number % 100 == 0:
                group = []
            group.append(event_about(user, f"Ev{1_000_000 + number}"))
            if len(group) == 100 or number == events - 1:
                here.put(group)
        run = result(child)
        calls = sum(here.sandbox.docebo_gate.counters.calls.values()) - validated
        left = here.open_events()
    results.add(f"noise of {events}: calls to Docebo", calls)
    results.add("noise: events not done at the end", left)
    results.add("noise: time at work", sum(run["seconds"].values()), None, "s")
    results.add("noise: peak memory of the run", run["peak_mb"], None, "MB")


def main(arguments: Sequence[str] = ()) -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.realtime", description=__doc__)
    parser.add_argument("--events", type=int, default=120, help="people who join while a run lingers (120)")
    parser.add_argument("--burst", type=int, default=10_000, help="events of the burst (10000)")
    parser.add_argument("--noise", type=int, default=10_000, help="events of the noise (10000)")
    options = parser.parse_args(arguments)
    results = Results(f"Real time, {LATENCY_MS} ms per API call, {EVENTS_A_SECOND} events/s")
    warm(results, options.events)
    cold(results)
    burst(results, options.burst)
    noise(results, options.noise)
    results.show()


if __name__ == "__main__":
    main(sys.argv[1:])
