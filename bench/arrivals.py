"""`python -m bench.arrivals`: from event to account over a day of arrivals, when a run lingers for longer or shorter.

Measured are cold events, for which a run has to be started, and warm ones, which find one that lingers: Slack's event, the
webhook, Prefect, our worker, Docebo, with both databases on PostgreSQL as compose.yaml has them. How many of a day's events
are cold follows from when they come: mornings, lulls and bursts of a working day, drawn once.
"""

import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import httpx

from bench.installation import ROOT, deploy, is_at_work, until
from bench.table import Results
from deployments.local import (
    OFTEN,
    OUR_WORKER,
    QUIET_PREFECT,
    WORKER,
    connection_settings,
    free_port,
    prefect_server,
    process,
)
from sandbox.server import Sandbox
from tests.e2e.prefect_http import deployment, prefect_http, set_rows, start_nothing
from tests.postgresql import running_server

LATENCY_MS = 100
COLD, WARM = 40, 30
HOURS = (0, 0, 0, 0, 0, 1, 3, 8, 16, 12, 8, 6, 3, 6, 8, 8, 6, 4, 3, 2, 1, 1, 0, 0)  # weights of a day's events
BURSTS = 3  # of twenty people within two minutes: a team is renamed, newcomers of a month
EVENTS = 100
LINGERS = (60, 600, 3600)
REALTIME = "realtime-sync/slack-events"


def main() -> int:
    """Measure and print."""
    cold, warm = _measured()
    arrivals = _day(random.Random(21))
    results = Results(f"From event to account, {LATENCY_MS} ms per API call (arrivals)")
    for title, seconds in (("no run alive", cold), ("a run lingers", warm)):
        results.add(f"{title}: median of {len(seconds)}", statistics.median(seconds), unit="s")
        results.add(f"{title}: slowest", max(seconds), unit="s")
    for linger in LINGERS:
        late = _cold_ones(arrivals, linger)
        draw = random.Random(7)
        day = sorted(draw.choice(cold if one in late else warm) for one in range(len(arrivals)) for _ in range(100))
        results.add(f"{len(arrivals)} events of a day, lingering for {linger} s: that find no run", len(late))
        results.add("   median", statistics.median(day), 1, "s")
        results.add("   p99", day[int(len(day) * 0.99)], 2, "s")
        results.add("   hours of the day in which a run is alive", _alive(arrivals, linger) / 3600, unit="h")
    results.show()
    return 0


def _day(draw: random.Random) -> list[float]:
    """Return when the events of a day come, in seconds of it."""
    alone = [hour * 3600 + draw.uniform(0, 3600) for hour in draw.choices(range(24), HOURS, k=EVENTS - 20 * BURSTS)]
    begins = [hour * 3600 + draw.uniform(0, 3000) for hour in draw.choices(range(24), HOURS, k=BURSTS)]
    return sorted([*alone, *(begin + draw.uniform(0, 120) for begin in begins for _ in range(20))])


def _cold_ones(arrivals: Sequence[float], linger: float) -> set[int]:
    """Return which of the events find no run that lingers since the one before."""
    return {number for number, at in enumerate(arrivals) if number == 0 or at - arrivals[number - 1] > linger}


def _alive(arrivals: Sequence[float], linger: float) -> float:
    gaps = [after - before for before, after in itertools.pairwise(arrivals)]
    return sum(min(gap, linger) for gap in gaps) + linger


def _measured() -> tuple[list[float], list[float]]:
    """Return the seconds of events that find no run, and of those that find one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slack-docebo-bench-")))
        company = stack.enter_context(Sandbox(users=50, rate_limits=False, latency_ms=LATENCY_MS))
        postgresql = stack.enter_context(running_server())
        prefects = postgresql.url(postgresql.create_database()).replace("://", "+asyncpg://")
        database = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": prefects}
        with patch.dict(os.environ, database):  # for the server alone
            clients = stack.enter_context(prefect_server(folder))
        port = free_port()
        env = {
            **QUIET_PREFECT,
            **OUR_WORKER,
            **OFTEN,
            **clients,
            "PREFECT_HOME": str(folder / "prefect"),
            **connection_settings(company.facts(), folder),
            "DATABASE_URL": postgresql.url(postgresql.create_database()),
            "SLACK_SIGNING_SECRET": company.events.signing_secret,
            "WEBHOOK_PORT": str(port),
        }
        deploy(env)
        http = stack.enter_context(prefect_http(clients, timeout=120))
        start_nothing(http)
        set_rows(http)
        stack.enter_context(process(WORKER, log=folder / "worker.log", env=env, cwd=folder))
        command = [sys.executable, "-m", "deployments.webhook"]
        stack.enter_context(process(command, log=folder / "webhook.log", env=env, cwd=ROOT))
        until(lambda: is_at_work(http, "slack-docebo-flows") and _answers(port))
        company.events.configure(f"http://127.0.0.1:{port}/slack/events")
        names = iter(range(1000))

        def joined() -> float:
            address = f"newcomer{next(names)}@example.com"
            since = time.monotonic()
            company.slack.add("Ada", "Lovelace", address)
            while not company.docebo.accounts.by_email(address):
                time.sleep(0.005)
            return time.monotonic() - since

        _linger(http, 0)
        joined()  # the first row of its kind is sent alone, and read back
        cold = []
        for _ in range(COLD):
            until(lambda: not _alive_runs(http))
            cold.append(joined())
        _linger(http, 600)
        until(lambda: not _alive_runs(http))
        joined()
        warm = [joined() for _ in range(WARM)]
        return cold, warm


def _linger(http: httpx.Client, seconds: int) -> None:
    path = f"deployments/{deployment(http, REALTIME)['id']}"
    http.patch(path, content=json.dumps({"parameters": {"linger_seconds": seconds}})).raise_for_status()


def _alive_runs(http: httpx.Client) -> bool:
    query = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING", "SCHEDULED"]}}}}
    return bool(http.post("flow_runs/filter", json=query).raise_for_status().json())


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    sys.exit(main())
