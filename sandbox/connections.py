"""Connections that can be closed without an answer."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "sandbox.abort"


class AbortableProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1 protocol, with its transport's `abort` offered as an ASGI extension."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        application = self.app

        async def with_extension(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[_EXTENSION] = self._abort
            await application(scope, receive, send)

        self.app = with_extension

    def _abort(self) -> None:
        self.transport.abort()


class Dropped(Response):
    """No answer: the connection is closed before the first byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        scope["extensions"][_EXTENSION]()
        # Uvicorn answers 500 for an application that returns without having noticed the disconnection.
        while (await receive())["type"] != "http.disconnect":
            pass
