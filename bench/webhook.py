"""The webhook: acknowledgement under load with the store committed, beside slack-bolt that only answers; hostile requests."""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvloop

from bench.kept_connections import Connections
from bench.slack_events import body, event_id, hostile, request
from bench.webhook_servers import bolt, processor_seconds, resident_kb, stored, webhook

RATES = (500, 750, 1000)
BARS = {"events_per_second": 500, "p99_ms": 100}


@dataclass
class Measured:
    """The result of one load."""

    offered: float  # events a second
    sustained: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]
    acknowledged: list[str]  # the ids of the events that were answered with 200


class Sending:
    """Events that are signed beforehand, so that the server has the processors for itself, and how they fared."""

    def __init__(self, port: int, count: int, first: int) -> None:
        self._ids = [event_id(first + number) for number in range(count)]
        self._messages = [request(body(first + number), port=port) for number in range(count)]
        self._connections = Connections(port)
        self._latencies: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._acknowledged: list[str] = []

    async def paced(self, rate: float) -> Measured:
        """Offer *rate* events a second, each at its own moment whether or not the others are answered."""
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(len(self._messages)):
                due = began + number / rate
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                # From when it was due: a late sender must not flatter the server.
                group.create_task(self._send(number, due))
        return self._measured(rate, time.perf_counter() - began)

    async def at_full_tilt(self, connections: int) -> Measured:
        """Keep *connections* busy, each sending as soon as it is answered: what the server can do at most."""
        numbers = iter(range(len(self._messages)))

        async def keep_busy() -> None:
            for number in numbers:
                await self._send(number, time.perf_counter())

        began = time.perf_counter()
        await asyncio.gather(*(keep_busy() for _ in range(connections)))
        return self._measured(0, time.perf_counter() - began)

    async def _send(self, number: int, began: float) -> None:
        status = await self._connections.send(self._messages[number])
        self._latencies.append(1000 * (time.perf_counter() - began))
        self._statuses[str(status)] += 1
        if status == httpx.codes.OK:
            self._acknowledged.append(self._ids[number])

    def _measured(self, offered: float, took: float) -> Measured:
        ranked = sorted(self._latencies)
        p99 = ranked[int(len(ranked) * 0.99)]
        sustained = len(ranked) / took
        return Measured(
            offered=offered,
            sustained=sustained,
            p50_ms=statistics.median(ranked),
            p99_ms=p99,
            statuses=dict(self._statuses),
            acknowledged=self._acknowledged,
        )


async def attack(port: int, count: int, seed: int = 7) -> dict[str, int]:
    """Send *count* hostile requests, a few at a time, and return how they were answered."""
    pool = Connections(port)
    chance = random.Random(seed)
    statuses: Counter[str] = Counter()
    numbers = iter(range(count))

    async def keep_on() -> None:
        for number in numbers:
            try:
                status = await asyncio.wait_for(pool.send(hostile(number, port, chance)), 10)
            except TimeoutError:
                status = -1
            statuses[str(status)] += 1

    await asyncio.gather(*(keep_on() for _ in range(16)))
    return dict(statuses)


def _client(*arguments: str) -> dict[str, Any]:
    """Run this module as the client, in a process of its own, and return what it measured."""
    answer = subprocess.run(
        [sys.executable, "-m", "bench.webhook", "--client", *arguments], check=True, stdout=subprocess.PIPE
    )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def _run_client(arguments: Sequence[str]) -> None:
    what, port, *numbers = arguments
    match what:
        case "attack":
            print(json.dumps(uvloop.run(attack(int(port), int(numbers[0])))))
        case _:
            amount, count, first = map(int, numbers)
            sending = Sending(int(port), count, first)
            work = sending.paced(amount) if what == "paced" else sending.at_full_tilt(amount)
            print(json.dumps(asdict(uvloop.run(work))))


@dataclass
class Side:
    """One of the two servers, with the results of its loads."""

    port: int
    pid: int
    loads: list[Measured] = field(default_factory=list)
    microseconds: list[float] = field(default_factory=list)  # of processor time for each event

    def bear(self, what: str, amount: int, count: int, first: int) -> None:
        """Send one load and keep its result."""
        before = processor_seconds(self.pid)
        self.loads.append(Measured(**_client(what, *map(str, (self.port, amount, count, first)))))
        self.microseconds.append(1e6 * (processor_seconds(self.pid) - before) / count)


