"""Nothing is lost: Slack's events while worker, Prefect server, webhook and Docebo die and come back.

`python -m bench.nothing_lost [--events 10000]`. Events are delivered as Slack does it: at most four times. An event
whose four deliveries all failed never came; the reconciliation has to find its change, and the bench checks that.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from bench.installation import ROOT, deploy, until
from bench.kept_connections import Connections
from bench.slack_events import SECRET, request
from bench.table import Results
from deployments.local import (
    LIBRARY_LOGS,
    OUR_WORKER,
    QUIET_PREFECT,
    WORKER,
    connection_settings,
    descendants,
    free_port,
    is_healthy,
    prefect_server_command,
    process,
)
from deployments.login import new_login
from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind
from slack_docebo.integration_settings import VARIABLE, table
from slack_docebo.storage.events import EventState
from slack_docebo.storage.store import Store
from tests.e2e.prefect_http import prefect_http, wait_for_worker
from tests.importing import ON, run_import, settings_for
from tests.webhook import envelope

# Without limits: a run that was away for minutes finds more leavers than the usual ones let through.
ROWS = {**ON, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "REALTIME_RETRY_DELAYS": "1, 2, 5, 10, 20"}
DEPLOYMENTS = ("realtime-sync/slack-events", "sweep/sweep")
ACKNOWLEDGED_WITHIN = 3.0
REPEATED_AFTER = (0.0, 3.0, 15.0)  # Slack: at once, after one and after five minutes
DRAIN_SECONDS = 420.0
BETWEEN_SWEEPS_SECONDS = 10.0  # instead of five minutes
FORGED = (("X-Slack-Signature", "v0=" + 64 * "0"),)
DOCEBO_GONE = ("dropped", "carried_out_then_dropped")


@dataclass
class Outcome:
    """The result: which events were sent, and what became of them."""

    sent: set[str]  # ids of genuine events
    undelivered: set[str]  # ids of those Slack gave up
    stored: set[str]
    states: Counter[EventState]
    unlike: set[str]  # people whom an import would still change
    excused: set[str]  # people with an undelivered event
    unlike_after_import: set[str]
    overlaps: int  # batch calls while another was under way
    deaths: Counter[str]

    @property
    def faults(self) -> list[str]:
        """Say each thing that must not be."""
        missing = self.sent - self.undelivered - self.stored
        found = {
            "events were acknowledged and are not in the inbox": len(missing),
            "events in the inbox are forged or malformed": len(self.stored - self.sent),
            "events are neither applied nor superseded nor parked": sum(
                self.states[state] for state in (EventState.WAITING, EventState.CLAIMED)
            ),
            "events are parked": self.states[EventState.PARKED],
            "people differ although Slack delivered all their events": len(self.unlike - self.excused),
            "people differ after the reconciliation": len(self.unlike_after_import),
            "batch calls overlapped": self.overlaps,
        }
        return [f"{number} {what}" for what, number in found.items() if number]


class Part:
    """One process of the installation, which can be killed with all that it has started."""

    def __init__(self, stack: ExitStack, command: Sequence[str], *, log: Path, env: dict[str, str], cwd: Path) -> None:
        self._begin: Callable[[], subprocess.Popen[bytes]] = lambda: stack.enter_context(
            process(command, log=log, env=env, cwd=cwd)
        )
        stack.callback(self.kill)  # flow runs outlive their worker
        self.start()

    def start(self) -> None:
        self._child = self._begin()

    def kill(self) -> None:
        for pid in [self._child.pid, *descendants(self._child.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._child.wait()


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Installation:
    """A whole installation with its Slack and Docebo, on this machine."""

    def __init__(self, stack: ExitStack, folder: Path, people: int) -> None:
        self.sandbox = stack.enter_context(Sandbox(users=people, rate_limits=False, latency_ms=15))
        self.webhook_port, prefect, login = free_port(), free_port(), new_login()
        self.api = f"http://127.0.0.1:{prefect}/api"
        self.env = connection_settings(self.sandbox.facts(), folder) | {
            **QUIET_PREFECT,
            **LIBRARY_LOGS,
            **OUR_WORKER,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_API_AUTH_STRING": login,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_CALLS_PER_MINUTE": "100000",
            "DOCEBO_CALLS_PER_HOUR": "100000000",
            "DOCEBO_TIMEOUT_SECONDS": "2",
            "WEBHOOK_PORT": str(self.webhook_port),
        }
        self.database_url = self.env["DATABASE_URL"]
        self.import_everybody()

        def part(name: str, command: Sequence[str], **env: str) -> Part:
            return Part(
                stack, command, log=folder / f"{name}.log", env=self.env | env, cwd=folder if name == "worker" else ROOT
            )

        command, settings = prefect_server_command(folder, prefect, login)
        self.parts = {"Prefect server": part("prefect-server", command, **settings)}
        until(lambda: is_healthy(self.api))
        self.http = stack.enter_context(prefect_http(self.env, transport=httpx.HTTPTransport()))
        self._deploy()
        self.parts |= {
            "worker": part("worker", WORKER),
            "webhook": part("webhook", [sys.executable, "-m", "deployments.webhook"]),
        }
        wait_for_worker(self.http)
        until(lambda: _is_listening(self.webhook_port))
        self.store = stack.enter_context(Store.open(self.database_url))

    def _deploy(self) -> None:
        deploy(self.env, *DEPLOYMENTS)
        self.http.patch(f"variables/name/{VARIABLE}", json={"value": table(ROWS)}).raise_for_status()

    def import_everybody(self, *, dry_run: bool = False) -> set[str]:
        """Import, and return the people for whom there was something to do."""
        settings = settings_for(self.sandbox.facts(), self.database_url, report_dir=Path(self.env["REPORT_DIR"]))
        plan = asyncio.run(run_import(settings, dry_run=dry_run, rows=ROWS)).plan
        with Store.open(self.database_url) as store, store.reading() as tables:
            entries = tables.operations.rows(plan.id)
            return {entry.operation.slack_id for entry in entries if entry.operation.kind is not Kind.LEAVE}

    def sweep(self) -> None:
        """Ask for a sweep, as its schedule does."""
        with suppress(httpx.HTTPError):
            deployment = self.http.get(f"deployments/name/{DEPLOYMENTS[1]}").raise_for_status().json()
            self.http.post(f"deployments/{deployment['id']}/create_flow_run", json={})

    def open_events(self) -> int:
        with self.store.reading() as tables:
            return tables.inbox.status().waiting


class Sender:
    """Delivers as Slack does: each request again, three times at most, until it is acknowledged in time."""

    def __init__(self, port: int) -> None:
        self.delivered: set[str] = set()
        self._port = port
        self._connections = Connections(port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sender")
        self._under_way: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def send(self, payload: dict[str, Any], *, forged: bool = False) -> None:
        """Begin to deliver *payload*, as it is now."""
        work = self._deliver(payload["event_id"], json.dumps(payload).encode(), FORGED if forged else ())
        self._under_way.append(asyncio.run_coroutine_threadsafe(work, self._loop))

    def settle(self) -> None:
        """Wait until every delivery has come to its end."""
        for delivery in self._under_way:
            delivery.result()

    async def _deliver(self, event_id: str, body: bytes, headers: Sequence[tuple[str, str]]) -> None:
        for delay in (0.0, *REPEATED_AFTER):
            await asyncio.sleep(delay)
            with suppress(OSError):  # TimeoutError is one
                async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
                    status = await self._connections.send(request(body, port=self._port, headers=headers))
                if status == httpx.codes.OK:
                    self.delivered.add(event_id)
                    return


class Traffic:
    """What happens in Slack, and the requests that come of it: shuffled, repeated, and mixed with hostile ones."""

    def __init__(self, here: Installation, sender: Sender, dice: random.Random) -> None:
        self.people: dict[str, str] = {}  # by the id of the event about them
        self._slack = here.sandbox.slack
        self._subscriptions = here.sandbox.events.subscriptions
        self._sender = sender
        self._dice = dice
        self._payloads: list[dict[str, Any]] = []
        self._slack_ids = [user["id"] for user in self._slack]
        self._slack.announce = self._take

    def flow(self, events: int, rate: float) -> None:
        """Let things happen until there were so many *events*, at *rate* a second."""
        began = time.monotonic()
        while len(self.people) < events:
            for _ in range(10):
                self._something_happens()
            self._dice.shuffle(self._payloads)
            for payload in self._payloads:
                self._deliver(payload)
            self._payloads.clear()
            time.sleep(max(0.0, began + len(self.people) / rate - time.monotonic()))

    def _take(self, types: tuple[str, ...], user: dict[str, Any]) -> None:
        for kind in self._subscriptions.intersection(types):
            payload = envelope(len(self.people) + 1, event={"type": kind, "user": user})
            self.people[payload["event_id"]] = user["id"]
            self._payloads.append(payload)

    def _something_happens(self) -> None:
        someone = self._dice.choice(self._slack_ids)
        match self._dice.randrange(50):
            case 0:
                number = len(self.people)
                joined = self._slack.add("Ada", f"Number{number}", f"ada{number}@example.com")
                self._slack_ids.append(joined["id"])
            case 1:
                self._slack.deactivate(someone)
            case 2 | 3:
                self._slack.reactivate(someone)
            case 4 | 5 | 6 | 7:
                self._slack.set_status(someone, "in a meeting")
            case _:
                self._slack.change(someone, {"profile": {"last_name": f"Name{self._dice.randrange(10_000)}"}})

    def _deliver(self, payload: dict[str, Any]) -> None:
        self._sender.send(payload)
        match self._dice.randrange(30):
            case 0 | 1 | 2:
                self._sender.send(payload)  # Slack sends some twice
            case 3:
                self._sender.send({**payload, "event_id": "EvForged"}, forged=True)
            case 4:
                self._sender.send({**payload, "event_id": "EvMalformed", "event": {"type": "user_change", "user": [7]}})


class Misfortune(threading.Thread):
    """Kills one part after the other and starts it again, each at least once, until it is stopped."""

    def __init__(self, here: Installation, dice: random.Random, pauses: tuple[float, float]) -> None:
        super().__init__(name="misfortune")
        self.deaths: Counter[str] = Counter()
        self._here = here
        self._dice = dice
        self._pauses = pauses
        self._enough = threading.Event()

    def run(self) -> None:
        while not self._enough.is_set():
            names = ["Docebo", *self._here.parts]
            for name in self._dice.sample(names, len(names)):
                self._enough.wait(self._dice.uniform(*self._pauses))
                self._strike(name)

    def stop(self) -> None:
        """Let the present turn come to its end."""
        self._enough.set()
        self.join()

    def _strike(self, name: str) -> None:
        self.deaths[name] += 1
        away = self._dice.uniform(0.2, 3)
        if name == "Docebo":  # its process is ours: it answers nobody, which looks the same from outside
            faults = self._here.sandbox.docebo_gate.faults
            faults.add("*", self._dice.choice(DOCEBO_GONE), times=-1)
            time.sleep(away)
            faults.clear()
        else:
            part = self._here.parts[name]
            part.kill()
            time.sleep(away)
            part.start()


def try_to_lose(
    folder: Path, *, events: int, people: int, rate: float, pauses: tuple[float, float], seed: int, say: bool = False
) -> Outcome:
    """Run an installation through *events* and misfortunes, and return what became of them."""
    dice = random.Random(seed)
    with ExitStack() as stack:
        here = Installation(stack, folder, people)
        sender = stack.enter_context(Sender(here.webhook_port))
        traffic = Traffic(here, sender, dice)
        misfortune = Misfortune(here, random.Random(seed), pauses)
        misfortune.start()
        with _sweeping(here, traffic, misfortune, say=say):
            try:
                traffic.flow(events, rate)
            finally:
                misfortune.stop()
            sender.settle()
            _drain(here)
        undelivered = set(traffic.people) - sender.delivered
        with here.store.reading() as tables:
            entries = tables.inbox.oldest(10 * events)
        unlike = here.import_everybody(dry_run=True)
        here.import_everybody()
        return Outcome(
            sent=set(traffic.people),
            undelivered=undelivered,
            stored={entry.event.event_id for entry in entries},
            states=Counter(entry.state for entry in entries),
            unlike=unlike,
            excused={traffic.people[event_id] for event_id in undelivered},
            unlike_after_import=here.import_everybody(dry_run=True),
            overlaps=len(here.sandbox.docebo_gate.counters.violations),
            deaths=misfortune.deaths,
        )


def _drain(here: Installation) -> None:
    """Wait until every event is done."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while here.open_events() and time.monotonic() < deadline:
        time.sleep(0.25)


