"""Migrating a database of the former release, and what its webhook's events meanwhile go through.

`python -m bench.migration [--mappings 200000] [--former CHECKOUT]`. Its rows are those of `tests/fixtures/release_0003`;
mappings beyond them are made by rule. With a checkout of that release's commit that has its own `.venv`, its webhook runs
beside and is sent events, as Slack does it: at most four times each, the first three here within seconds.
"""

import argparse
import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg

from bench.kept_connections import Connections
from bench.slack_events import SECRET, body, event_id, request
from bench.table import Results
from bench.webhook_servers import UNREACHABLE_PREFECT
from deployments.local import ROOT, free_port, process, wait_until_listening
from slack_docebo.storage.store import Store
from tests import former_release
from tests.postgresql import running_server

SMALL = 20_000
EVENTS_PER_SECOND = 100
BESIDE_SECONDS = 2.0  # of events before the migration begins, and after it has ended
REPEATED_AFTER = (0.0, 1.0, 3.0)  # Slack: at once, after one and after five minutes
ACKNOWLEDGED_WITHIN = 3.0
MIGRATE = "import sys; from slack_docebo.storage.store import Store; Store.open(sys.argv[1]).close()"
MAPPING = """
    INSERT INTO slack_user (slack_team, slack_id, slack_name, user_id, fingerprint, echo, mapped_at, changed_at)
    VALUES (%s, %s, %s, %s, %s, '', %s, %s)
"""


@dataclass
class Stream:
    """Events that were sent, and how they fared."""

    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    longest: float = 0.0  # seconds until an event was acknowledged


def make(url: str, mappings: int) -> None:
    """Make the former release's database at *url* with that many mappings."""
    rows = [_mapping(number) for number in range(len(former_release.rows("slack_user")), mappings)]
    if url.startswith("sqlite:"):
        path = Path(url.removeprefix("sqlite:///"))
        former_release.make_sqlite(path)
        connection = sqlite3.connect(path)
        connection.executemany(MAPPING.replace("%s", "?"), rows)
        connection.commit()
        connection.close()
    else:
        former_release.make_postgresql(url)
        with psycopg.connect(url) as connection_, connection_.cursor() as cursor:
            cursor.executemany(MAPPING, rows)


def migrate(url: str) -> float:
    """Open the database at *url* with today's code and return how many seconds that took."""
    began = time.perf_counter()
    Store.open(url).close()
    return time.perf_counter() - began


async def send(port: int, migrate_now: Callable[[], None]) -> Stream:
    """Send events at an even pace before, while and after the database is migrated; return how they fared."""
    stream = Stream()
    connections = Connections(port)
    began = time.perf_counter()
    deliveries: list[asyncio.Task[None]] = []

    async def deliver_until(done: Callable[[], bool]) -> None:
        while not done():
            number = len(deliveries)
            deliveries.append(asyncio.create_task(_deliver(connections, port, number, stream)))
            await asyncio.sleep(max(0.0, began + (number + 1) / EVENTS_PER_SECOND - time.perf_counter()))

    await deliver_until(lambda: time.perf_counter() > began + BESIDE_SECONDS)
    migration = asyncio.create_task(asyncio.to_thread(migrate_now))
    await deliver_until(migration.done)
    ended = time.perf_counter()
    await deliver_until(lambda: time.perf_counter() > ended + BESIDE_SECONDS)
    await asyncio.gather(migration, *deliveries)
    connections.close()
    return stream


async def _deliver(connections: Connections, port: int, number: int, stream: Stream) -> None:
    began = time.perf_counter()
    for pause in (0.0, *REPEATED_AFTER):
        await asyncio.sleep(pause)
        try:
            message = request(body(number), port=port)
            status = await asyncio.wait_for(connections.send(message), ACKNOWLEDGED_WITHIN)
        except (TimeoutError, OSError):
            status = 0
        stream.statuses[status] += 1
        if status == httpx.codes.OK:
            stream.acknowledged.add(event_id(number))
            stream.longest = max(stream.longest, time.perf_counter() - began)
            return
    stream.given_up.add(event_id(number))


