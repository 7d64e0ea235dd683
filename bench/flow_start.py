"""From the request for a run to its first line while no run is at work: our worker beside Prefect's process worker."""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from bench.installation import ROOT, deploy, is_at_work, until
from bench.table import Results
from deployments.local import OFTEN, OUR_WORKER, QUIET_PREFECT, WORKER, connection_settings, prefect_server, process
from sandbox.server import Sandbox
from tests.e2e.prefect_http import prefect_http

RUNS = 9
STOCK = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "stock", "--type", "process"]
STOCK_DEPLOYMENT = {
    "name": "stock",
    "entrypoint": "flows/realtime_sync.py:realtime_sync",
    "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
    "work_pool_name": "stock",
    "job_variables": {"command": f"{sys.executable} -m prefect.engine"},  # half the time of its default
}
IDLE_SECONDS = 60


def main() -> None:
    """Measure and print."""
    results = Results("From the request for a run to its first line, no run at work (flow_start)")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        company = stack.enter_context(Sandbox(users=20, rate_limits=False))
        clients = stack.enter_context(prefect_server(folder))
        api = clients["PREFECT_API_URL"]
        env = {
            **QUIET_PREFECT,
            **OUR_WORKER,
            **OFTEN,
            **clients,
            "PREFECT_HOME": str(folder / "prefect"),
            **connection_settings(company.facts(), folder),
        }
        http = stack.enter_context(prefect_http(clients, transport=httpx.HTTPTransport(), timeout=120))
        deploy(env, "slack-events")
        ours = http.get("deployments/name/realtime-sync/slack-events").raise_for_status().json()
        http.post("work_pools/", json={"name": "stock", "type": "process"}).raise_for_status()
        stock = {**STOCK_DEPLOYMENT, "flow_id": ours["flow_id"]}
        stock_id = http.post("deployments/", json=stock).raise_for_status().json()["id"]
        alone = _processor_seconds(api)
        stack.enter_context(process(WORKER, log=folder / "ours.log", env=env, cwd=folder))
        until(lambda: is_at_work(http, "slack-docebo-flows"))
        watched = _processor_seconds(api)
        stack.enter_context(process(STOCK, log=folder / "stock.log", env=env, cwd=folder))
        until(lambda: is_at_work(http, "stock"))
        seconds: dict[str, list[float]] = {"ours": [], "stock": []}
        for _ in range(RUNS):  # by turns: what else goes on here meets both
            seconds["ours"].append(_first_line(http, ours["id"]))
            seconds["stock"].append(_first_line(http, stock_id))
        memory = _own_memory_mb(http, ours["id"])
        stock_memory = _own_memory_mb(http, stock_id)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    results.add(f"our worker, median of {RUNS}", median["ours"], 1.2, "s")
    results.add("our worker, slowest", max(seconds["ours"]), unit="s")
    results.add("Prefect's process worker, median", median["stock"], unit="s")
    results.add("ours beside Prefect's", median["ours"] / median["stock"], 1, "times")
    results.add("memory of a run's own, our worker", memory, unit="MB")
    results.add("memory of a run's own, Prefect's process worker", stock_memory, unit="MB")
    results.add("processor of the server for one idle worker", (watched - alone) / IDLE_SECONDS * 100, unit="%")
    results.show()


def _first_line(http: httpx.Client, deployment_id: str) -> float:
    """Return the seconds from asking for a run, as the webhook does, to the line with which its flow begins."""
    asked, run_id = _ask(http, deployment_id, linger_seconds=0)
    until(lambda: _run(http, run_id)["state_type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
    if _run(http, run_id)["state_type"] != "COMPLETED":
        raise RuntimeError(f"the run ended as {_run(http, run_id)['state']}")
    query = {"logs": {"flow_run_id": {"any_": [run_id]}}}

    def begun() -> list[str]:
        lines = http.post("logs/filter", json=query).raise_for_status().json()
        return [line["timestamp"] for line in lines if line["message"].startswith("Beginning flow run")]

    until(lambda: bool(begun()))
    return datetime.fromisoformat(begun()[0]).timestamp() - asked


def _own_memory_mb(http: httpx.Client, deployment_id: str) -> float:
    """Return what a run at work has in memory that it shares with no other process."""
    _, run_id = _ask(http, deployment_id, linger_seconds=10)
    until(lambda: _run(http, run_id)["state_type"] == "RUNNING" and bool(_run(http, run_id)["infrastructure_pid"]))
    time.sleep(4)
    pid = _run(http, run_id)["infrastructure_pid"].rpartition(":")[2]
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    until(lambda: _run(http, run_id)["state_type"] == "COMPLETED")  # else the next finds its place taken, and ends
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _ask(http: httpx.Client, deployment_id: str, **parameters: object) -> tuple[float, str]:
    """Return when a run was asked for, and its id; ask again while Prefect's server on SQLite is busy."""
    while True:
        asked = time.time()
        answer = http.post(f"deployments/{deployment_id}/create_flow_run", json={"parameters": parameters})
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return asked, answer.raise_for_status().json()["id"]
        time.sleep(1)


def _run(http: httpx.Client, run_id: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = http.get(f"flow_runs/{run_id}").raise_for_status().json()
    return found


def _processor_seconds(api: str) -> float:
    """Return what the processor does for the server in IDLE_SECONDS."""
    port = api.rpartition(":")[2].removesuffix("/api")
    (stat,) = (
        path.parent / "stat"
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if f"\0--port\0{port}\0" in path.read_text(errors="replace")
    )

    def spent() -> float:
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    time.sleep(10)  # until it has done what was asked of it before
    before = spent()
    time.sleep(IDLE_SECONDS)
    return spent() - before


if __name__ == "__main__":
    main()
