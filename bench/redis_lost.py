"""`python -m bench.redis_lost [TIMES]`: Redis is away for three seconds at the end of a run, and comes back empty."""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.installation import ROOT, until
from bench.table import Results
from deployments.local import connection_settings, free_port
from sandbox.server import Sandbox
from tests.e2e.composed import Composition, first_start_of_postgresql
from tests.e2e.prefect_http import prefect_http, set_rows, start, start_nothing
from tests.postgresql import running_server
from tests.smtp import MailServer, mail_server

TIMES = 20
AWAY_SECONDS = 3
LOGIN = "admin:of-the-bench-and-long"
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
RUN = "bulk-import/reconcile"
ADDRESS = "it@example.com"


@dataclass
class Installation:
    """Prefect on PostgreSQL and Redis as compose.yaml has it, and a worker."""

    composition: Composition
    http: httpx.Client
    redis: tuple[str, ...]
    mails: MailServer

    def run(self, run_id: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.http.get(f"flow_runs/{run_id}").raise_for_status().json()
        return found

    def begun(self, run_id: str) -> None:
        """Wait until the run is at work."""
        until(lambda: self.run(run_id)["state_type"] == "RUNNING")

    def ended(self, run_id: str) -> float:
        """Wait for the run's end in Prefect, and return the seconds until then."""
        since = time.monotonic()
        until(lambda: self.run(run_id)["state_type"] in FINAL)
        return time.monotonic() - since


def main(arguments: Sequence[str] = ()) -> int:
    """Measure and print."""
    times = int(arguments[0]) if arguments else TIMES
    draw = random.Random(21)
    with _installation() as here:
        undisturbed = here.ended(start(here.http, RUN))
        states, first, second = Counter[str](), [], []
        for _ in range(times):
            run_id = start(here.http, RUN)
            here.begun(run_id)
            time.sleep(draw.uniform(0, undisturbed / 2))  # it begins after a while; so this is its middle or end
            here.composition.kill("redis")
            time.sleep(AWAY_SECONDS)
            here.composition.start("redis", *here.redis)
            first.append(here.ended(run_id))
            states[here.run(run_id)["state_name"]] += 1
            second.append(here.ended(start(here.http, RUN)))
        told = [str(mail["Subject"]) for mail in here.mails.taken()]
    results = Results(
        f"Redis away for {AWAY_SECONDS} s at the end of a run, and back empty, {times} times (redis_lost)"
    )
    results.add("a run undisturbed, from its creation to its end", undisturbed, unit="s")
    results.add("from Redis's return to the run's end in Prefect, longest", max(first), 60, "s")
    results.add("the next run of the deployment, from its creation to its end, longest", max(second), 60, "s")
    for state, number in states.items():
        results.add(f"runs that ended as {state}", number)
    for subject, number in Counter(told).items():
        results.add(f"messages: {subject}", number)
    results.show()
    return 0


@contextmanager
def _installation() -> Iterator[Installation]:
    redis, prefect, health = (free_port() for _ in range(3))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slack-docebo-bench-")))
        company = stack.enter_context(Sandbox(users=2_000, rate_limits=False, latency_ms=30))
        mails, smtp = stack.enter_context(mail_server())
        postgresql = stack.enter_context(first_start_of_postgresql(stack.enter_context(running_server())))
        composition = stack.enter_context(
            Composition(
                ROOT,
                folder,
                addresses={
                    "${POSTGRES_PASSWORD:?set it}": "secret",
                    "${PREFECT_SERVER_API_AUTH_STRING:?in .env, user:password}": LOGIN,
                    "postgresql:5432": postgresql,
                    "redis:6379": f"127.0.0.1:{redis}",
                    "server:4200": f"127.0.0.1:{prefect}",
                    '"4200"': f'"{prefect}"',
                    " 0.0.0.0": " 127.0.0.1",
                    "8080": str(health),
                    "/data": str(folder),
                },
                env_file={
                    **connection_settings(company.facts(), folder),
                    "SMTP_HOST": "127.0.0.1",
                    "SMTP_PORT": str(smtp),
                    "SMTP_STARTTLS": "false",
                    "SMTP_FROM": "sync@example.com",
                },
            )
        )
        options = ("--port", str(redis), "--dir", str(folder), "--appendonly", "no", "--save", "")
        composition.start("redis", *options)
        composition.run("migrate")
        composition.start("services")
        composition.start("server")
        api = {"PREFECT_API_URL": f"http://127.0.0.1:{prefect}/api", "PREFECT_API_AUTH_STRING": LOGIN}
        until(lambda: _answers(api["PREFECT_API_URL"]))
        composition.run("ready")
        http = stack.enter_context(prefect_http(api, timeout=120))
        start_nothing(http)
        set_rows(http, NOTIFICATION_MAIL_ID=ADDRESS)
        composition.start("worker")
        here = Installation(composition, http, options, mails)
        here.ended(start(http, RUN))  # the first import
        yield here


def _answers(api: str) -> bool:
    try:
        return httpx.get(f"{api}/ready", timeout=5).is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
