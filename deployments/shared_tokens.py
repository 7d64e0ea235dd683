"""One CSRF token for all that one client of Prefect's sends at the same time.

Prefect's own client asks for a token whenever a request has none or was refused (`prefect/client/base.py` of 3.x), and
with each the server makes the client's former one void. So two requests at once, at the start or after the hour for which
a token is good, go on refusing each other's until both were tried six times. A worker then ends.
"""

import asyncio
from datetime import datetime
from weakref import WeakKeyDictionary

import httpx
from prefect.client.base import PrefectHttpxAsyncClient

Token = tuple[str | None, datetime | None]  # with its end

_locks = WeakKeyDictionary[PrefectHttpxAsyncClient, asyncio.Lock]()
_tokens = WeakKeyDictionary[PrefectHttpxAsyncClient, Token]()
_add_token = PrefectHttpxAsyncClient._add_csrf_headers  # noqa: SLF001  (it has no other place for it)


def share_tokens() -> None:
    """From now on, have the clients of this process share one token, and ask for another only if it was refused."""
    PrefectHttpxAsyncClient._add_csrf_headers = _add_shared_token  # type: ignore[method-assign,assignment]  # noqa: SLF001  (likewise)


async def _add_shared_token(client: PrefectHttpxAsyncClient, request: httpx.Request) -> None:
    """Give *request* the newest token, unless it has that already: then it was refused, and dropped by the client."""
    async with _locks.setdefault(client, asyncio.Lock()):
        newest = _tokens.get(client, (None, None))
        if newest[0] != request.headers.get("Prefect-Csrf-Token"):
            client.csrf_token, client.csrf_token_expiration = newest
        await _add_token(client, request)
        _tokens[client] = client.csrf_token, client.csrf_token_expiration
