"""Keeps places of Prefect's server free for people with the login.

On SQLite it serves a hundred requests at once. Prefect counts everybody: a websocket for as long as it is open, and a
file that the client does not read, both without end and before it asks for a login. A hundred of them, and nobody is
served.
"""

import asyncio
import base64
import hmac
import json
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = 20.0  # for the first message of a websocket
LONGEST = 4_096  # characters of that message, which holds the login
POLICY_VIOLATION = 1008  # as Prefect closes a websocket without the login


class Places:
    """Lets *app*, which counts nobody itself, serve *at_once* requests with the *login*, and others without limit.

    Requests without the login read and write nothing. A websocket has to send a login before *app* sees it.
    """

    def __init__(self, app: ASGIApp, *, login: str, at_once: int | None, seconds: float = SECONDS) -> None:
        self._app = app
        self._places = asyncio.Semaphore(at_once) if at_once else None
        self._authorization = b"Basic " + base64.b64encode(login.encode())
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and "prefect" in scope.get("subprotocols", ()):
            await self._introduced(scope, receive, send)
        elif self._places and scope["type"] == "http" and self._has_login(scope):
            async with self._places:
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _has_login(self, scope: Scope) -> bool:
        return hmac.compare_digest(Headers(scope=scope).get("authorization", "").encode(), self._authorization)

    async def _introduced(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept the websocket for the application, and hand it over with the first message."""
        connect = await receive()
        await send({"type": "websocket.accept", "subprotocol": "prefect"})
        try:
            async with asyncio.timeout(self._seconds):
                first = await receive()
        except TimeoutError:
            first = {"type": "websocket.receive"}
        if first["type"] == "websocket.disconnect":
            return
        if not _could_be_a_login(first.get("text")):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "Expected 'auth' message"})
            return
        said = [first, connect]

        async def receive_again() -> Message:
            return said.pop() if said else await receive()

        async def send_the_rest(message: Message) -> None:
            if message["type"] != "websocket.accept":
                await send(message)

        await self._app(scope, receive_again, send_the_rest)


def _could_be_a_login(text: Any) -> bool:
    """Tell whether Prefect can compare the text: anything else makes it log a traceback."""
    if not text or len(text) > LONGEST:
        return False
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    token = said.get("token") if isinstance(said, dict) and said.get("type") == "auth" else None
    return isinstance(token, str) and token.isascii()
