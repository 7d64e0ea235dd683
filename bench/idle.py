"""`python -m bench.idle`: what a day leaves in Prefect on which nothing happens: its runs, and the bytes of its database."""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from bench.installation import ROOT, deploy, is_at_work, until
from bench.table import Results
from deployments.local import (
    LIBRARY_LOGS,
    OFTEN,
    OUR_WORKER,
    QUIET_PREFECT,
    WORKER,
    connection_settings,
    prefect_server,
    process,
)
from sandbox.server import Sandbox
from tests.e2e.prefect_http import prefect_http, set_rows, start, start_nothing

PEOPLE = 10_000
SETTLED = 2  # imports after which nothing is left to tell
SWEEPS, NIGHTS = 6, 3  # measured
IDLE_SECONDS = 120
DRAIN_SECONDS = 20  # in which Prefect's server has written down what it was told
DAY = 86_400
OF_EVENTS = "tbl_name IN ('events', 'event_resources')"  # kept for 7 days, all else for 90: deployments/server.py
EVENT_DAYS, RUN_DAYS = 7, 90
SERVED = 3  # runs that serve an event, measured


@dataclass(frozen=True)
class Day:
    """By what Prefect's database grows on a day on which nothing happens, and with a run that serves events.

    *parts* say by what happens how it grows at each time, and how many times a day that is.
    """

    parts: Mapping[str, tuple[Mapping[str, float], float]]
    served: Mapping[str, float]

    def megabytes(self, what: str = "bytes") -> float:
        """Return by how much the database grows in a day, or the part of it that is *what*."""
        return sum(_megabytes(growth, times, what) for growth, times in self.parts.values())

    def kept(self, serving: int) -> float:
        """Return the megabytes of the database when it grows no more, with so many runs a day that are *serving* events."""
        events = self.megabytes("events")
        return events * EVENT_DAYS + (self.megabytes() - events) * RUN_DAYS + serving * self.kept_of_one

    @property
    def kept_of_one(self) -> float:
        """The megabytes that are kept for each run a day that serves events."""
        of_events = _megabytes(self.served, EVENT_DAYS, "events")
        return of_events + _megabytes(self.served, RUN_DAYS) - _megabytes(self.served, RUN_DAYS, "events")


def main() -> int:
    """Measure and print."""
    day = measured()
    (sweep, sweeps), (night, nights) = day.parts["sweeps"], day.parts["the reconciliation"]
    results = Results(f"A day on which nothing happens, {PEOPLE:,} people, Prefect on SQLite (idle)")
    results.add("runs a day", sweeps + nights, 60)
    results.add("rows of logs a day", sweeps * sweep["log"] + nights * night["log"])
    results.add("bytes a day", day.megabytes(), 5, "MB")
    for part, (growth, times) in day.parts.items():
        results.add(f"   of it: {part}", _megabytes(growth, times), unit="MB")
    results.add("   of it: events, which are kept for 7 days", day.megabytes("events"), unit="MB")
    results.add("after 90 days, when it grows no more", day.kept(serving=0), unit="MB")
    results.add("   and for each run a day that serves Slack's events", day.kept_of_one, unit="MB")
    results.show()
    return 0


def measured() -> Day:
    """Let happen a few times what a day consists of."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slack-docebo-bench-")))
        company = stack.enter_context(Sandbox(users=PEOPLE, rate_limits=False))
        clients = stack.enter_context(prefect_server(folder))
        env = {
            **QUIET_PREFECT,
            **OUR_WORKER,
            **OFTEN,
            **LIBRARY_LOGS,
            **clients,
            "PREFECT_HOME": str(folder / "prefect"),
            **connection_settings(company.facts(), folder),
            "DOCEBO_CALLS_PER_HOUR": "1000000",
        }
        deploy(env)
        http = stack.enter_context(prefect_http(clients, timeout=120))
        start_nothing(http)
        set_rows(http)
        stack.enter_context(process(WORKER, log=folder / "worker.log", env=env, cwd=folder))
        until(lambda: is_at_work(http, "slack-docebo-flows"))
        _run(http, "bulk-import/reconcile", times=SETTLED)
        prefect = folder / "prefect" / "prefect.db"
        alone = _growth(prefect, IDLE_SECONDS, lambda: time.sleep(IDLE_SECONDS))
        sweep = _growth(prefect, SWEEPS, lambda: _run(http, "sweep/sweep", times=SWEEPS))
        night = _growth(prefect, NIGHTS, lambda: _run(http, "bulk-import/reconcile", times=NIGHTS))
        served = _growth(prefect, SERVED, lambda: _run(http, "realtime-sync/slack-events", times=SERVED))
    return Day(
        parts={
            "while no run is at work": (alone, DAY),
            "sweeps": (sweep, DAY / _interval("sweep")),
            "the reconciliation": (night, 1),
        },
        served=served,
    )


def _run(http: httpx.Client, deployment: str, *, times: int) -> None:
    """Run the deployment so many *times*, one run after the other."""
    for _ in range(times):
        run_id = start(http, deployment)
        until(lambda: http.get(f"flow_runs/{run_id}").json()["state_type"] in {"COMPLETED", "FAILED", "CRASHED"})  # noqa: B023  (at once)


def _growth(database: Path, times: float, happens: Callable[[], object]) -> Mapping[str, float]:
    """Return by how many bytes and rows Prefect's database grows each time that something *happens*."""
    time.sleep(DRAIN_SECONDS)
    before = _size(database)
    happens()
    time.sleep(DRAIN_SECONDS)
    return {what: (size - before[what]) / times for what, size in _size(database).items()}


def _size(database: Path) -> Mapping[str, float]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:

        def value(query: str) -> int:
            return int(connection.execute(query).fetchone()[0])

        pages = value("PRAGMA page_count") - value("PRAGMA freelist_count")
        events = value(
            f"SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE {OF_EVENTS})"
        )
        return {"bytes": pages * value("PRAGMA page_size"), "events": events, "log": value("SELECT count(*) FROM log")}


def _megabytes(growth: Mapping[str, float], times: float, what: str = "bytes") -> float:
    return growth[what] * times / 1e6


def _interval(deployment: str) -> float:
    """Return the seconds between two runs of a deployment."""
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (found,) = (one for one in deployments if one["name"] == deployment)
    return float(found["schedules"][0]["interval"])


if __name__ == "__main__":
    sys.exit(main())
