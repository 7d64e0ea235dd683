"""The webhook: acknowledgement under load with the store committed, beside slack-bolt that only answers; hostile requests."""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import httpx
import uvloop

from deployments.local import free_port, process
from slack_docebo.storage.store import Store

SECRET = "bench-signing-secret"
TEAM, APP = "T0BENCH", "A0BENCH"
RATES = (500, 750, 1000)
BARS = {"events_per_second": 500, "p99_ms": 100}
START_SECONDS = 30.0
UNREACHABLE_PREFECT = "http://127.0.0.1:9/api"


@dataclass
class Measured:
    """The result of one load."""

    offered: float  # events a second
    sustained: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    statuses: dict[str, int]
    acknowledged: list[str]  # the ids of the events that were answered with 200


def event_id(number: int) -> str:
    """Return the id of event *number*."""
    return f"Ev{number:010d}"


def body(number: int) -> bytes:
    """Return the body of one event as Slack sends it."""
    user = {
        "id": f"U{number:09d}",
        "team_id": TEAM,
        "name": f"person.{number}",
        "deleted": False,
        "color": "9f69e7",
        "real_name": f"Person {number}",
        "tz": "Europe/Amsterdam",
        "tz_label": "Central European Time",
        "tz_offset": 3600,
        "profile": {
            "title": "Engineer",
            "phone": "+31 20 123 4567",
            "skype": "",
            "real_name": f"Person {number}",
            "real_name_normalized": f"Person {number}",
            "display_name": f"person{number}",
            "fields": {},
            "status_text": "in a meeting",
            "status_emoji": ":spiral_calendar_pad:",
            "status_expiration": 0,
            "avatar_hash": "ge3b51ca72de",
            "email": f"person.{number}@example.com",
            "first_name": "Person",
            "last_name": str(number),
            "image_24": "https://avatars.example/24.png",
            "image_512": "https://avatars.example/512.png",
            "team": TEAM,
        },
        "is_admin": False,
        "is_bot": False,
        "is_restricted": False,
        "is_app_user": False,
        "updated": 1_700_000_000 + number,
        "is_email_confirmed": True,
    }
    event = {"type": "user_profile_changed", "user": user, "cache_ts": 1_700_000_000, "event_ts": f"{number}.000100"}
    envelope = {
        "token": "t",
        "team_id": TEAM,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": event_id(number),
        "event_time": 1_700_000_000,
        "authorizations": [{"enterprise_id": None, "team_id": TEAM, "user_id": "UBOT", "is_bot": True}],
        "event_context": f"4-bench-{number}",
    }
    return json.dumps(envelope).encode()


def request(content: bytes, *, port: int, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return a whole signed HTTP request; *headers* replace those of the same name."""
    timestamp = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), b"v0:" + timestamp.encode() + b":" + content, hashlib.sha256).hexdigest()
    fields = {
        "Host": f"127.0.0.1:{port}",
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest}",
        **dict(headers),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST /slack/events HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + content


class Connection(asyncio.Protocol):
    """One connection to the server, for one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    async def send(self, message: bytes) -> bytes:
        """Send one request and return the head of its answer; b"" if the connection was closed without one."""
        self._bodiless = message.startswith(b"HEAD")
        self._received = b""
        self._head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        return await self._head

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, rest = self._received.partition(b"\r\n\r\n")
        if complete and (self._bodiless or len(rest) >= _content_length(head)):
            self._answer(head)

    def connection_lost(self, _error: Exception | None) -> None:
        self._answer(b"")

    def _answer(self, head: bytes) -> None:
        if not self._head.done():
            self._head.set_result(head)


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)


