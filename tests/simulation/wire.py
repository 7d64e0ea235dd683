"""The wire: transports by which the clients of our processes reach the models without a socket."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

import aiohttp
import httpx
from multidict import CIMultiDict

from slack_docebo.clients.answers import parsed

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]

caller: ContextVar[str] = ContextVar("caller", default="")
"""The process that a model is answering at the moment; "" for what happens by itself."""


class Unanswered(Exception):
    """The call may have been carried out, and no answer came."""


class Unreached(Exception):
    """The call was not sent."""


class DoceboTransport(httpx.AsyncBaseTransport):
    """Docebo, as one process reaches it with httpx."""

    def __init__(self, deliver: Send) -> None:
        self._deliver = deliver

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = await self._deliver(request)
        except Unreached as error:
            raise httpx.ConnectError("unreached") from error
        except Unanswered as error:
            raise httpx.ReadError("unanswered") from error
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


class SlackSession:
    """Slack, as one process reaches it: what slack_sdk takes for an open `aiohttp.ClientSession`."""

    closed = False

    def __init__(self, deliver: Send, *, seconds: float) -> None:
        self._deliver = deliver
        self._seconds = seconds

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Any = None, **_rest: Any
    ) -> "_SlackAnswer":
        sent = {name: value for name, value in (params or {}).items() if value is not None}
        request = httpx.Request(method, url, headers=dict(headers), params=sent)
        return _SlackAnswer(self._deliver, request, self._seconds)


class _SlackAnswer:
    """An answer of Slack's in the form of aiohttp's."""

    def __init__(self, deliver: Send, request: httpx.Request, seconds: float) -> None:
        self._deliver = deliver
        self._request = request
        self._seconds = seconds

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._deliver(self._request)
        except Unreached as error:
            raise aiohttp.ServerDisconnectedError from error
        except Unanswered as error:
            raise TimeoutError from error
        self.status = answer.status_code
        self.headers = CIMultiDict(answer.headers)
        self.content_type = answer.headers.get("content-type", "").partition(";")[0]
        self._text = answer.text
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    async def json(self) -> Any:
        return parsed("Slack", self._text)

    async def text(self) -> str:
        return self._text
