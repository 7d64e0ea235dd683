"""Socket Mode against a small Slack of its own: real HTTP, a real WebSocket."""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from pydantic import SecretStr

from slack_docebo import redaction
from slack_docebo.clients.prefect import open_prefect
from slack_docebo.current_settings import Current
from slack_docebo.errors import AccessDenied, ContractViolation, TransientError
from slack_docebo.redaction import TOKENS, redact_logs
from slack_docebo.storage.store import Store
from slack_docebo.webhook.reception import Reception, open_reception
from slack_docebo.webhook.socket_mode import PING_SECONDS, listening
from tests import hostile
from tests.waiting import PATIENCE_SECONDS
from tests.webhook import NOBODY, entries, envelope, settings

TOKEN = SecretStr("xapp-planted-secret")
OFTEN = 0.2  # seconds: a client that a busy machine keeps from its pings for one second takes its connection for lost


class Slack:
    """Hands out addresses, each good for one connection, and sends envelopes."""

    def __init__(self) -> None:
        self.url = ""
        self.error = ""
        self.tickets: set[str] = set()
        self.issued = 0
        self.refused = 0
        self.sockets: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        self.acknowledged: asyncio.Queue[str] = asyncio.Queue()
        self.refuse_next = 0
        self.keeps_connections = True
        self.patience_wanted = 0  # times that it says to have been asked too often
        self.asked_at: list[float] = []

    async def open(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN.get_secret_value()}"
        if self.error:
            return web.json_response({"ok": False, "error": self.error})
        if self.patience_wanted:
            self.patience_wanted -= 1
            refusal = {"ok": False, "error": "ratelimited"}
            return web.json_response(refusal, status=429, headers={"Retry-After": "0"})
        self.issued += 1
        self.asked_at.append(time.monotonic())
        ticket = f"ticket-{self.issued}"
        self.tickets.add(ticket)
        return web.json_response({"ok": True, "url": f"{self.url.replace('http', 'ws', 1)}/link?ticket={ticket}"})

    async def link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query["ticket"]
        if ticket not in self.tickets or self.refuse_next:
            self.tickets.discard(ticket)
            self.refuse_next = max(0, self.refuse_next - 1)
            self.refused += 1
            return web.Response(status=403)
        self.tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        if not self.keeps_connections:
            await socket.send_json({"type": "disconnect", "reason": "link_disabled"})
        await self.sockets.put(socket)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await self.acknowledged.put(json.loads(message.data)["envelope_id"])
        return socket


@asynccontextmanager
async def slack_server() -> AsyncIterator[Slack]:
    slack = Slack()
    app = web.Application()
    app.router.add_post("/api/apps.connections.open", slack.open)
    app.router.add_get("/link", slack.link)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield slack
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(
    slack: Slack, store: Store, *, ping_seconds: float = PING_SECONDS
) -> AsyncIterator[web.WebSocketResponse]:
    """Listen with the real client, and yield Slack's end of the connection; who is to notice a loss soon pings often."""
    async with (
        open_reception(Current(settings()), store) as reception,
        listening(lambda: TOKEN, reception, base_url=f"{slack.url}/api/", ping_seconds=ping_seconds),
    ):
        yield await asyncio.wait_for(slack.sockets.get(), PATIENCE_SECONDS)


def wrapped(number: int, payload: Any = None, type_: str = "events_api") -> dict[str, Any]:
    return {
        "type": type_,
        "envelope_id": f"envelope-{number}",
        "payload": envelope(number) if payload is None else payload,
        "accepts_response_payload": False,
    }


async def test_an_event_is_committed_before_it_is_acknowledged(store):
    async with slack_server() as slack, connected(slack, store) as socket:
        await socket.send_json(wrapped(1))

        assert await asyncio.wait_for(slack.acknowledged.get(), PATIENCE_SECONDS) == "envelope-1"
        assert [entry.event.event_id for entry in entries(store)] == ["Ev1"]


async def test_everything_else_is_acknowledged_too(store):
    async with slack_server() as slack, connected(slack, store) as socket:
        await socket.send_json(wrapped(1, {"command": "/x"}, "slash_commands"))
        await socket.send_json(wrapped(2, envelope(2, "message")))

        acknowledged = {await asyncio.wait_for(slack.acknowledged.get(), PATIENCE_SECONDS) for _ in range(2)}
        assert acknowledged == {"envelope-1", "envelope-2"}
        assert entries(store) == []