def acknowledgement(seconds: int) -> bool:
    """Measure the webhook and slack-bolt in turn, at the same rates, then at full tilt; tell whether the bars hold."""
    labels = []
    with tempfile.TemporaryDirectory(prefix="slack-docebo-bench-") as name:
        folder = Path(name)
        with webhook(folder) as our_server, bolt(folder) as their_server:
            ours, theirs = Side(*our_server), Side(*their_server)
            for number, (label, what, amount, count) in enumerate(
                (
                    ("warming up", "paced", 200, 400),
                    *((f"{rate}/s offered", "paced", rate, rate * seconds) for rate in RATES),
                    ("64 connections, full tilt", "full-tilt", 64, 1000 * seconds),
                )
            ):
                labels.append(label)
                for side in (ours, theirs):
                    side.bear(what, amount, count, first=number * 1_000_000)
        in_inbox = stored(folder)
    print(f"\n{'acknowledgement':28}{'webhook, committed':>44}{'slack-bolt, answers only':>44}{'ratio':>8}")
    for number, label in list(enumerate(labels))[1:]:
        told = (f"{_cell(side.loads[number])}, CPU {side.microseconds[number]:.0f} us" for side in (ours, theirs))
        ratio = ours.loads[number].sustained / theirs.loads[number].sustained
        print(f"{label:28}{''.join(f'{text:>44}' for text in told)}{ratio:8.2f}")
    acknowledged = {id_ for measured in ours.loads for id_ in measured.acknowledged}
    lost = acknowledged - in_inbox
    print(f"{len(acknowledged)} acknowledged, {len(lost)} of them not in the inbox")
    at_bar = ours.loads[1 + RATES.index(BARS["events_per_second"])]
    holds = (
        at_bar.sustained >= 0.98 * BARS["events_per_second"]
        and at_bar.p99_ms < BARS["p99_ms"]
        and set(at_bar.statuses) == {"200"}
        and ours.loads[-1].sustained >= theirs.loads[-1].sustained
        and not lost
    )
    print(f"bar 500/s, p99 < 100 ms, not slower than slack-bolt, all committed: {'holds' if holds else 'MISSED'}")
    return holds


def hostility(count: int) -> bool:
    """Send hostile requests; tell whether none was a fault of ours, none left a row, and memory stayed flat."""
    with tempfile.TemporaryDirectory(prefix="slack-docebo-bench-") as name:
        folder = Path(name)
        with webhook(folder) as (port, pid):
            statuses: Counter[str] = Counter()
            resident = []
            for _ in range(5):
                statuses.update(_client("attack", str(port), str(count // 5)))
                resident.append(resident_kb(pid))
        rows = len(stored(folder))
    faults = sum(number for status, number in statuses.items() if status.startswith("5") or status == "-1")
    growth = (resident[-1] - resident[0]) / resident[0]
    print(f"\nhostile requests: {sum(statuses.values())}, answered {dict(sorted(statuses.items()))} (0: closed)")
    print(f"5xx or hung: {faults}; rows: {rows}; resident after each fifth: {[kb // 1024 for kb in resident]} MB")
    holds = faults == 0 and rows == 0 and growth < 0.05
    print(f"bar no 5xx, no row, memory flat: {'holds' if holds else 'MISSED'}")
    return holds


def _cell(measured: Measured) -> str:
    bad = sum(number for status, number in measured.statuses.items() if status != "200")
    said = f"{measured.sustained:.0f}/s p50 {measured.p50_ms:.1f} p99 {measured.p99_ms:.1f} ms"
    return f"{said} {bad} bad" if bad else said


def main(arguments: Sequence[str] = ()) -> int:
    """Measure and print; 0 if all bars hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.webhook", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="length of each load (10)")
    parser.add_argument("--hostile", type=int, default=100_000, help="hostile requests (100000)")
    parser.add_argument("--client", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.client:
        _run_client(options.client)
        return 0
    print(f"webhook, {os.cpu_count()} cores, client on the same machine", flush=True)
    return 0 if all([acknowledgement(options.seconds), hostility(options.hostile)]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
