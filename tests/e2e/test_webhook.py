"""The webhook and a real Prefect server: events bring runs, one run for many, also after Prefect was away."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from deployments.local import free_port
from slack_docebo.clients.prefect import BY_WEBHOOK
from slack_docebo.storage.events import EventState
from slack_docebo.storage.store import Store
from slack_docebo.webhook import waker
from tests.e2e.prefect_http import deployment
from tests.waiting import until
from tests.webhook import NOTICE, Webhook, envelope, running_webhook


class Runs:
    """The runs of one deployment, cancelled at the end so that no worker of another test takes them."""

    def __init__(self, http: httpx.Client, name: str) -> None:
        self._http = http
        self._id = deployment(http, name)["id"]
        self._before = {run["id"] for run in self._all()}

    def new(self) -> list[dict[str, Any]]:
        return [run for run in self._all() if run["id"] not in self._before]

    def set_state(self, type_: str) -> None:
        for run in self.new():
            body = {"state": {"type": type_}, "force": True}
            self._http.post(f"flow_runs/{run['id']}/set_state", json=body).raise_for_status()

    def _all(self) -> list[dict[str, Any]]:
        query = {
            "deployments": {"id": {"any_": [self._id]}},
            "flow_runs": {"expected_start_time": {"before_": datetime.now(UTC).isoformat()}},
        }
        found: list[dict[str, Any]] = self._http.post("flow_runs/filter", json=query).raise_for_status().json()
        return found


@pytest.fixture
def runs(deployed) -> Iterator[Runs]:
    found = Runs(deployed, waker.REALTIME_SYNC)
    yield found
    found.set_state("CANCELLED")


@pytest.fixture
def store(sqlite_url) -> Iterator[Store]:
    with Store.open(sqlite_url) as opened:
        yield opened


@pytest.fixture
def webhook(store, prefect_api, monkeypatch) -> Iterator[Webhook]:
    monkeypatch.setattr(waker, "PATIENCE", timedelta(seconds=1))
    with running_webhook(store, prefect_api_url=prefect_api) as running:
        yield running


def test_many_events_bring_one_run(webhook, runs):
    for number in range(20):
        assert webhook.post(envelope(number)).status_code == 200
    until(runs.new)

    # Longer than a run is waited for: the one that nobody has started yet is not joined by another.
    with webhook.store.transaction() as tables:
        tables.wake_ups.not_asked()
    webhook.post(envelope(21))
    until(lambda: not _may_be_asked(webhook.store))
    assert len(runs.new()) == 1


def test_an_event_after_the_end_of_a_run_brings_another(webhook, runs):
    webhook.post(envelope(1))
    until(runs.new)
    with webhook.store.transaction() as tables:
        inbox = tables.inbox
        inbox.finish(
            [entry.event.event_id for entry in inbox.oldest(10)], EventState.APPLIED, datetime.now(UTC), run=""
        )
        inbox.claim("run", 10, datetime.now(UTC))  # finds nothing
    runs.set_state("COMPLETED")

    webhook.post(envelope(2))
    until(lambda: len(runs.new()) == 2)


def test_a_further_attempt_brings_a_run_when_it_falls_due(webhook, runs, monkeypatch):
    monkeypatch.setattr(waker, "DUE_SECONDS", 0.0)
    now = datetime.now(UTC)
    with webhook.store.transaction() as tables:
        tables.wake_ups.quiet(now + timedelta(seconds=60))  # a run is at work
    webhook.post(envelope(1))
    with webhook.store.transaction() as tables:
        inbox = tables.inbox
        (entry,) = inbox.claim("run", 10, datetime.now(UTC))
        inbox.retry_later([entry.event.event_id], "no answer", now + timedelta(seconds=1), run="run")
        inbox.claim("run", 10, now)  # finds nothing, and ends
        tables.wake_ups.quiet(None)

    until(runs.new)


def test_while_a_run_is_at_work_no_other_is_asked_for(webhook, runs):
    now = datetime.now(UTC)
    with webhook.store.transaction() as tables:
        tables.wake_ups.quiet(now + timedelta(seconds=60))
    webhook.post(envelope(1))
    assert webhook.get("readyz").json()["prefect"] == "up"
    assert runs.new() == []

    with webhook.store.transaction() as tables:
        tables.wake_ups.quiet(None)
    until(runs.new)


def test_readiness_says_that_prefect_refuses_our_login(store, prefect_api):
    with running_webhook(store, prefect_api_url=prefect_api, prefect_api_auth_string="wrong:login") as webhook:
        ready = webhook.get("readyz")

    assert ready.status_code == 200  # events are taken all the same
    assert ready.json()["prefect"].startswith("refuses our login: check PREFECT_API_AUTH_STRING")


async def test_what_came_while_prefect_was_away_brings_a_run_when_it_is_back(store, runs, prefect_api):
    target = urlsplit(prefect_api)
    port = free_port()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(_copy(reader, their_writer), _copy(their_reader, writer))

    with running_webhook(store, prefect_api_url=f"http://127.0.0.1:{port}/api") as webhook:
        answer = await asyncio.to_thread(webhook.post, envelope(1))
        assert answer.status_code == 200
        ready = await asyncio.to_thread(webhook.get, "readyz")
        assert (ready.status_code, ready.json()["prefect"][:4]) == (200, "down")
        assert await asyncio.to_thread(runs.new) == []

        async with await asyncio.start_server(pass_on, "127.0.0.1", port):
            await asyncio.to_thread(until, runs.new)
            assert len(await asyncio.to_thread(runs.new)) == 1


def test_events_that_slack_left_out_bring_a_reconciliation(webhook, deployed):
    reconciliations = Runs(deployed, waker.RECONCILIATION)
    try:
        for _ in range(3):
            assert webhook.post(NOTICE).status_code == 200
        until(reconciliations.new)
        assert [BY_WEBHOOK in run["tags"] for run in reconciliations.new()] == [True]
    finally:
        reconciliations.set_state("CANCELLED")


@pytest.mark.long
def test_a_reconciliation_that_was_wanted_is_asked_for_by_the_next_webhook(store, deployed, prefect_api):
    reconciliations = Runs(deployed, waker.RECONCILIATION)
    with running_webhook(store) as webhook:  # Prefect is away
        assert webhook.post(NOTICE).status_code == 200
    try:
        with running_webhook(store, prefect_api_url=prefect_api):
            until(reconciliations.new)
    finally:
        reconciliations.set_state("CANCELLED")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
    writer.close()


def _may_be_asked(store: Store) -> bool:
    with store.transaction() as tables:
        asked = tables.wake_ups.may_ask(datetime.now(UTC), patience=timedelta(hours=1))
        if asked:
            tables.wake_ups.not_asked()
    return asked
