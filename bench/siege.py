"""The webhook under siege: honest events beside fuzzed requests, slow and idle clients, and heads without an end."""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from bench.kept_connections import Connections
from bench.slack_events import body, event_id, hostile, request
from bench.webhook_servers import resident_kb, stored, webhook

BARS = {"p99_ms": 250}
FIRST_HONEST = 900_000_000  # honest events are numbered from here, which tells their rows from others
BETWEEN_HONEST = 0.02  # seconds
LONGEST = 60.0  # seconds for an answer
SHAPED = (
    b"POST /slack/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
    b"X-Slack-Request-Timestamp: %d\r\nX-Slack-Signature: v0=" + b"0" * 64 + b"\r\n\r\n"
)


@dataclass(frozen=True)
class Attackers:
    """How many clients of each kind attack at any moment; *fuzzed* is a number of requests in all."""

    fuzzed: int  # in all; a quarter of them is signed, with contents that Slack would not send
    slow: int  # half of them in their heads, half in their bodies, a byte a second
    idle: int
    endless: int  # heads that never end, as fast as they are taken


@dataclass
class Outcome:
    """How everybody was answered; status 0: the connection was closed, -1: no answer in ten seconds."""

    unsigned: Counter[str] = field(default_factory=Counter)
    signed: Counter[str] = field(default_factory=Counter)
    honest: Counter[str] = field(default_factory=Counter)
    honest_ms: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        return sorted(self.honest_ms)[int(len(self.honest_ms) * 0.99)]


def odd(number: int, chance: random.Random) -> bytes:
    """Return a body that Slack would hardly send, to be signed with the app's secret; none is an event to store."""
    envelope = json.loads(body(number))
    match number // 4 % 10:
        case 0:
            return json.dumps({"type": "url_verification", "challenge": "half a character: \ud800"}).encode()
        case 1:
            return b"[" * chance.randrange(1, 100_000)
        case 2:
            return b'{"a":' * chance.randrange(1, 5_000) + b"1" + b"}" * chance.randrange(1, 5_000)
        case 3:
            return b'{"type": "event_callback", "type": "\\ud800", "event": {}, "event": [%s]}' % (b"9" * 5_000)
        case 4:
            return chance.randbytes(chance.randrange(1, 2_000))
        case 5:
            return json.dumps({**envelope, "event_id": chance.choice([None, 7, "", "\0", "\udfff", ["Ev"]])}).encode()
        case 6:
            return json.dumps({**envelope, "team_id": "T0OTHER", "authorizations": [None, {"team_id": {}}]}).encode()
        case 7:
            return json.dumps({**envelope, "event": chance.choice([None, [], "x", 1e308, {"type": {}}])}).encode()
        case 8:
            return b"[" + b"NaN,-Infinity,1e999," * 1_000 + b"0]"
        case _:
            return json.dumps({**envelope, "api_app_id": "\u202eA\r\n\x1b[31m"}).encode()


async def siege(port: int, attackers: Attackers, *, seed: int = 7) -> Outcome:
    """Attack the webhook at *port* until the fuzzed requests are sent, and send honest events from another process."""
    outcome = Outcome()
    async with _surrounded(port, attackers):
        client = [sys.executable, "-m", "bench.siege", "--honest", str(port)]
        honest = await asyncio.create_subprocess_exec(*client, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        await _fuzz(port, attackers.fuzzed, random.Random(seed), outcome)
        told, _ = await honest.communicate(b"")  # the end of its input is the sign to end
    found = json.loads(told)
    outcome.honest, outcome.honest_ms = Counter(found["honest"]), found["honest_ms"]
    return outcome


async def _fuzz(port: int, count: int, chance: random.Random, outcome: Outcome) -> None:
    pool = Connections(port)
    numbers = iter(range(count))

    async def keep_on() -> None:
        for number in numbers:
            signed = number % 4 == 0
            message = request(odd(number, chance), port=port) if signed else hostile(number, port, chance)
            try:
                status = await asyncio.wait_for(pool.send(message), LONGEST)
            except TimeoutError:
                status = -1
            except OSError:
                status = 0
            (outcome.signed if signed else outcome.unsigned)[str(status)] += 1

    await asyncio.gather(*(keep_on() for _ in range(16)))


async def _honest(port: int) -> Outcome:
    """Send an event every few milliseconds, each on a connection of its own, until the standard input ends."""
    outcome = Outcome()
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    async def send(number: int, due: float) -> None:
        pool = Connections(port)
        try:
            status = await asyncio.wait_for(pool.send(request(body(number), port=port)), LONGEST)
        except TimeoutError:
            status = -1
        except OSError:
            status = 0
        pool.close()
        outcome.honest[str(status)] += 1
        outcome.honest_ms.append(1000 * (time.perf_counter() - due))

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        number = 0
        while not ended.done() or not number:
            due = began + number * BETWEEN_HONEST
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(FIRST_HONEST + number, due))
            number += 1
    return outcome


