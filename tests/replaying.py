"""A recording (`DEBUG_RECORD`) played again: it answers the clients' requests as the other side did then."""

import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from slack_docebo.clients.answers import BoundedClient
from slack_docebo.clients.docebo import DoceboClient
from slack_docebo.clients.docebo_auth import ClientCredentials
from slack_docebo.clients.docebo_requests import DoceboRequests
from slack_docebo.clients.slack import SlackClient
from tests.simulation.wire import SlackSession, Unanswered

SECRET = SecretStr("replayed-secret")


class Replay:
    """Answers each request with what came back of the same one then; of several, in their order."""

    def __init__(self, *files: Path) -> None:
        self._answers: dict[tuple[str, str, frozenset[tuple[str, str]]], deque[dict[str, Any]]] = defaultdict(deque)
        for file in files:
            for line in file.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._answers[entry["method"], entry["path"], _asked(entry["query"])].append(entry)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer *request*; the last answer stays for whoever asks more often than was asked then."""
        asked = _asked(request.url.query.decode())
        answers = self._answers.get((request.method, request.url.path, asked))
        assert answers, f"nobody has asked {request.method} {request.url.path} with {dict(asked)}"
        entry = answers.popleft() if len(answers) > 1 else answers[0]
        if entry["status"] is None:
            raise Unanswered
        headers = {name: value for name, value in entry["headers"].items() if name.lower() != "content-length"}
        body = entry["body"]
        content = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        return httpx.Response(entry["status"], headers=headers, content=content)

    @asynccontextmanager
    async def docebo(self) -> AsyncIterator[DoceboClient]:
        """Open a client that asks the recording."""
        url = "https://tenant.invalid"
        async with BoundedClient("Docebo", seconds=5, base_url=url, transport=_Transport(self)) as http:
            yield DoceboClient(
                DoceboRequests(http, lambda: ClientCredentials("app", SECRET), attempts=2, wait=lambda _: 0)
            )

    def slack(self, page_size: int) -> SlackClient:
        """Return a client that asks the recording for pages of the size that was asked for then."""
        web = AsyncWebClient("xoxb-replayed", base_url="https://slack.invalid/api/", retry_handlers=[])
        web.session = SlackSession(self.answer, seconds=5)  # type: ignore[assignment]
        return SlackClient(web, lambda: SecretStr("xoxb-replayed"), page_size=page_size, calls_per_minute=1_000_000)


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = await self._replay.answer(request)
        except Unanswered as error:
            raise httpx.ReadError("unanswered") from error
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


def _asked(query: str) -> frozenset[tuple[str, str]]:
    """Return what was asked for, but for the workspace, which only a token of an organisation needs."""
    return frozenset(pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "team_id")
