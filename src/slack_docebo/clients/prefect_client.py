"""The HTTP client of Prefect's API: it signs in, and sends the CSRF token that Prefect requires for each write."""

from collections.abc import Callable, Generator
from typing import Any
from uuid import uuid4

import httpx
from pydantic import SecretStr

from slack_docebo.clients.answers import BoundedClient
from slack_docebo.hosts import is_this_machine

READING = {"GET", "HEAD", "OPTIONS"}
WITHOUT_TOKENS = {httpx.codes.NOT_FOUND, httpx.codes.UNPROCESSABLE_ENTITY}  # an older server, or the protection is off


class PrefectLogin(httpx.Auth):
    """Adds the login to each request; *login* is called for each, and returns "user:password" or None."""

    def __init__(self, login: Callable[[], SecretStr | None]) -> None:
        self._login = login

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        if login := self._login():
            user, _, password = login.get_secret_value().partition(":")
            yield from httpx.BasicAuth(user, password).auth_flow(request)
        else:
            yield request


class PrefectClient(BoundedClient):
    """Sends requests to the API at *url* with the login that *login* returns, and a CSRF token with each write.

    A token is asked for before the first write, and again when a write is refused: it is valid for an hour, and lost
    with the server's database. If the server refuses to give a token, that is the answer to the write. The limits apply
    to each request: a write takes two, at most four. A server on this machine is reached without a proxy, which would
    see the login.
    """

    def __init__(self, url: str, login: Callable[[], SecretStr | None], *, seconds: float) -> None:
        base_url = httpx.URL(f"{url.rstrip('/')}/")
        by_proxy = not is_this_machine(base_url.host)
        super().__init__("Prefect", seconds=seconds, base_url=base_url, auth=PrefectLogin(login), trust_env=by_proxy)
        self._token: dict[str, str] | None = None

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send *request* and return the whole answer."""
        answer = await self._send_once(request, **options)
        if answer.status_code == httpx.codes.FORBIDDEN and request.method not in READING:
            answer = await self._send_once(request, **options)
        return answer

    async def _send_once(self, request: httpx.Request, **options: Any) -> httpx.Response:
        if request.method in READING:
            return await super().send(request, **options)
        if (token := self._token) is None:
            # Under a name of its own, for a second token of the same client makes the first one void.
            client = str(uuid4())
            answer = await self.get("csrf-token", params={"client": client})
            if not answer.is_success and answer.status_code not in WITHOUT_TOKENS:
                return answer
            token = self._token = _headers(client, answer)
        request.headers.update(token)
        answer = await super().send(request, **options)
        if answer.status_code == httpx.codes.FORBIDDEN and self._token is token:  # not one got meanwhile
            self._token = None
        return answer


def _headers(client: str, answer: httpx.Response) -> dict[str, str]:
    """Return the headers of a write, with client and token from *answer*, or none if it has no token."""
    try:
        token = answer.json()["token"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": str(token)}
