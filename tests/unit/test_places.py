"""Who takes a place of Prefect's server: whoever has the login, and nobody else."""

import asyncio
import base64
import json

import pytest

from deployments.places import Places

LOGIN = "admin:long-enough"
WITH_LOGIN = [(b"authorization", b"Basic " + base64.b64encode(LOGIN.encode()))]
SOCKET = {"type": "websocket", "path": "/api/events/in", "headers": [], "subprotocols": ["prefect"]}


def request(headers=()):
    return {"type": "http", "path": "/api/health", "headers": headers, "method": "GET"}


async def nothing(*_):
    return {}


async def served_beside(waiting: int, headers) -> bool:
    """Whether somebody with the login is served while so many others with *headers* do not take their answers."""
    taken = asyncio.Event()
    served = []

    async def app(scope, receive, send):
        await send(scope)

    async def send_to_them(_):
        await taken.wait()

    async def send_to_us(_):
        served.append(True)

    places = Places(app, login=LOGIN, at_once=3)
    async with asyncio.TaskGroup() as group:
        for _ in range(waiting):
            group.create_task(places(request(headers), nothing, send_to_them))
        await asyncio.sleep(0)
        us = group.create_task(places(request(WITH_LOGIN), nothing, send_to_us))
        for _ in range(5):
            await asyncio.sleep(0)
        in_time = bool(served)
        taken.set()
        await us
    return in_time


async def test_whoever_has_no_login_takes_no_place():
    assert await served_beside(100, [])
    assert await served_beside(100, [(b"authorization", b"Basic " + base64.b64encode(b"admin:wrong"))])


async def test_whoever_has_it_waits_for_a_place():
    assert await served_beside(2, WITH_LOGIN)
    assert not await served_beside(3, WITH_LOGIN)


async def spoken(*messages: dict) -> tuple[list, list]:
    """What the application hears, and what the client is told, when it sends *messages* and then nothing."""
    heard, told = [], []
    said = [{"type": "websocket.connect"}, *messages]

    async def app(scope, receive, send):
        while len(heard) < 1 + len(messages):
            heard.append(await receive())
            if heard[-1]["type"] == "websocket.connect":
                await send({"type": "websocket.accept", "subprotocol": "prefect"})
        await send({"type": "websocket.send", "text": "welcome"})

    async def receive():
        return said.pop(0) if said else await asyncio.Event().wait()

    async def send(message):
        told.append(message["type"])

    await Places(app, login=LOGIN, at_once=3, seconds=0.01)(SOCKET, receive, send)
    return heard, told


def text(said) -> dict:
    return {"type": "websocket.receive", "text": said if isinstance(said, str) else json.dumps(said)}


async def test_a_websocket_that_says_a_login_is_handed_over_with_all_that_it_said():
    messages = [text({"type": "auth", "token": LOGIN}), text({"type": "subscribe"})]

    heard, told = await spoken(*messages)

    assert heard == [{"type": "websocket.connect"}, *messages]
    assert told == ["websocket.accept", "websocket.send"]


@pytest.mark.parametrize(
    "message",
    [
        None,
        {"type": "websocket.receive", "bytes": b"\xff"},
        text(""),
        text("nonsense"),
        text([]),
        text("[" * 100_000),
        text({"type": "subscribe"}),
        text({"type": "auth"}),
        text({"type": "auth", "token": 1}),
        text('{"type": "auth", "token": "\\u00e9"}'),
        text({"type": "auth", "token": "x" * 100_000}),
    ],
)
async def test_one_that_says_nothing_or_something_else_never_reaches_prefect(message):
    heard, told = await spoken(*([message] if message else []))

    assert heard == []
    assert told == ["websocket.accept", "websocket.close"]


async def test_one_that_is_gone_at_once_is_told_nothing():
    assert await spoken({"type": "websocket.disconnect"}) == ([], ["websocket.accept"])
