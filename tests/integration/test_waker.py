"""Asking a Prefect that refuses for a moment."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from slack_docebo.cli.store import outdate_status_page
from slack_docebo.clients.prefect import PrefectApi
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp
from slack_docebo.webhook import waker as waker_module
from slack_docebo.webhook.metrics import Metrics
from slack_docebo.webhook.waker import KEEP_IMPORTS_OUT, Waker
from tests.waiting import PATIENCE_SECONDS, until


class BusyPrefect:
    """Refuses the first requests for a run, as Prefect's server does whose database is locked."""

    def __init__(self, refusals: int) -> None:
        self._refusals = refusals
        self.created = asyncio.Event()
        self.looked_up: list[str] = []  # deployments

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "/deployments/name/" in request.url.path:
            self.looked_up.append(request.url.path.partition("/deployments/name/")[2])
        if request.url.path.endswith("create_flow_run"):
            if self._refusals:
                self._refusals -= 1
                return httpx.Response(503)
            self.created.set()
        return httpx.Response(200, json=[] if request.url.path.endswith("filter") else {"id": "1"})


async def ask_for_a_run(
    sqlite_url: str, answer: Callable[[httpx.Request], httpx.Response], created: asyncio.Event
) -> None:
    """Want a run, and let the waker ask for it until it is created."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://prefect/api/")
    with Store.open(sqlite_url) as store:
        with store.transaction() as tables:
            tables.wake_ups.want(WakeUp.REALTIME_SYNC, datetime.now(UTC))
        async with http:
            work = asyncio.create_task(Waker(store, PrefectApi(http), Metrics()).work())
            await asyncio.wait_for(created.wait(), PATIENCE_SECONDS)
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


async def test_a_prefect_that_refuses_once_is_asked_again_before_the_next_look(sqlite_url, monkeypatch):
    monkeypatch.setattr(waker_module, "LOOK_SECONDS", 2 * PATIENCE_SECONDS)
    prefect = BusyPrefect(refusals=2)
    await ask_for_a_run(sqlite_url, prefect, prefect.created)


async def test_after_an_unforeseen_fault_runs_are_asked_for_as_before(sqlite_url, monkeypatch, caplog):
    monkeypatch.setattr(waker_module, "PATIENCE", timedelta())
    faults = [ZeroDivisionError("of ada@example.com")]
    prefect = BusyPrefect(refusals=0)

    def answer(request: httpx.Request) -> httpx.Response:
        if faults:
            raise faults.pop()
        return prefect(request)

    await ask_for_a_run(sqlite_url, answer, prefect.created)
    assert "ZeroDivisionError in test_waker.py" in caplog.text
    assert "ada@" not in caplog.text


@pytest.mark.parametrize("steps", range(6))
async def test_work_that_is_to_end_ends_whenever_an_event_comes(sqlite_url, steps):
    http = httpx.AsyncClient(transport=httpx.MockTransport(BusyPrefect(refusals=0)), base_url="http://prefect/api/")
    async with http:
        with Store.open(sqlite_url) as store:
            waker = Waker(store, PrefectApi(http), Metrics())
            work = asyncio.create_task(waker.work())
            await asyncio.sleep(0.1)  # by then it waits for events
            waker.nudge()
            for _ in range(steps):
                await asyncio.sleep(0)
            work.cancel()
            await asyncio.wait([work], timeout=PATIENCE_SECONDS)
            assert work.cancelled()


async def test_what_a_shell_has_changed_is_brought_to_the_status_page_by_one_sweep(sqlite_url, monkeypatch, caplog):
    monkeypatch.setattr(waker_module, "DUE_SECONDS", 0)
    prefect = BusyPrefect(refusals=1)
    http = httpx.AsyncClient(transport=httpx.MockTransport(prefect), base_url="http://prefect/api/")
    with Store.open(sqlite_url) as store:
        outdate_status_page(store)
        outdate_status_page(store)

        def is_wanted() -> bool:
            with store.reading() as tables:
                return tables.wake_ups.is_wanted(WakeUp.SWEEP)

        assert is_wanted()
        async with http:
            work = asyncio.create_task(Waker(store, PrefectApi(http), Metrics()).work())
            await asyncio.wait_for(prefect.created.wait(), PATIENCE_SECONDS)
            await asyncio.to_thread(until, lambda: not is_wanted())
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
    assert prefect.looked_up == ["sweep/sweep"]
    assert "events are kept" not in caplog.text  # none waits for a sweep


def test_every_flow_that_has_the_place_of_an_import_is_waited_for():
    flows = Path(__file__).parents[2] / "flows"
    having = {file.stem.replace("_", "-") for file in flows.glob("*.py") if "open_run(" in file.read_text()}

    assert set(KEEP_IMPORTS_OUT) == having - {"realtime-sync"}  # it goes on for ever


async def test_no_reconciliation_is_asked_for_while_another_run_has_the_place_of_an_import(sqlite_url):
    """It would find its place taken and end red, and nobody would ask for another."""
    prefect, running = BusyPrefect(refusals=0), {"apply-plan"}
    looked = asyncio.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        if running and request.url.path.endswith("filter"):
            asked = json.loads(request.content)
            if asked["flow_runs"]["state"]["type"]["any_"] == ["RUNNING"]:
                looked.set()
                flows = asked.get("flows", {}).get("name", {}).get("any_", ())
                return httpx.Response(200, json=[{}] if running.intersection(flows) else [])
        return prefect(request)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://prefect/api/")
    with Store.open(sqlite_url) as store:
        with store.transaction() as tables:
            tables.wake_ups.want(WakeUp.RECONCILIATION, datetime.now(UTC))
        async with http:
            waker = Waker(store, PrefectApi(http), Metrics())
            work = asyncio.create_task(waker.work())
            await asyncio.wait_for(looked.wait(), PATIENCE_SECONDS)
            await asyncio.sleep(0.2)
            assert not prefect.created.is_set()

            running.clear()
            waker.nudge()
            await asyncio.wait_for(prefect.created.wait(), PATIENCE_SECONDS)
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