@asynccontextmanager
async def _surrounded(port: int, attackers: Attackers) -> AsyncIterator[None]:
    """Keep the slow, idle and endless clients connected within the block; one that is closed connects again."""
    head = b"POST /slack/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    slow = attackers.slow // 2
    behaviours = [
        *((head, b"X", 1.0) for _ in range(slow)),
        *((SHAPED % time.time(), b"x", 1.0) for _ in range(attackers.slow - slow)),
        *((b"", b"", 1.0) for _ in range(attackers.idle)),
        *((head + b"X-A: ", b"a" * 65536, 0.0) for _ in range(attackers.endless)),
    ]
    tasks = [asyncio.create_task(_annoy(port, *behaviour)) for behaviour in behaviours]
    await asyncio.sleep(min(3.0, len(tasks) / 1000))  # until they are there
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _annoy(port: int, first: bytes, more: bytes, pause: float) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(first)
                while not reader.at_eof() and not writer.is_closing():
                    writer.write(more)
                    await writer.drain()
                    await asyncio.sleep(pause)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.1)


def besieged(attackers: Attackers) -> bool:
    """Run the webhook under siege and print how it fared; tell whether the bars hold."""
    with tempfile.TemporaryDirectory(prefix="slack-docebo-bench-") as name:
        folder = Path(name)
        with webhook(folder) as (port, pid):
            before = resident_kb(pid)
            found = subprocess.run(
                [sys.executable, "-m", "bench.siege", "--attack", str(port), json.dumps(asdict(attackers))],
                check=True,
                stdout=subprocess.PIPE,
            )
            after = resident_kb(pid)
        acknowledged = stored(folder)
    outcome = Outcome(**json.loads(found.stdout))
    strangers = {id_ for id_ in acknowledged if id_ < event_id(FIRST_HONEST)}
    told = sum(count for status, count in outcome.signed.items() if status.startswith("5"))
    bad = sum(count for status, count in outcome.honest.items() if status != "200")
    print(f"{attackers}, {os.cpu_count()} cores, everybody on the same machine")
    print(f"fuzzed: unsigned {dict(sorted(outcome.unsigned.items()))}, signed {dict(sorted(outcome.signed.items()))}")
    print(
        f"5xx to signed ones: {told}; rows of strangers: {len(strangers)}; memory {before // 1024} to {after // 1024} MB"
    )
    ranked = sorted(outcome.honest_ms)
    print(f"honest: {len(ranked)}, {bad} not answered with 200, p50 {ranked[len(ranked) // 2]:.0f} ms,", end=" ")
    print(f"p99 {outcome.p99_ms:.0f} ms, worst {ranked[-1]:.0f} ms")
    holds = not (told or strangers or bad) and outcome.p99_ms < BARS["p99_ms"]
    print(f"bar no 5xx, no row, every honest event taken, p99 < {BARS['p99_ms']} ms: {'holds' if holds else 'MISSED'}")
    return holds


def main(arguments: Sequence[str] = ()) -> int:
    """Measure and print; 0 if all bars hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.siege", description=__doc__)
    parser.add_argument("--fuzzed", type=int, default=100_000, help="fuzzed requests (100000)")
    parser.add_argument("--slow", type=int, default=500, help="slow clients (500)")
    parser.add_argument("--idle", type=int, default=5_000, help="idle clients (5000)")
    parser.add_argument("--endless", type=int, default=10, help="heads without an end (10)")
    parser.add_argument("--attack", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--honest", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.honest:
        print(json.dumps(vars(uvloop.run(_honest(options.honest)))))
        return 0
    if options.attack:
        port, attackers = options.attack
        print(json.dumps(vars(uvloop.run(siege(int(port), Attackers(**json.loads(attackers)))))))
        return 0
    return 0 if besieged(Attackers(options.fuzzed, options.slow, options.idle, options.endless)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
