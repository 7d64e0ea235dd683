"""Slack's SCIM API, for reading people only: its token can do everything, so this client can only GET.

Source: https://docs.slack.dev/reference/scim-api
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from slack_docebo.clients.answers import BoundedClient, TooLarge
from slack_docebo.clients.exchanges import Recorder
from slack_docebo.clients.retries import NotJson, TooLate, Wait, no_connection, retrying, seconds_asked, wait_as_asked
from slack_docebo.domain.texts import LONGEST_VALUE, bounded
from slack_docebo.errors import (
    AccessDenied,
    ContractViolation,
    IncompleteRead,
    RateLimited,
    Rejected,
    TransientError,
)

BASE_URL = "https://api.slack.com/scim/v2/"
SIDE = "SCIM"
PAGE = 1_000  # people; the most that Slack gives
MOST_PAGES = 2_000
READS = 3  # of everybody, one after the other, until one is whole
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OF_SLACK = "urn:ietf:params:scim:schemas:extension:slack:profile:2.0:User"
ADVICE = {
    "plus_teams_only": "SCIM needs Slack's plan Business+ or Enterprise: unset SLACK_SCIM_TOKEN, and take the values from"
    " custom profile fields",
    "non_org_teams_only": "the token is of one workspace of an organisation: SLACK_SCIM_TOKEN has to be one that the"
    " organisation's owner has made for the whole of it",
}
_SLACK_ID = re.compile(r"[A-Z0-9]{1,64}")


class ScimClient:
    """Reads people by SCIM; `calls` counts the requests made, by operation.

    Raises AccessDenied if the token is not enough, and TransientError if Slack cannot be reached in several attempts.
    """

    def __init__(self, http: httpx.AsyncClient, token: Callable[[], SecretStr], *, attempts: int, wait: Wait) -> None:
        self._http = http
        self._token = token
        self._retrying = retrying(attempts, wait)
        self.calls: Counter[str] = Counter()

    async def people(self) -> dict[str, Mapping[str, str]]:
        """Return what SCIM says of everybody, bots included: by Slack id, with the names of the sources.

        A read during which people come and go is begun again. Raises IncompleteRead unless a read has provably shown
        everybody: the total stays the same, nobody is shown twice, and as many are shown as were counted. A total that
        is too small on every page is not noticed: the accounts of people whom SCIM does not show stay as they are.
        """
        doubt = IncompleteRead()
        for _ in range(READS):
            try:
                return await self._people()
            except IncompleteRead as error:
                doubt = error
        raise IncompleteRead(
            f"{doubt}: run again later. Should it be so each time, ask Slack's support, and take what rules in"
            " SLACK | ATTRIBUTES read of SCIM from custom profile fields until then"
        )

    async def _people(self) -> dict[str, Mapping[str, str]]:
        found: dict[str, Mapping[str, str]] = {}
        total: int | None = None
        for _ in range(MOST_PAGES):
            body = await self._get("people", "Users", {"startIndex": len(found) + 1, "count": PAGE})
            counted, people = body.get("totalResults"), body.get("Resources")
            if type(counted) is not int or not isinstance(people, list):
                raise ContractViolation(SIDE, "the answer holds no list of people with their number")
            if total is not None and counted != total:
                raise IncompleteRead("the number of people changed while SCIM was read")
            total = counted
            read = dict(map(_person, people))
            if len(read) < len(people) or not read.keys().isdisjoint(found):
                raise IncompleteRead("SCIM has shown somebody twice")
            found |= read
            if len(found) >= total or not people:
                break
        if len(found) != total:
            raise IncompleteRead(f"SCIM counts {total} people and has shown {len(found)}")
        return found

    async def counted(self) -> int:
        """Return how many people SCIM counts, bots included, for one call, which shows whether the token may read."""
        body = await self._get("count", "Users", {"startIndex": 1, "count": 1})
        if type(counted := body.get("totalResults")) is not int:
            raise ContractViolation(SIDE, "the answer does not count the people")
        return counted

    async def person(self, slack_id: str) -> Mapping[str, str] | None:
        """Return what SCIM says of one person, or None if it does not know the person."""
        try:
            body = await self._get("person", f"Users/{slack_id}", {})
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        said_of, values = _person(body)
        return values if said_of == slack_id else None

    async def _get(self, operation: str, path: str, params: Mapping[str, int]) -> dict[str, Any]:
        try:
            return await self._retrying.copy()(self._ask, operation, path, params)
        except NotJson as error:
            raise ContractViolation(SIDE, "the answer is not JSON; check SLACK_SCIM_URL and the proxy") from error

    async def _ask(self, operation: str, path: str, params: Mapping[str, int]) -> dict[str, Any]:
        self.calls[f"{SIDE} {operation}"] += 1
        login = {"Authorization": f"Bearer {self._token().get_secret_value()}"}
        try:
            answer = await self._http.get(path, params=dict(params), headers=login)
        except TooLarge:
            raise
        except httpx.TimeoutException as error:
            raise TooLate(SIDE, str(error)) from None
        except httpx.ConnectError as error:
            raise TransientError(SIDE, no_connection(error)) from None
        except httpx.HTTPError as error:
            raise TransientError(SIDE, type(error).__name__) from None
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.is_success:
            if not isinstance(body, dict):
                raise NotJson(SIDE, status=answer.status_code)
            return body
        raise _translated(answer, body)


@asynccontextmanager
async def open_scim(
    token: Callable[[], SecretStr],
    *,
    base_url: str = BASE_URL,
    timeout: float = 30,  # noqa: ASYNC109  (of each request)
    attempts: int = 5,
    wait: Wait = wait_as_asked,
    recorder: Recorder | None = None,
) -> AsyncIterator[ScimClient]:
    """Open a client that keeps its connection, and close it at the end. *token* is asked for before every call."""
    async with BoundedClient(SIDE, seconds=timeout, recorder=recorder, base_url=base_url) as http:
        yield ScimClient(http, token, attempts=attempts, wait=wait)


def _translated(answer: httpx.Response, body: object) -> Exception:
    """Return our error for a refusal; only Slack's own words are quoted from its text."""
    told = body.get("detail") if isinstance(body, dict) else ""
    word = next((one for one in ADVICE if isinstance(told, str) and one in told), "")
    status = answer.status_code
    if status == 429:
        return RateLimited(SIDE, retry_after=seconds_asked(answer.headers.get("Retry-After")))
    if word:
        return AccessDenied(f"{SIDE}: {word}", ADVICE[word], status=status)
    if status in {401, 403}:
        return AccessDenied(
            SIDE, "the token is not taken: check SLACK_SCIM_TOKEN, which needs the scope admin", status=status
        )
    if status >= 500:
        return TransientError(SIDE, status=status)
    return Rejected(SIDE, status=status)


def _person(entry: object) -> tuple[str, Mapping[str, str]]:
    """Return the Slack id of one person, and what SCIM says, without attributes that are absent.

    An attribute is absent if it is missing, null or an empty object: that says nothing, as it may come from elsewhere.
    """
    entry = entry if isinstance(entry, dict) else {}
    slack_id = entry.get("id")
    if not isinstance(slack_id, str) or not _SLACK_ID.fullmatch(slack_id):
        raise ContractViolation(SIDE, "not everybody is an object with an id")
    enterprise, start = _object(entry.get(ENTERPRISE)), _object(entry.get(OF_SLACK)).get("startDate")
    said = {
        **{name: enterprise.get(name) for name in ("department", "division", "costCenter", "organization")},
        "employeeNumber": enterprise.get("employeeNumber"),
        "manager": _object(enterprise.get("manager")).get("managerId"),
        "userType": entry.get("userType"),
        "startDate": start[:10] if isinstance(start, str) and start else None,  # without the time of day
    }
    return slack_id, {name: bounded(str(text), LONGEST_VALUE) for name, text in said.items() if _is_said(text)}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_said(value: object) -> bool:
    return isinstance(value, str) or type(value) is int