async def test_what_could_not_be_stored_is_not_acknowledged(sqlite_url, tmp_path):
    with Store.open(sqlite_url) as store:
        async with slack_server() as slack, connected(slack, store) as socket:
            (tmp_path / "store.db").rename(tmp_path / "away")
            await socket.send_json(wrapped(1))
            await socket.send_json(wrapped(2, envelope(2, "message")))  # needs no store

            assert await asyncio.wait_for(slack.acknowledged.get(), PATIENCE_SECONDS) == "envelope-2"
            (tmp_path / "away").rename(tmp_path / "store.db")
            await socket.send_json({**wrapped(1), "retry_attempt": 1, "retry_reason": "timeout"})

            assert await asyncio.wait_for(slack.acknowledged.get(), PATIENCE_SECONDS) == "envelope-1"
            assert len(entries(store)) == 1


@pytest.mark.parametrize("farewell", ["disconnect", "drop"])
async def test_a_lost_connection_is_replaced(sqlite_url, farewell):
    with Store.open(sqlite_url) as store:
        async with slack_server() as slack, connected(slack, store, ping_seconds=OFTEN) as socket:
            if farewell == "disconnect":
                await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})
            else:
                slack.refuse_next = 2  # the first addresses are worth nothing: another has to be asked for
                await socket.close()
            another = await asyncio.wait_for(slack.sockets.get(), PATIENCE_SECONDS)
            await another.send_json(wrapped(2))

            assert await asyncio.wait_for(slack.acknowledged.get(), PATIENCE_SECONDS) == "envelope-2"
            assert len(entries(store)) == 1


async def test_connections_that_slack_dismisses_at_once_become_ever_rarer(store):
    async with slack_server() as slack:
        slack.keeps_connections = False
        async with connected(slack, store, ping_seconds=OFTEN):
            for _ in range(3):
                await asyncio.wait_for(slack.sockets.get(), PATIENCE_SECONDS)

    pauses = [then - before for before, then in pairwise(slack.asked_at)]
    assert pauses[1] >= OFTEN
    assert pauses[2] >= 2 * OFTEN


async def test_a_slack_that_was_asked_too_often_is_asked_again_when_it_says(store):
    async with slack_server() as slack:
        slack.patience_wanted = 2
        async with asyncio.timeout(PATIENCE_SECONDS), connected(slack, store, ping_seconds=OFTEN) as socket:
            await socket.send_json(wrapped(1))

            assert await slack.acknowledged.get() == "envelope-1"


async def test_the_ticket_of_a_connection_that_slack_refuses_is_in_no_log(store, caplog, monkeypatch):
    monkeypatch.setattr(redaction, "_tokens", deque(maxlen=TOKENS))
    usual = logging.getLogRecordFactory()
    redact_logs()
    try:
        async with slack_server() as slack, connected(slack, store, ping_seconds=OFTEN) as socket:
            slack.refuse_next = 1
            await socket.close()
            await asyncio.wait_for(slack.sockets.get(), PATIENCE_SECONDS)
    finally:
        logging.setLogRecordFactory(usual)

    assert "Invalid response status" in caplog.text
    assert "ticket-" not in caplog.text


async def test_a_wrong_token_is_told(sqlite_url):
    with Store.open(sqlite_url) as store:
        async with slack_server() as slack, open_prefect(NOBODY, lambda: None, timeout=60) as prefect:
            slack.error = "invalid_auth"
            with pytest.raises(AccessDenied, match=r"^check SLACK_APP_TOKEN"):
                async with listening(
                    lambda: TOKEN, Reception(settings(), store, prefect), base_url=f"{slack.url}/api/"
                ):
                    pass


async def test_the_token_follows_no_redirect_and_no_bomb_is_unpacked(sqlite_url):
    async with (
        hostile.listening() as server,
        hostile.listening() as other,
        open_prefect(NOBODY, lambda: None, timeout=60) as prefect,
    ):
        other.answer = hostile.whole(b"{}")
        with Store.open(sqlite_url) as store:
            reception = Reception(settings(), store, prefect)
            for server.answer in (hostile.elsewhere(other.url), hostile.bomb):
                with pytest.raises(ContractViolation):
                    async with listening(lambda: TOKEN, reception, base_url=f"{server.url}/api/"):
                        pass

        assert other.asked == []


async def test_slack_out_of_reach_is_told(sqlite_url):
    with Store.open(sqlite_url) as store:
        async with open_prefect(NOBODY, lambda: None, timeout=60) as prefect:
            with pytest.raises(TransientError):
                async with listening(
                    lambda: TOKEN, Reception(settings(), store, prefect), base_url="http://127.0.0.1:9/api/"
                ):
                    pass
