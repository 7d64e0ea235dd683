"""Production as compose.yaml and the Helm values have it, in processes of which some are killed."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import httpx
import pytest
from prefect.states import State

from deployments.local import connection_settings, free_port
from deployments.prefect_ui import PrefectUI
from sandbox.server import Sandbox
from sandbox.slack.kinds import User
from slack_docebo.storage.events import FINISHED, OPEN, EventState
from slack_docebo.storage.store import Store
from tests.e2e.composed import Composition, first_start_of_postgresql, load_balancer
from tests.e2e.prefect_http import deployment, finished, is_done, prefect_http, set_rows, start, state
from tests.e2e.test_hostile_page import (
    ATTACKERS,
    attack,
    attackers_server,
    browser_window,
    events_named,
    open_browser,
    runs_named,
)
from tests.importing import run_import, settings_for
from tests.postgresql import PostgresServer
from tests.waiting import until

pytestmark = pytest.mark.long
USERS = 600
LOGIN = "admin:of-the-composition"
COMPOSE_LOGIN = "${PREFECT_SERVER_API_AUTH_STRING:?in .env, user:password}"
BATCH = "POST /manage/v1/user/batch"


@dataclass
class Installation:
    """Everything at work."""

    composition: Composition
    sandbox: Sandbox
    http: httpx.Client
    store_url: str
    store: Store

    def worker_of(self, run_id: str) -> str:
        """Return the name of the worker that has started the process of this run."""
        where = state(self.http, run_id, "RUNNING")["infrastructure_pid"]  # "host:pid"
        return self.composition.home_of(int(where.rpartition(":")[2]))

    def events(self) -> Counter[EventState]:
        """Count the events by what has become of them."""
        with self.store.reading() as tables:
            return Counter(tables.inbox.status().counts)

    def is_swept(self) -> bool:
        """Tell whether every event is done; let another sweep run if not."""
        if not any(self.events()[state_] for state_ in OPEN):
            return True
        assert finished(self.http, start(self.http, "sweep/sweep"))["state_type"] == "COMPLETED"
        return False

    def task_states(self, run_id: str) -> set[str]:
        """Return the states of the run's task runs that Prefect's page of the run shows."""
        query = {"flow_runs": {"id": {"any_": [run_id]}}}
        return {run["state_type"] for run in self.http.post("task_runs/filter", json=query).raise_for_status().json()}


def wait_for(url: str) -> None:
    def answers() -> bool:
        try:
            return httpx.get(url, timeout=5).is_success
        except httpx.TransportError:
            return False

    until(answers)


@pytest.fixture
def installation(postgres_server: PostgresServer, clone: Path, tmp_path: Path, monkeypatch) -> Iterator[Installation]:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)  # they lead to the server of the other tests
    redis, webhook, observation, *servers = (free_port() for _ in range(5))
    with ExitStack() as stack:
        databases = stack.enter_context(first_start_of_postgresql(postgres_server))
        sandbox = stack.enter_context(Sandbox(users=USERS, rate_limits=False, time_scale=0.05))
        prefect = f"127.0.0.1:{stack.enter_context(load_balancer(servers))}"
        composition = stack.enter_context(
            Composition(
                clone,
                tmp_path,
                addresses={
                    "${POSTGRES_PASSWORD:?set it}": "secret",
                    COMPOSE_LOGIN: LOGIN,
                    "postgresql:5432": databases,
                    "redis:6379": f"127.0.0.1:{redis}",
                    "server:4200": prefect,
                    " 0.0.0.0": " 127.0.0.1",
                    '"8400"': f'"{webhook}"',
                    '"8401"': f'"{observation}"',
                    "/data": str(tmp_path),
                },
                env_file={
                    **connection_settings(sandbox.facts(), tmp_path),
                    "SLACK_SIGNING_SECRET": sandbox.events.signing_secret,
                    "DOCEBO_TIMEOUT_SECONDS": "5",  # and so long nobody follows a call whose caller has died
                },
            )
        )
        composition.start("redis", "--port", str(redis), "--dir", str(tmp_path))
        composition.start("webhook")
        composition.run("migrate")
        composition.start("services")
        for number, port in enumerate(servers, 1):
            # One after the other: of two that start on a new database at once, one gives up and has to be started anew.
            composition.start("server", name=f"server {number}", **{'"4200"': f'"{port}"'})
            wait_for(f"http://127.0.0.1:{port}/api/health")
        composition.run("ready")
        for number in (1, 2):
            composition.start("worker", name=f"worker {number}", **{"8080": str(free_port())})
        wait_for(f"http://127.0.0.1:{observation}/healthz")
        sandbox.events.configure(f"http://127.0.0.1:{webhook}/slack/events")
        no_waiting = httpx.Limits(max_keepalive_connections=0)  # for answers of the server that is killed
        signed_in = {"PREFECT_API_URL": f"http://{prefect}/api", "PREFECT_API_AUTH_STRING": LOGIN}
        http = stack.enter_context(prefect_http(signed_in, transport=httpx.HTTPTransport(limits=no_waiting)))
        set_rows(http, REALTIME_RETRY_DELAYS="1, 5, 20")
        store_url = f"postgresql://slack_docebo@{databases}/slack_docebo"
        yield Installation(
            composition, sandbox, http, store_url=store_url, store=stack.enter_context(Store.open(store_url))
        )


def shared(sandbox: Sandbox) -> set[str]:
    """Return the addresses that more than one account has."""
    accounts = Counter(account.email for account in sandbox.docebo.accounts)
    return {email for email, number in accounts.items() if number > 1}


def burst(sandbox: Sandbox, people: list[User], *last_names: str) -> None:
    """Change people and let Slack tell of it, so many at a time that a busy machine answers within Slack's patience."""
    for name, user in product(last_names, people):
        sandbox.slack.change(user["id"], {"profile": {"last_name": name}})
        if len(sandbox.events.deliveries) % 50 == 0:
            assert sandbox.events.settle()