@contextmanager
def former_webhook(checkout: Path, url: str, folder: Path) -> Iterator[int]:
    """Run the webhook of *checkout* on the database at *url* and yield its port."""
    port = free_port()
    environment = {
        "PYTHONPATH": os.pathsep.join([str(checkout / "src"), str(checkout)]),  # whatever ours is
        "DATABASE_URL": url,
        "WEBHOOK_HOST": "127.0.0.1",
        "WEBHOOK_PORT": str(port),
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_BOT_TOKEN": "xoxb-bench",
        "DOCEBO_URL": "https://lms.example.com",  # linked to no workspace, so that events of any are stored
        "DOCEBO_CLIENT_ID": "bench",
        "DOCEBO_CLIENT_SECRET": "bench",
        "PREFECT_API_URL": UNREACHABLE_PREFECT,
    }
    command = [str(checkout / ".venv/bin/python"), "-m", "deployments.webhook"]
    log = folder / "webhook.log"
    with process(command, log=log, env=environment, cwd=checkout) as child:
        wait_until_listening(port, child, log)
        yield port


def _mapping(number: int) -> tuple[object, ...]:
    now = datetime(2026, 11, 23, tzinfo=UTC).isoformat(sep=" ")
    return (former_release.TEAM, f"UX{number:08d}", f"person.{number}", 10_000_000 + number, f"{number:016x}", now, now)


def measure(results: Results, kind: str, new_url: Callable[[], str], folder: Path, options: argparse.Namespace) -> None:
    """Add to *results* what a database of *kind* takes."""
    seconds = {}
    migrate(new_url())  # an empty one: what has to be imported is
    for mappings in (SMALL, options.mappings):
        url = new_url()
        make(url, mappings)
        seconds[mappings] = migrate(url)
        results.add(f"{kind}: {mappings} mappings migrated in", seconds[mappings], unit="s")
    growth = options.mappings / SMALL
    results.add(f"{kind}: growth of that time", seconds[options.mappings] / seconds[SMALL], growth, "times")
    if not options.former:
        return
    url = new_url()
    make(url, options.mappings)
    with former_webhook(options.former, url, folder) as port:

        def other_process() -> None:
            subprocess.run([sys.executable, "-c", MIGRATE, url], check=True, cwd=ROOT)

        stream = asyncio.run(send(port, other_process))
    with Store.open(url) as store, store.reading() as tables:
        inbox = tables.inbox
        lost = sum(1 for one in stream.acknowledged if inbox.get(one) is None)
    sent = len(stream.acknowledged) + len(stream.given_up)
    results.add(f"{kind}: events sent to the former webhook", sent)
    results.add(f"{kind}: answers other than 200, each tried again", stream.statuses.total() - len(stream.acknowledged))
    results.add(f"{kind}: longest until one was acknowledged", stream.longest, unit="s")
    results.add(f"{kind}: given up after four deliveries", len(stream.given_up))
    results.add(f"{kind}: acknowledged and not in the inbox", lost)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure on SQLite and PostgreSQL."""
    parser = argparse.ArgumentParser(prog="python -m bench.migration", description=__doc__)
    parser.add_argument("--mappings", type=int, default=200_000)
    parser.add_argument("--former", type=Path, help="a checkout of the former release's commit, with its .venv")
    options = parser.parse_args([] if arguments is None else arguments)
    results = Results("Migration of the former release's database")
    with tempfile.TemporaryDirectory() as temporary, running_server() as server:
        folder = Path(temporary)
        names = iter(range(10))
        measure(results, "sqlite", lambda: f"sqlite:///{folder}/{next(names)}.db", folder, options)
        measure(results, "postgresql", lambda: server.url(server.create_database()), folder, options)
    results.show()


if __name__ == "__main__":
    main(sys.argv[1:])
