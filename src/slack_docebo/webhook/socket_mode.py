"""Socket Mode: Slack's events through a connection that we open, for companies that cannot open a port."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from slack_docebo.clients.answers import bounded_session
from slack_docebo.clients.slack import proxy_for
from slack_docebo.domain.quoting import quoted_code
from slack_docebo.errors import AccessDenied, StorageError, TransientError
from slack_docebo.redaction import keep_token
from slack_docebo.webhook.reception import Reception

PING_SECONDS = 5.0
SECONDS = 30.0  # for asking where to connect
STEADY_SECONDS = 60.0  # a connection that was kept so long was no failure
LONGEST_PAUSE = 60.0  # seconds between two connections that Slack does not keep
METHOD = "apps.connections.open"

# slack_sdk writes whole events to its log when that is set to debug; this one has a level of its own.
_sdk_log = logging.getLogger("slack_docebo.slack_sdk.socket_mode")
_sdk_log.setLevel(logging.INFO)


class PatientClient(SocketModeClient):
    """A client that asks for another connection at once, and then ever more slowly as long as Slack keeps none."""

    def __init__(self, token: str, *, web: AsyncWebClient, ping_seconds: float) -> None:
        super().__init__(token, logger=_sdk_log, web_client=web, ping_interval=ping_seconds)
        self._asking = asyncio.Lock()  # slack_sdk also asks without having got its own
        self._asked = float("-inf")
        self._in_a_row = 0

    async def issue_new_wss_url(self) -> str:
        async with self._asking:
            steady = time.monotonic() - self._asked >= STEADY_SECONDS
            self._in_a_row = 0 if steady else self._in_a_row + 1
            if self._in_a_row > 1:
                pause = min(self.ping_interval * 2 ** min(self._in_a_row - 2, 10), LONGEST_PAUSE)
                _sdk_log.warning("Slack keeps no connection; the next one in %g seconds", pause)
                await asyncio.sleep(pause)
            self._asked = time.monotonic()
        # Not under the lock: where Slack says that it was asked too often, slack_sdk waits and then calls this again.
        url = await super().issue_new_wss_url()
        keep_token(urlsplit(url).query)  # the ticket: who has it may take the connection, and slack_sdk logs it
        return url


@asynccontextmanager
async def listening(
    token: Callable[[], SecretStr], reception: Reception, *, base_url: str, ping_seconds: float = PING_SECONDS
) -> AsyncIterator[SocketModeClient]:
    """Keep a connection to Slack open within the block; an event is acknowledged once the reception has stored it.

    *token* is called before each connection. Raises AccessDenied if the token is refused at the start, TransientError if
    Slack is out of reach.
    """
    session = bounded_session(SECONDS)
    web = AsyncWebClient(base_url=base_url, session=session, logger=_sdk_log)
    web.proxy = proxy_for(base_url)
    client = PatientClient(token().get_secret_value(), web=web, ping_seconds=ping_seconds)
    client.proxy = web.proxy  # replaces slack_sdk's own choice, which ignores NO_PROXY

    async def take(connection: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        try:
            await reception.receive(request.payload if request.type == "events_api" else None)
        except StorageError:
            return  # not acknowledged: Slack sends it again
        await connection.send_socket_mode_response(SocketModeResponse(request.envelope_id))

    client.socket_mode_request_listeners.append(take)
    renewal = asyncio.create_task(_renew(client, token))
    try:
        await _connect(client)
        yield client
    finally:
        renewal.cancel()
        await asyncio.gather(renewal, return_exceptions=True)
        await client.close()  # type: ignore[no-untyped-call]
        await session.close()


async def _connect(client: SocketModeClient) -> None:
    try:
        await client.connect_to_new_endpoint(force=True)
    except SlackApiError as error:
        code = quoted_code(str(error.response.get("error", "")))
        raise AccessDenied(f"{METHOD}: {code}", "check SLACK_APP_TOKEN and its scope connections:write") from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TransientError(METHOD, type(error).__name__) from None  # it may quote the answer


async def _renew(client: SocketModeClient, token: Callable[[], SecretStr]) -> None:
    """Let a client that lost its connection ask for a new address: each can be used once, and it would use the old."""
    while True:
        await asyncio.sleep(client.ping_interval)
        client.app_token = token().get_secret_value()
        if not await client.is_connected():
            client.wss_uri = None
