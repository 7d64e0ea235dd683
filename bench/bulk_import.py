"""The bars of the bulk import: calls, wall time, writes of a second run, CPU of reading, memory."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.table import Results
from deployments.local import QUIET_PREFECT, connection_settings, prefect_server, sandbox

USERS = 10_000
SIZES = (10_000, 50_000, 100_000)  # of workspaces whose import is weighed
READ, PAIRS = 50_000, 5
LATENCY_MS = 100
VALIDATING = ("auth.test", "GET /manage/v1/user/session")  # besides the calls that the bar counts


def main() -> None:
    """Measure and print everything."""
    with tempfile.TemporaryDirectory() as name, prefect_server(Path(name)) as clients:
        os.environ |= {**QUIET_PREFECT, "PREFECT_HOME": f"{name}/prefect", **clients}
        os.environ["PREFECT_LOGGING_LEVEL"] = "WARNING"
        subprocess.run([sys.executable, "-m", "bench.settings_on"], check=True)
        imports(Path(name))
        memory(Path(name))
    reading()


def imports(folder: Path) -> None:
    """First import, second runs, one changed user."""
    results = Results(f"Bulk import of {USERS} users, {LATENCY_MS} ms per call, Slack page 1000")
    with installation(folder / "imports", USERS, "--docebo-users", "0", "--latency-ms", str(LATENCY_MS)) as facts:
        run(dry_run=True)  # as everybody does first; it makes the database, and Prefect's server is awake
        reset(facts)
        first = run(dry_run=False)
        counters = counted(facts)
        batches = counters["calls"]["POST /manage/v1/user/batch"]
        floor = batches * LATENCY_MS / 1000
        counting = sum(n for method, n in counters["calls"].items() if method not in VALIDATING)
        results.add("calls besides validation", counting, 161)
        results.add("wall time of the flow", first["seconds"], floor * 1.5, "s")
        results.add("   with the creation of its run in the same process", first["seconds_with_creation"], None, "s")
        results.add("   the floor: its batch calls one after the other", floor, None, "s")
        path = sum(counters["calls"].values()) * LATENCY_MS / 1000
        results.add(
            "   its critical path: all its calls one after the other, connection and proofs too", path, None, "s"
        )
        results.add("   wall time of the flow against that", first["seconds"] / path, 1.05)
        for title, parameters in (
            ("second run, target verified", {"dry_run": False}),
            ("second run, fingerprints trusted", {"dry_run": False, "verify_target": False}),
        ):
            reset(facts)
            run(**parameters)
            counters = counted(facts)
            results.add(f"{title}: batch calls", counters["calls"].get("POST /manage/v1/user/batch", 0))
            results.add(f"{title}: calls for Docebo's list", counters["calls"].get("GET /manage/v1/user", 0))
        change_one(facts)
        for title, parameters in (("verified", {}), ("trusted", {"verify_target": False})):
            reset(facts)
            run(dry_run=False, **parameters)
            counters = counted(facts)
            results.add(
                f"one changed user, {title}: batch calls", counters["calls"].get("POST /manage/v1/user/batch", 0)
            )
            results.add(f"one changed user, {title}: rows", counters["rows"].get("updated", 0))
            change_one(facts)
    results.show()


def memory(folder: Path) -> None:
    """Peak memory of the flow's process above one that runs an empty flow."""
    results = Results("Peak memory of the flow's process above an idle Prefect process")
    idle = min(run_process("null")["peak_mb"] for _ in range(3))
    results.add("idle Prefect process", idle, None, "MB")
    for size in SIZES:
        with installation(folder / f"memory-{size}", size, "--docebo-users", "0"):
            first = run(dry_run=False)
            second = run(dry_run=False)
        results.add(f"first import, {size} users", first["peak_mb"] - idle, 100, "MB")
        results.add(f"second run, {size} users, target verified", second["peak_mb"] - idle, 100, "MB")
        results.add(f"   wall time of the first import without latency, {size} users", first["seconds"], None, "s")
    results.show()


def reading() -> None:
    """CPU of reading against a bare slack_sdk loop, pair by pair."""
    results = Results(f"CPU of reading {READ} Slack users on pages of 1000, median of {PAIRS} pairs")
    with tempfile.TemporaryDirectory() as name:
        options = ("--users", str(READ), "--no-rate-limits", "--docebo-users", "0")
        with sandbox(*options, folder=Path(name)) as facts:

            def cpu(kind: str) -> float:
                command = [sys.executable, "-m", "bench.reading", kind, facts["slack_url"], facts["slack_token"]]
                return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

            measured = [(cpu("ours"), cpu("bare")) for _ in range(PAIRS)]
    results.add("bare slack_sdk loop", statistics.median(bare for _, bare in measured), None, "s")
    results.add("our reader", statistics.median(ours for ours, _ in measured), None, "s")
    results.add("ours / bare", statistics.median(ours / bare for ours, bare in measured), 2)
    results.show()


@contextmanager
def installation(folder: Path, users: int, *options: str) -> Iterator[dict[str, Any]]:
    """Run a sandbox and point the environment at it."""
    with sandbox("--users", str(users), "--no-rate-limits", *options, folder=folder) as facts:
        os.environ |= {
            **connection_settings(facts, folder),
            "SLACK_PAGE_SIZE": "1000",
            "SLACK_CALLS_PER_MINUTE": "1000000",
            "DOCEBO_CALLS_PER_HOUR": "1000000",
        }
        yield facts


def run(**parameters: object) -> dict[str, Any]:
    """Run the flow in a new process and return what it cost; stop the benchmark if it did not complete."""
    result = run_process(json.dumps(parameters))
    if result["state"] != "Completed":
        raise RuntimeError(f"the run ended {result['state']}: {result['message']}")
    return result


def run_process(parameters: str) -> dict[str, Any]:
    """Run `bench.flow_process` and return what it printed."""
    command = [sys.executable, "-m", "bench.flow_process", parameters]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def counted(facts: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Return the calls and rows that both servers have counted."""
    both: dict[str, dict[str, int]] = {"calls": {}, "rows": {}}
    for url in servers(facts):
        counters = httpx.get(f"{url}/_sim/counters").json()
        for kind in both:
            both[kind] |= counters[kind]
    return both


def reset(facts: dict[str, Any]) -> None:
    """Set the counters of both servers to zero."""
    for url in servers(facts):
        httpx.post(f"{url}/_sim/reset-counters").raise_for_status()


def servers(facts: dict[str, Any]) -> tuple[str, str]:
    """Return the addresses of both servers."""
    return facts["slack_url"].removesuffix("/api/"), facts["docebo_url"]


def change_one(facts: dict[str, Any]) -> None:
    """Give one member another last name, a new one every time."""
    slack, _ = servers(facts)
    with httpx.stream("GET", f"{slack}/_sim/users") as dump:
        member = next(
            user
            for user in map(json.loads, dump.iter_lines())
            if user.get("profile", {}).get("email")
            and not user.get("deleted")
            and user["profile"].get("last_name")
            and not user.get("is_restricted")
            and not user.get("is_bot")
            and not user.get("is_invited_user")
        )
    name = f"King {os.urandom(2).hex()}"
    httpx.patch(f"{slack}/_sim/users/{member['id']}", json={"profile": {"last_name": name}}).raise_for_status()
