"""`python -m bench.stopping [TIMES]`: a worker that is stopped in the middle of an import of 10,000, and started again."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.installation import deploy, is_at_work, until
from bench.table import Results
from deployments.local import OFTEN, OUR_WORKER, QUIET_PREFECT, WORKER, connection_settings, prefect_server, process
from sandbox.server import Sandbox
from tests.e2e.prefect_http import prefect_http, set_rows, start

PEOPLE = 10_000
LATENCY_MS = 30
TIMES = 20
BATCH = "POST /manage/v1/user/batch"
RUNNING = {"PENDING", "RUNNING"}


def main(arguments: Sequence[str] = ()) -> int:
    """Measure and print."""
    times = int(arguments[0]) if arguments else TIMES
    draw = random.Random(21)
    measured = [_stopped(folder, clients, draw.randint(1, 80)) for folder, clients in _installations(times)]
    results = Results(f"A worker stopped in the middle of an import of {PEOPLE:,}, {times} times (stopping)")
    results.add("imports that did not finish by themselves", sum(not one["finished"] for one in measured), 0)
    results.add("people with two accounts", sum(one["twice"] for one in measured), 0)
    results.add("imports after which something was left to do", sum(one["left"] for one in measured), 0)
    results.add("overlapping batch calls", sum(one["violations"] for one in measured), 0)
    results.add("until the worker had ended, longest", max(one["ended"] for one in measured), 30, "s")
    results.add("until the run's state was true, longest", max(one["true"] for one in measured), 60, "s")
    results.add("from the restart to the import's end, longest", max(one["again"] for one in measured), 120, "s")
    results.show()
    return 0


def _installations(times: int) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """Yield a new folder for each time, beside one Prefect server."""
    with tempfile.TemporaryDirectory(prefix="slack-docebo-bench-") as name, prefect_server(Path(name)) as clients:
        settings = {**QUIET_PREFECT, **clients, "PREFECT_HOME": f"{name}/prefect"}
        deploy(settings)
        for number in range(times):
            (folder := Path(name, str(number))).mkdir()
            yield folder, settings


def _stopped(folder: Path, clients: Mapping[str, str], batches: int) -> dict[str, Any]:
    """Stop the worker after so many *batches* of an import into an empty Docebo, start it again, and see what becomes."""
    with (
        Sandbox(users=PEOPLE, docebo_users=0, rate_limits=False, latency_ms=LATENCY_MS) as company,
        prefect_http(clients, timeout=120) as http,
    ):
        set_rows(http)
        env = {**clients, **OUR_WORKER, **OFTEN, **connection_settings(company.facts(), folder)}
        env["DOCEBO_CALLS_PER_HOUR"] = "1000000"

        def run() -> Mapping[str, Any]:
            found: Mapping[str, Any] = http.get(f"flow_runs/{run_id}").raise_for_status().json()
            return found

        with _worker(http, env, folder) as first:
            run_id = start(http, "bulk-import/import-everybody", dry_run=False)
            until(lambda: company.docebo_gate.counters.calls[BATCH] >= batches)
            told = time.monotonic()
            os.kill(first.pid, signal.SIGTERM)
            until(lambda: run()["state_type"] not in RUNNING)
            is_true = time.monotonic() - told
            first.wait()
            ended = time.monotonic() - told
        before = run()["state_name"]
        again = time.monotonic()
        with _worker(http, env, folder):
            until(lambda: run()["state_type"] not in {*RUNNING, "SCHEDULED"})
            took = time.monotonic() - again
            final = run()
            check = start(http, "bulk-import/import-everybody", dry_run=True)
            until(lambda: http.get(f"flow_runs/{check}").json()["state_type"] not in {*RUNNING, "SCHEDULED"})
            message = http.get(f"flow_runs/{check}").json()["state"]["message"]
        twice = Counter(account.email for account in company.docebo.accounts if account.email)
        shared = Counter(user["profile"].get("email", "") for user in company.slack.of_kind("member"))
        if before != "ToBeContinued":
            raise RuntimeError(f"the run was {before} before the worker started again")
        return {
            "finished": final["state_name"] in {"Completed", "Undecided"},
            "twice": sum(number > max(1, shared[email]) for email, number in twice.items()),
            "left": f": {len(company.slack)} left alone" not in message,
            "violations": len(company.docebo_gate.counters.violations),
            "ended": ended,
            "true": is_true,
            "again": took,
        }


@contextmanager
def _worker(http: httpx.Client, env: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with process(WORKER, log=folder / "worker.log", env=env, cwd=folder) as child:
        until(lambda: is_at_work(http, "slack-docebo-flows"))
        yield child


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