def test_nothing_is_lost_when_a_worker_and_a_server_are_killed(installation, tmp_path):
    composition, sandbox, http = installation.composition, installation.sandbox, installation.http
    accounts, shared_before = sandbox.docebo.accounts, shared(sandbox)
    people = [user for user in sandbox.slack.of_kind("member") if not accounts.by_email(user["profile"]["email"])]
    sandbox.docebo_gate.faults.add(BATCH, "slow", skip=2, seconds=3)

    burst(sandbox, people[:60], "Curie", "Franklin")
    imported = start(http, "bulk-import/import-everybody", dry_run=False)
    worker = installation.worker_of(imported)
    # The third call is under way for a while, and Docebo will carry it out.
    until(lambda: state(http, imported, "RUNNING") and sandbox.docebo_gate.counters.calls[BATCH] >= 3)
    composition.kill(worker)
    composition.kill("server 1")
    burst(sandbox, people[30:80], "Hopper", "Meitner")
    for number in range(10):
        sandbox.slack.add("Ada", "Lovelace", f"ada{number}@example.com")
    assert sandbox.events.settle()
    # What the schedules do, every five minutes and within a day.
    sweep, nightly = start(http, "sweep/sweep"), start(http, "bulk-import/reconcile")

    ended = {run: State.model_validate(finished(http, run)["state"]) for run in (sweep, nightly)}
    assert {run: state_ for run, state_ in ended.items() if not is_done(state_)} == {}
    until(installation.is_swept)  # who lost a race against the import is tried again
    assert {delivery.result for delivery in sandbox.events.deliveries} == {"delivered"}
    assert sum(installation.events()[state_] for state_ in FINISHED) == len(sandbox.events.deliveries) == 450
    assert sandbox.docebo_gate.counters.violations == []  # no two batch calls at once
    assert shared(sandbox) == shared_before
    settings = settings_for(sandbox.facts(), installation.store_url, report_dir=tmp_path)
    again = asyncio.run(run_import(settings, dry_run=True))
    assert f": {len(sandbox.slack)} left alone" in again.line
    until(lambda: "COMPLETED" in installation.task_states(nightly))  # they go through Redis to the services


async def test_a_hostile_page_reads_nothing_from_the_composition_and_starts_nothing(installation):
    prefect = str(installation.http.base_url).rstrip("/").removesuffix("/api")
    target = deployment(installation.http, "doctor/is-everything-in-place")["id"]
    with attackers_server() as attacker:
        async with open_browser() as browser, browser_window(browser) as stranger, browser_window(browser) as signed_in:
            await PrefectUI(await signed_in.new_page(), prefect).sign_in(LOGIN)
            for context, kind in product((stranger, signed_in), ATTACKERS):
                done = await attack(context, attacker, kind, prefect, target)

                assert (done.heard, done.framed) == ({}, []), kind
                assert done.statuses <= {403, 421}, kind
                assert runs_named(installation.http, done.mark) == []
                assert events_named(installation.http, done.mark) == []
