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
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from deployments.local import free_port, process
from slack_docebo.storage.inbox import InboxRepository
from slack_docebo.storage.store import Store

SECRET = "bench-signing-secret"
TEAM, APP = "T0BENCH", "A0BENCH"
RATES = (500, 750, 1000)
BARS = {"events_per_second": 500, "p99_ms": 100.0}
START_SECONDS = 30.0
UNREACHABLE_PREFECT = "http://127.0.0.1:9/api"


@dataclass
class Measured:
    """What one load came to."""

    offered: float  # events a second
    sustained: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    statuses: dict[str, int]


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
        "event_id": f"Ev{number:010d}",
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


class Connections:
    """Kept connections to the server, as many as are needed at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, message: bytes) -> int:
        """Send one request and return the status of its answer; 0 if the connection was closed without one."""
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            lowered = head.lower()
            await reader.readexactly(_content_length(lowered) if not message.startswith(b"HEAD") else 0)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return 0
        if b"connection: close" in lowered:
            writer.close()
        else:
            self._free.append((reader, writer))
        return int(head.split(None, 2)[1])


def _content_length(head: bytes) -> int:
    return int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)


async def load(port: int, rate: float, seconds: float, first: int) -> Measured:
    """Offer *rate* events a second, each at its own moment whether or not the others are answered."""
    connections = Connections(port)
    bodies = [body(first + number) for number in range(int(rate * seconds))]
    latencies: list[float] = []
    statuses: Counter[str] = Counter()

    async def one(content: bytes, due: float) -> None:
        status = await connections.send(request(content, port=port))
        latencies.append(time.perf_counter() - due)  # from when it was due: a late sender must not flatter the server
        statuses[str(status)] += 1

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, content in enumerate(bodies):
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one(content, due))
    took = time.perf_counter() - began
    ranked = [1000 * latency for latency in sorted(latencies)]
    return Measured(
        offered=rate,
        sustained=len(bodies) / took,
        p50_ms=statistics.median(ranked),
        p99_ms=ranked[int(len(ranked) * 0.99)],
        worst_ms=ranked[-1],
        statuses=dict(statuses),
    )


async def saturate(port: int, connections: int, seconds: float, first: int) -> Measured:
    """Keep *connections* busy, each sending as soon as it is answered: what the server can do at most."""
    pool = Connections(port)
    latencies: list[float] = []
    statuses: Counter[str] = Counter()
    number = first
    until = time.perf_counter() + seconds

    async def keep_busy() -> None:
        nonlocal number
        while time.perf_counter() < until:
            number += 1
            message = request(body(number), port=port)
            began = time.perf_counter()
            statuses[str(await pool.send(message))] += 1
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(keep_busy() for _ in range(connections)))
    took = time.perf_counter() - began
    ranked = [1000 * latency for latency in sorted(latencies)]
    p99 = ranked[int(len(ranked) * 0.99)]
    return Measured(0, len(ranked) / took, statistics.median(ranked), p99, ranked[-1], dict(statuses))


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
def bolt(folder: Path) -> Iterator[int]:
    """Run slack-bolt's Starlette adapter with a listener that does nothing, and yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.webhook:bolt_app", "--factory", "--port", str(port)]
    with process([*command, "--no-access-log"], log=folder / "bolt.log") as child:
        _wait_until_listening(port, child, folder / "bolt.log")
        yield port


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


def _resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def _stored(folder: Path) -> int:
    with Store.open(f"sqlite:///{folder / 'store.db'}") as store, store.reading() as connection:
        return sum(InboxRepository(connection).status().counts.values())


def _run_client(arguments: Sequence[str]) -> None:
    what, port, *numbers = arguments
    match what:
        case "load":
            rate, seconds, first = map(float, numbers)
            print(json.dumps(asdict(asyncio.run(load(int(port), rate, seconds, int(first))))))
        case "saturate":
            connections, seconds, first = map(float, numbers)
            print(json.dumps(asdict(asyncio.run(saturate(int(port), int(connections), seconds, int(first))))))
        case "attack":
            print(json.dumps(asyncio.run(attack(int(port), int(numbers[0])))))


def acknowledgement(seconds: float) -> bool:
    """Measure the webhook and slack-bolt in turn, at the same rates, then at full tilt; tell whether the bars hold."""
    rows: list[tuple[str, Measured, Measured]] = []
    with tempfile.TemporaryDirectory(prefix="slack-docebo-bench-") as name:
        folder = Path(name)
        with webhook(folder) as (ours, _), bolt(folder) as theirs:
            first = 0
            for port in (ours, theirs):  # warm up
                _client("load", str(port), "200", "2", str(first))
            first += 400
            expected = 400
            for label, what, amount in (
                *((f"{rate}/s offered", "load", rate) for rate in RATES),
                ("64 connections, full tilt", "saturate", 64),
            ):
                measured = [
                    Measured(**_client(what, str(port), str(amount), str(seconds), str(first)))  # type: ignore[arg-type]
                    for port in (ours, theirs)
                ]
                rows.append((label, measured[0], measured[1]))
                expected += measured[0].statuses.get("200", 0)
                first += 1_000_000
        stored = _stored(folder)
    print(f"\n{'acknowledgement':28}{'webhook, committed':>34}{'slack-bolt, answers only':>34}{'ratio':>8}")
    for label, ours_, theirs_ in rows:
        print(f"{label:28}{_told(ours_):>34}{_told(theirs_):>34}{ours_.sustained / theirs_.sustained:8.2f}")
    # More is well: what was answered with 503 for being late is committed later, and its repetition a duplicate.
    print(f"{expected} acknowledged, {stored} committed")
    at_bar = rows[0][1]
    holds = (
        at_bar.sustained >= 0.98 * BARS["events_per_second"]
        and at_bar.p99_ms < BARS["p99_ms"]
        and set(at_bar.statuses) == {"200"}
        and rows[-1][1].sustained >= rows[-1][2].sustained
        and stored >= expected
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
                resident.append(_resident_kb(pid))
        rows = _stored(folder)
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
    parser.add_argument("--seconds", type=float, default=10, help="length of each load (10)")
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
