"""Docebo's OAuth2: the grants, and the access token that all calls share."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from slack_docebo.clients.answers import OutOfBounds
from slack_docebo.clients.retries import NotJson, TooLate, no_connection, seconds_asked
from slack_docebo.domain.quoting import quoted_code
from slack_docebo.errors import AccessDenied, ConfigurationError, ContractViolation, RateLimited, TransientError
from slack_docebo.redaction import keep_token

OPERATION = "token"
ASSERTION_LIFETIME = 30 * 60  # seconds
SENDABLE = re.compile(r"[!-~]+")  # in a header
DEFAULT_LIFETIME = 3600.0  # of a token whose answer does not tell

ADVICE = {
    "invalid_client": "check DOCEBO_CLIENT_ID and DOCEBO_CLIENT_SECRET, and that the OAuth2 app is active: Docebo does not know it",
    "invalid_grant": "check DOCEBO_USERNAME and DOCEBO_PASSWORD, or DOCEBO_PRIVATE_KEY",
    "unauthorized_client": "switch this grant type on for the OAuth2 app",
    "unsupported_grant_type": "switch this grant type on for the OAuth2 app",
    "invalid_scope": "the OAuth2 app does not allow the scope `api`",
    "invalid_request": "check that all credentials of this grant type are set",
}

Post = Callable[[str, dict[str, str]], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The app acts for itself."""

    client_id: str
    client_secret: SecretStr

    def form(self, audience: str) -> dict[str, str]:  # noqa: ARG002  (the three grants are called alike)
        """Return the fields of a token request."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
            "scope": "api",
        }


@dataclass(frozen=True, slots=True)
class Password:
    """The app acts for a user whose password it knows."""

    client_id: str
    client_secret: SecretStr
    username: str
    password: SecretStr

    def form(self, audience: str) -> dict[str, str]:  # noqa: ARG002
        """Return the fields of a token request."""
        return {
            "grant_type": "password",
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
            "username": self.username,
            "password": self.password.get_secret_value(),
            "scope": "api",
        }


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """The app acts for a user, proven by a private key (RSA, PEM) whose public half Docebo holds."""

    client_id: str
    client_secret: SecretStr  # "" where the app has none: then it is not sent
    username: str
    private_key: SecretStr

    def form(self, audience: str) -> dict[str, str]:
        """Return the fields of a token request with a freshly signed assertion; *audience* is Docebo's host."""
        import jwt  # only those who use this grant wait for it

        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": audience,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
        }
        try:
            assertion = jwt.encode(claims, self.private_key.get_secret_value(), algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            # Not chained: the message of the cause may quote the key.
            raise ConfigurationError("The private key of the JWT grant is not an unencrypted RSA key in PEM.") from None
        fields = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "client_id": self.client_id,
            "assertion": assertion,
            "scope": "api",
        }
        if secret := self.client_secret.get_secret_value():
            fields["client_secret"] = secret
        return fields


Grant = ClientCredentials | Password | JwtBearer


class Token:
    """The access token, fetched when first needed and renewed before it expires.

    It is not an httpx.Auth: with that, a failed token request looks like a failure of the call that needed the token,
    and a call that was never sent would be reported as one with an unknown outcome.
    """

    def __init__(
        self, grant: Callable[[], Grant], audience: str, post: Post, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._grant = grant
        self._audience = audience
        self._post = post
        self._clock = clock
        self._value = ""
        self._good_until = 0.0
        self._scope = True  # is named
        self._fetching = asyncio.Lock()

    async def get(self) -> str:
        """Return a token that is valid now; concurrent callers share one request."""
        async with self._fetching:
            if not self._value or self._clock() >= self._good_until:
                await self._fetch()
            return self._value

    def refused(self, value: str) -> None:
        """Drop the token *value*, which Docebo no longer accepts, unless there is a newer one already."""
        if value == self._value:
            self._value = ""

    async def _fetch(self) -> None:
        asked_at = self._clock()
        try:
            body = await self._granted(self._grant().form(self._audience))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise TransientError(OPERATION, no_connection(error)) from error
        except httpx.TimeoutException as error:
            raise TooLate(OPERATION, str(error)) from error
        except httpx.RequestError as error:
            raise TransientError(OPERATION, type(error).__name__) from None  # it may quote the answer
        except OutOfBounds as error:
            raise ContractViolation(OPERATION, error.detail) from None
        value = body.get("access_token")
        if not isinstance(value, str) or not SENDABLE.fullmatch(value):  # a failure to send it would quote it
            raise ContractViolation(OPERATION, "the answer holds no access_token")
        keep_token(value)
        lifetime = _seconds(body.get("expires_in"))
        self._value = value
        self._good_until = asked_at + lifetime - min(60.0, lifetime / 10)

    async def _granted(self, form: dict[str, str]) -> dict[str, object]:
        """Return the answer to *form*; after a refusal of the scope, ask without it: the app's own may be another."""
        named = form.pop("scope", "")
        if named and self._scope:
            with suppress(ScopeRefused):
                return _granted(await self._post("/oauth2/token", {**form, "scope": named}))
        granted = _granted(await self._post("/oauth2/token", form))
        self._scope = False  # so it was to blame
        return granted


class ScopeRefused(AccessDenied):
    """The scope of the token request is refused, or perhaps only that: not every platform names the reason."""


def _granted(response: httpx.Response) -> dict[str, object]:
    """Return the body of a successful answer; raise the error for any other."""
    status = response.status_code
    if status == 429:
        raise RateLimited(OPERATION, retry_after=seconds_asked(response.headers.get("Retry-After")))
    if status >= 500:
        raise TransientError(OPERATION, status=status)
    try:
        body = response.json()
    except ValueError:
        body = None
    if status >= 300:
        said = body.get("error") if isinstance(body, dict) else None
        code = said if isinstance(said, str) and re.fullmatch(r"[a-z_]{1,60}", said) else ""
        advice = ADVICE.get(code, "check the base URL and the credentials of the OAuth2 app")
        told = code if code in ADVICE else quoted_code(code)
        refusal = ScopeRefused if code in {"invalid_scope", "invalid_request"} else AccessDenied
        raise refusal(OPERATION, f"{told}: {advice}" if code else advice, status=status)
    if not isinstance(body, dict):
        raise NotJson(OPERATION)
    return body


def _seconds(expires_in: object) -> float:
    """Read a lifetime sent as a number or as text."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return DEFAULT_LIFETIME
    return seconds if 0 < seconds < float("inf") else DEFAULT_LIFETIME