@contextmanager
def _sweeping(here: Installation, traffic: Traffic, misfortune: Misfortune, *, say: bool) -> Iterator[None]:
    """Ask for a sweep now and then, as its schedule does, and tell how far it has come."""
    over = threading.Event()
    began = time.monotonic()

    def sweep() -> None:
        while not over.wait(BETWEEN_SWEEPS_SECONDS):
            here.sweep()
            if say:
                said = f"{time.monotonic() - began:4.0f} s: {len(traffic.people)} events, {here.open_events()} open"
                print(f"{said}, {misfortune.deaths.total()} deaths", flush=True)

    thread = threading.Thread(target=sweep)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def main(arguments: Sequence[str] = ()) -> int:
    """Run it, print what became of the events, and return 0 if nothing is lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.nothing_lost", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="events about people (10000)")
    parser.add_argument("--rate", type=float, default=40, help="events a second (40)")
    parser.add_argument("--seed", type=int, default=20260301)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="slack-docebo-bench-") as name:
        found = try_to_lose(
            Path(name),
            events=options.events,
            people=1000,
            rate=options.rate,
            pauses=(4, 12),
            seed=options.seed,
            say=True,
        )
    results = Results("Nothing lost: events while every part is killed and comes back")
    results.add("events sent", len(found.sent))
    results.add("   whose four deliveries all failed, for the reconciliation", len(found.undelivered))
    for state in EventState:
        results.add(f"   {state}", found.states[state])
    for part, number in sorted(found.deaths.items()):
        results.add(f"deaths of {part}", number)
    results.add("people to be changed at the end", len(found.unlike))
    results.add("   without an undelivered event", len(found.unlike - found.excused))
    results.add("people to be changed after the reconciliation", len(found.unlike_after_import))
    results.add("took", time.monotonic() - began, None, "s")
    results.show()
    print("\n".join(found.faults) or "nothing is lost")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
