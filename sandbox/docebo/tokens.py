"""OAuth2 at Docebo: the grants, and the access tokens that are given for them."""

from __future__ import annotations

import base64
import binascii
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from sandbox.docebo.accounts import Account
from sandbox.docebo.platform import Platform
from sandbox.docebo.switches import ALL_GRANTS

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - opens nothing but the sandbox
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class GrantError(Exception):
    """A request for a token is refused: the OAuth error and its description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True)
class _Token:
    user_id: int
    expires: float


class Tokens:
    """The access and refresh tokens that are valid."""

    def __init__(self, platform: Platform, clock: Callable[[], float] = time.monotonic) -> None:
        self.jwt_public_key: str | None = None
        self._platform = platform
        self._clock = clock
        self._numbers = itertools.count(1)
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, int] = {}

    def reset(self) -> None:
        """Invalidate every token."""
        self._access.clear()
        self._refresh.clear()

    def invalidate(self, token: str) -> None:
        self._access.pop(token, None)

    def account(self, token: str) -> Account | None:
        """Return the account of the token, or None if it is unknown, expired, or a suspended or deleted user's."""
        known = self._access.get(token)
        if known is None or self._clock() >= known.expires:
            return None
        account = self._platform.accounts.get(known.user_id)
        return account if account and account.active else None

    def grant(self, body: Mapping[str, Any], authorization: str, host: str) -> dict[str, Any]:
        """Return the token reply to *body*; *host* is the audience a signed assertion must name."""
        client_id = self._check_client(body, authorization)
        name = str(body.get("grant_type", ""))
        short_name = name.removeprefix("urn:ietf:params:oauth:grant-type:")
        if short_name in ALL_GRANTS.split(",") and short_name not in self._platform.switches.grants.split(","):
            raise GrantError("unauthorized_client", "The grant type is unauthorized for this client_id")
        if body.get("scope", "api") != "api" or ("scope" in body and self._platform.switches.scope_refused):
            raise GrantError("invalid_scope", "An unsupported scope was requested")
        match name:
            case "client_credentials":
                return self._issue(self._platform.app_account(), refreshable=False)
            case "password":
                return self._issue(self._by_password(body), refreshable=True)
            case "refresh_token":
                return self._issue(
                    self._by_refresh_token(body), refreshable=self._platform.switches.rotate_refresh_token
                )
            case _ if name == JWT_BEARER:
                account = self._by_assertion(str(body.get("assertion", "")), client_id, host)
                return self._issue(account, refreshable=False)
        raise GrantError("unsupported_grant_type", "Grant type not supported")

    def login(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the reply to a login with only name and password, as in the description of 2017."""
        account = self._by_password(body)
        wants_refresh = str(body.get("issue_refresh_token", "")).lower() in ("1", "true")
        return {**self._issue(account, refreshable=wants_refresh), "id_user": str(account.user_id)}

    def _check_client(self, body: Mapping[str, Any], authorization: str) -> str:
        client_id, secret = str(body.get("client_id", "")), str(body.get("client_secret", ""))
        if authorization.lower().startswith("basic "):
            try:
                client_id, _, secret = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                client_id = ""
        if body.get("grant_type") == JWT_BEARER and not secret:
            # The signature stands for the secret.
            client_id, secret = client_id or CLIENT_ID, CLIENT_SECRET
        if (client_id, secret) != (CLIENT_ID, CLIENT_SECRET):
            raise GrantError("invalid_client", "The client credentials are invalid")
        return client_id

    def _by_password(self, body: Mapping[str, Any]) -> Account:
        account = self._platform.accounts.by_username(str(body.get("username", "")))
        if account is None or not account.active or not account.password or account.password != body.get("password"):
            raise GrantError("invalid_grant", "Invalid username and password combination")
        return account

    def _by_refresh_token(self, body: Mapping[str, Any]) -> Account:
        user_id = self._refresh.get(str(body.get("refresh_token", "")))
        account = None if user_id is None else self._platform.accounts.get(user_id)
        if account is None or not account.active:
            raise GrantError("invalid_grant", "Invalid refresh token")
        if self._platform.switches.rotate_refresh_token:
            del self._refresh[str(body["refresh_token"])]
        return account

    def _by_assertion(self, assertion: str, client_id: str, host: str) -> Account:
        if self.jwt_public_key is None:
            raise GrantError("invalid_grant", "No public key is configured for this client")
        try:
            claims = jwt.decode(
                assertion,
                self.jwt_public_key,
                algorithms=["RS256"],
                audience=[host, host.partition(":")[0]],
                issuer=client_id,
                options={"require": ["iss", "sub", "aud", "exp"]},
            )
        except jwt.PyJWTError as error:
            raise GrantError("invalid_grant", f"JWT is not acceptable: {error}") from error
        account = self._platform.accounts.by_username(str(claims["sub"]))
        if account is None or not account.active:
            raise GrantError("invalid_grant", "Invalid subject")
        return account

    def _issue(self, account: Account, *, refreshable: bool) -> dict[str, Any]:
        switches = self._platform.switches
        number = next(self._numbers)
        token = f"access-{number}"
        promised = switches.token_lifetime
        self._access[token] = _Token(account.user_id, self._clock() + (switches.real_token_lifetime or promised))
        reply = {
            "access_token": token,
            "expires_in": str(promised) if switches.expires_in_string else promised,
            "token_type": switches.token_type,
            "scope": "api",
        }
        if refreshable:
            reply["refresh_token"] = f"refresh-{number}"
            self._refresh[f"refresh-{number}"] = account.user_id
        return reply
