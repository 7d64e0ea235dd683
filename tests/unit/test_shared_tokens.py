"""Requests of one client of Prefect's that are sent at the same time."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from prefect.client import base
from prefect.client.base import PrefectHttpxAsyncClient

from deployments.shared_tokens import share_tokens

LOOPS = 4  # of a worker: it looks for runs, gives a sign of life, watches for cancellations


class Prefect:
    """Answers as Prefect's server does: of one client the newest token alone is good."""

    def __init__(self) -> None:
        self._good: dict[str, str] = {}
        self.refused = 0
        self.lasts = timedelta(hours=1)

    def forget(self) -> None:
        self._good.clear()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        if request.url.path == "/csrf-token":
            client = request.url.params["client"]
            self._good[client] = uuid4().hex
            end = (datetime.now(UTC) + self.lasts).isoformat()
            token = {"client": client, "token": self._good[client], "expiration": end}
            await asyncio.sleep(0)  # another request may come before this answer has arrived
            return httpx.Response(200, content=json.dumps(token))
        given = self._good.get(request.headers["prefect-csrf-client"])
        if given is None or given != request.headers["prefect-csrf-token"]:
            self.refused += 1
            return httpx.Response(403, json={"detail": "Invalid CSRF token or client identifier."})
        return httpx.Response(200)


@pytest.fixture
def sharing(monkeypatch):
    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    # Set to what it is, so that it is taken back after the test: a process keeps what `share_tokens` does.
    monkeypatch.setattr(PrefectHttpxAsyncClient, "_add_csrf_headers", PrefectHttpxAsyncClient._add_csrf_headers)
    monkeypatch.setattr(base.anyio, "sleep", at_once)
    share_tokens()


def client_of(prefect: Prefect) -> PrefectHttpxAsyncClient:
    return PrefectHttpxAsyncClient(
        base_url="http://prefect.test", enable_csrf_support=True, transport=httpx.MockTransport(prefect)
    )


async def all_at_once(client: PrefectHttpxAsyncClient) -> set[int]:
    return {answer.status_code for answer in await asyncio.gather(*(client.post("/runs") for _ in range(LOOPS)))}


@pytest.mark.usefixtures("sharing")
async def test_requests_that_begin_at_once_do_not_make_each_others_token_void():
    prefect = Prefect()
    async with client_of(prefect) as client:
        assert await all_at_once(client) == {200}
    assert prefect.refused == 0


@pytest.mark.usefixtures("sharing")
async def test_requests_that_are_refused_at_once_get_one_new_token():
    prefect = Prefect()
    async with client_of(prefect) as client:
        await all_at_once(client)
        prefect.forget()  # the server's database is another one

        assert await all_at_once(client) == {200}
    assert prefect.refused == LOOPS


@pytest.mark.usefixtures("sharing")
async def test_a_token_whose_hour_is_over_is_replaced_once_for_all():
    prefect = Prefect()
    async with client_of(prefect) as client:
        prefect.lasts = timedelta(seconds=-1)
        await client.post("/runs")
        before, prefect.lasts = client.csrf_token, timedelta(hours=1)

        assert await all_at_once(client) == {200}
        assert client.csrf_token != before
    assert prefect.refused == 0