class Connections:
    """Kept connections to the server, as many as are needed at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[Connection] = []

    async def send(self, message: bytes) -> int:
        """Send one request and return the status of its answer; 0 if the connection was closed without one."""
        connection = await self._take()
        try:
            head = await connection.send(message)
        except asyncio.CancelledError:  # nobody waits for the answer any more
            connection.transport.close()
            raise
        if not head or b"connection: close" in head.lower():
            connection.transport.close()
        else:
            self._free.append(connection)
        return int(head.split(None, 2)[1]) if head else 0

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for connection in self._free:
            connection.transport.close()

    async def _take(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.transport.is_closing():
                return connection
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
        return connection


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
            offered, sustained, statistics.median(ranked), p99, ranked[-1], dict(self._statuses), self._acknowledged
        )


def hostile(number: int, port: int, chance: random.Random) -> bytes:
    """Return a request that no secret has signed; malformed in one of many ways."""
    content = body(number)
    noise = chance.randbytes(chance.randrange(1, 200))
    match number % 12:
        case 0:
            headers = [("X-Slack-Signature", "v0=" + chance.randbytes(32).hex())]
        case 1:
            headers = [("X-Slack-Signature", noise.decode("latin-1").replace("\r", "").replace("\n", ""))]
        case 2:
            headers = [
                ("X-Slack-Request-Timestamp", chance.choice(["abc", "", "1.5", "-1", "9" * 400, "\xb2\xb3", "٣"]))
            ]
        case 3:
            headers = [("X-Slack-Request-Timestamp", str(int(time.time()) - 301))]
        case 4:
            content, headers = noise, [("X-Slack-Signature", "v0=" + "0" * 64)]
        case 5:
            content = b"[" * chance.randrange(1, 50_000)
            headers = [("X-Slack-Signature", "v0=" + "a" * 64)]
        case 6:
            headers = [("Content-Type", chance.choice(["text/plain", "", "application/x-www-form-urlencoded", "\xff"]))]
        case 7:
            headers = [("Content-Length", "99999999999")]
            return request(b"", port=port, headers=headers)
        case 8:
            headers = [("X-Slack-Signature", "v0=é" + "0" * 63), ("X-Slack-Retry-Num", "x" * 1000)]
        case 9:
            return request(content, port=port)[:-10] + b"0123456789"  # altered after it was signed
        case 10:
            return request(content, port=port).replace(b"POST", chance.choice([b"GET", b"PUT", b"HEAD", b"BREW"]), 1)
        case _:
            return chance.randbytes(60).replace(b"\n", b" ") + b"\r\n\r\n"
    return request(content, port=port, headers=headers)


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


@contextmanager
def webhook(folder: Path) -> Iterator[tuple[int, int]]:
    """Run the webhook with a new SQLite store; yield its port and process id."""
    port = free_port()
    settings = {
        "SLACK_BOT_TOKEN": "xoxb-bench",
        "SLACK_TEAM_ID": TEAM,
        "SLACK_APP_ID": APP,
        "SLACK_SIGNING_SECRET": SECRET,
        "DOCEBO_URL": "https://bench.example",
        "DOCEBO_CLIENT_ID": "bench",
        "DOCEBO_CLIENT_SECRET": "bench",
        "DATABASE_URL": f"sqlite:///{folder / 'store.db'}",
        "WEBHOOK_PORT": str(port),
        "PREFECT_API_URL": UNREACHABLE_PREFECT,
    }
    with process([sys.executable, "-m", "deployments.webhook"], log=folder / "webhook.log", env=settings) as child:
        _wait_until_listening(port, child, folder / "webhook.log")
        yield port, child.pid


@contextmanager
def bolt(folder: Path) -> Iterator[tuple[int, int]]:
    """Run slack-bolt's Starlette adapter with a listener that does nothing; yield its port and process id."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.webhook:bolt_app", "--factory", "--port", str(port)]
    with process([*command, "--no-access-log"], log=folder / "bolt.log") as child:
        _wait_until_listening(port, child, folder / "bolt.log")
        yield port, child.pid


def bolt_app() -> object:
    """Return slack-bolt's own way to answer these events: verified, dispatched, acknowledged, nothing stored."""
    from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.authorization import AuthorizeResult
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def authorize(**_context: object) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=TEAM, bot_token="xoxb-bench", bot_user_id="UBOT")

    app = AsyncApp(signing_secret=SECRET, authorize=authorize)

    @app.event("user_profile_changed")
    async def nothing() -> None:
        return

    handler = AsyncSlackRequestHandler(app)

    async def events(incoming: Request) -> Response:
        return await handler.handle(incoming)

    return Starlette(routes=[Route("/slack/events", events, methods=["POST"])])


def _wait_until_listening(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2)
        except httpx.TransportError:
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.05)
        else:
            return


def _client(*arguments: str) -> dict[str, object]:
    """Run this module as the client, in a process of its own, and return what it measured."""
    answer = subprocess.run(
        [sys.executable, "-m", "bench.webhook", "--client", *arguments], check=True, stdout=subprocess.PIPE
    )
    found: dict[str, object] = json.loads(answer.stdout)
    return found


def resident_kb(pid: int) -> int:
    """Return the memory that the process *pid* has in use."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stored(folder: Path) -> set[str]:
    """Return the ids of the events in the inbox below *folder*."""
    with Store.open(f"sqlite:///{folder / 'store.db'}") as store, store.reading() as tables:
        return {entry.event.event_id for entry in tables.inbox.list_(10_000_000)}


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
        before = _processor_seconds(self.pid)
        self.loads.append(Measured(**_client(what, *map(str, (self.port, amount, count, first)))))  # type: ignore[arg-type]
        self.microseconds.append(1e6 * (_processor_seconds(self.pid) - before) / count)


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
        told = (f"{_told(side.loads[number])}, CPU {side.microseconds[number]:.0f} us" for side in (ours, theirs))
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
                statuses.update(_client("attack", str(port), str(count // 5)))  # type: ignore[arg-type]
                resident.append(resident_kb(pid))
        rows = len(stored(folder))
    faults = sum(number for status, number in statuses.items() if status.startswith("5") or status == "-1")
    growth = (resident[-1] - resident[0]) / resident[0]
    print(f"\nhostile requests: {sum(statuses.values())}, answered {dict(sorted(statuses.items()))} (0: closed)")
    print(f"5xx or hung: {faults}; rows: {rows}; resident after each fifth: {[kb // 1024 for kb in resident]} MB")
    holds = faults == 0 and rows == 0 and growth < 0.05
    print(f"bar no 5xx, no row, memory flat: {'holds' if holds else 'MISSED'}")
    return holds


def _told(measured: Measured) -> str:
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
