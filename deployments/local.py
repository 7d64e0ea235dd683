"""An installation on this machine for a while: sandbox and Prefect server as processes, for demo, tests and benchmarks."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from deployments.ending import Heir, interrupted_later
from deployments.login import new_login
from slack_docebo.private_files import make_folder, open_own

ROOT = Path(__file__).parents[1]
START_SECONDS = 180.0  # a new database takes Prefect's server ten to twenty seconds on two cores, a minute on busy ones
STOP_SECONDS = 45.0  # a worker gives its runs 25 to come to a safe point
DATABASE = "slack-docebo.db"
PORTS = range(10_000, 32_768)  # below those from which Linux gives one to each outgoing connection

QUIET_PREFECT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
}
# By default Prefect's server writes one event and one task run at a time: four times the CPU, and SQLite's only writer
# is taken for seconds at a stretch, in which the server answers 503.
BATCHED_SERVER = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "100",
}
WORKER = [
    *(sys.executable, "-m", "prefect", "worker", "start", "--pool", "slack-docebo-flows", "--type", "slack-docebo"),
    *("--limit", "5"),  # flow runs at a time
]
OFTEN = {"PREFECT_WORKER_QUERY_SECONDS": "0.5"}  # between two looks for waiting runs; docs/performance.md
LIBRARY_LOGS = {"PREFECT_LOGGING_EXTRA_LOGGERS": "slack_docebo"}  # shown on the run's page
OUR_WORKER = {"PYTHONPATH": str(ROOT)}  # where Prefect finds it


def without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what keeps the proxy that *environment* may name out of calls to this machine: it would be told the login.

    Companies set one for all; what is on this machine it does not reach.
    """
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    named = given if given.strip() == "*" else ",".join(filter(None, (given, "127.0.0.1", "localhost")))
    return {"no_proxy": named, "NO_PROXY": named}


@contextmanager
def process(
    arguments: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command within the block, its output in *log*; at the end interrupt it, and kill it if it does not stop."""
    make_folder(log.parent)
    with open(log, "ab", opener=open_own) as output:
        child = None
        try:
            with interrupted_later():
                child = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(env or {})},
                    cwd=cwd,
                    start_new_session=True,  # Ctrl-C reaches us alone, and we stop the children in order
                )
            yield child
        finally:
            if child is not None:
                stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """Interrupt *child* and its own children; kill those that do not end."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGINT)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(STOP_SECONDS)


def descendants(pid: int) -> Iterator[int]:
    """Return the processes that *pid* has started, and those started by these, whatever group they are in."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, path.read_text().split()):
                yield child
                yield from descendants(child)


@contextmanager
def sandbox(*options: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Run the sandbox with *options* and yield what it says about itself: addresses, credentials, contents."""
    log = folder / "sandbox.log"
    with process([sys.executable, "-m", "sandbox", "--json", *options], log=log) as child:
        deadline = time.monotonic() + START_SECONDS
        while not (lines := [line for line in log.read_text().splitlines() if line.startswith("{")]):
            _still_starting(child, deadline, log)
        yield json.loads(lines[-1])


@contextmanager
def prefect_server(folder: Path) -> Iterator[dict[str, str]]:
    """Run a Prefect server with its own database in *folder* and yield the environment that its clients need.

    Its login is new and stands in that environment only.
    """
    with prefect_server_process(folder, free_port(), new_login()) as (_, clients):
        yield clients


@contextmanager
def prefect_server_process(
    folder: Path, port: int, login: str, heir: Heir | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """Do what `prefect_server` does at this *port* and with this *login*, and yield the server's process, too.

    From its start on it is an *heir*'s to end, where there is one.
    """
    api = f"http://127.0.0.1:{port}/api"
    command, env = prefect_server_command(folder, port, login)
    log = folder / "prefect-server.log"
    with process(command, log=log, env=env, cwd=ROOT) as child:
        if heir:
            heir.name(child.pid)
        deadline = time.monotonic() + START_SECONDS
        while child.poll() is not None or not is_healthy(api):  # another server may answer where ours found no place
            _still_starting(child, deadline, log)
        yield child, {"PREFECT_API_URL": api, "PREFECT_API_AUTH_STRING": login}


def prefect_server_command(folder: Path, port: int, login: str) -> tuple[list[str], dict[str, str]]:
    """Return how to start a Prefect server with its own database in *folder*, and the environment it needs."""
    home = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_API_AUTH_STRING": login}
    command = [sys.executable, "-m", "deployments.server", "--port", str(port)]
    return command, {**home, **QUIET_PREFECT, **BATCHED_SERVER}


@contextmanager
def worker(folder: Path, *, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker of our work pool that keeps its files in *folder*; its flow runs get the environment *env*."""
    settings = {**QUIET_PREFECT, **OUR_WORKER, "PREFECT_WORKER_QUERY_SECONDS": "1", **LIBRARY_LOGS, **env}
    with process(WORKER, log=folder / "worker.log", env=settings, cwd=folder) as child:
        yield child


def connection_settings(facts: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Return the environment that connects slack-docebo with a sandbox and keeps its data in *folder*."""
    return {
        "SLACK_BOT_TOKEN": facts["slack_token"],
        "SLACK_API_URL": facts["slack_url"],
        "SLACK_SCIM_TOKEN": facts["scim_token"],
        "SLACK_SCIM_URL": facts["scim_url"],
        "DOCEBO_URL": facts["docebo_url"],
        "DOCEBO_CLIENT_ID": facts["docebo_client_id"],
        "DOCEBO_CLIENT_SECRET": facts["docebo_client_secret"],
        "DATABASE_URL": f"sqlite:///{folder}/{DATABASE}",
        "REPORT_DIR": str(folder / "reports"),
    }


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that no connection is given before somebody does."""
    while is_taken(port := PORTS[secrets.randbelow(len(PORTS))]):
        pass
    return port


def is_taken(port: int) -> bool:
    """Tell whether somebody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_healthy(api: str) -> bool:
    """Tell whether a Prefect server answers at *api*."""
    try:
        return httpx.get(f"{api}/health", timeout=2).is_success
    except httpx.TransportError:
        return False


def wait_until_listening(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until *child* listens on this port; raise RuntimeError, with the end of its *log*, if it does not start."""
    deadline = time.monotonic() + START_SECONDS
    while not is_taken(port):
        _still_starting(child, deadline, log)


def _still_starting(child: subprocess.Popen[bytes], deadline: float, log: Path) -> None:
    if child.poll() is not None or time.monotonic() > deadline:
        said = log.read_text()[-2000:] or f"{log} is empty: is the disk full?"
        raise RuntimeError(f"{child.args!r} did not start:\n{said}")
    time.sleep(0.1)  # a child tells nobody when it is ready: it is looked at again
