"""Requests to Docebo: each with a token, repeated where that is safe, and counted; listings page by page."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import httpx

from slack_docebo.clients.answers import OutOfBounds, clock_ahead
from slack_docebo.clients.docebo_answers import data_of, items_of, refuse_failure
from slack_docebo.clients.docebo_auth import OPERATION as TOKEN_OPERATION
from slack_docebo.clients.docebo_auth import Grant, Token
from slack_docebo.clients.docebo_values import as_list, read_flag, read_id, read_text
from slack_docebo.clients.retries import NotJson, TooLate, Wait, no_connection, retrying, wait_as_asked
from slack_docebo.domain.dialect import MOST_ROWS, Pages
from slack_docebo.errors import (
    AccessDenied,
    ContractViolation,
    IncompleteRead,
    OutcomeUnknown,
    Rejected,
    RemoteError,
    TransientError,
)

PAGE_SIZE = 200  # the most Docebo gives
SMALL_PAGE = 20  # the number of pages is bounded as if none were smaller than this
# 20,000 fields or branches, of a listing that does not count what it has, or counts more than there can be
MOST_PAGES = 100
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

T = TypeVar("T")


async def unlimited() -> None:
    """Wait for nothing before a call."""


def unguarded() -> None:
    """Check nothing before a call that writes."""


def for_one_call(docebo_ids: Iterable[int]) -> list[int]:
    """Return each of these accounts once, sorted; raise ValueError if they are too many for one call."""
    ids = sorted(set(docebo_ids))
    if len(ids) > MOST_ROWS:
        raise ValueError(f"{len(ids)} accounts in one call, at most {MOST_ROWS} are allowed")
    return ids


class DoceboRequests:
    """Makes requests to Docebo; `calls` counts them by operation, those for a token included.

    Every method raises AccessDenied when the credentials do not allow the call, TransientError when it did not happen
    in *attempts* attempts, and Rejected when Docebo refuses it for good.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        grant: Callable[[], Grant],
        *,
        attempts: int = 5,
        wait: Wait = wait_as_asked,
        before_call: Callable[[], Awaitable[None]] = unlimited,
        before_write: Callable[[], object] = unguarded,
        paging: Iterable[Pages] = (),
    ) -> None:
        self._http = http  # carries base URL and timeouts; its opener closes it
        self._token = Token(grant, self.host, self._post_form)
        self._retrying = retrying(attempts, wait)
        self._before_call = before_call
        self._before_write = before_write
        self._writing = asyncio.Lock()  # Docebo forbids concurrent batches
        self.calls: Counter[str] = Counter()
        self.clock_ahead: timedelta | None = None  # how far ours is ahead of Docebo's, by its latest answer
        self.paging = set(paging)  # in which ways pages are known to differ from those asked for by number
        self._begins_at_1 = False  # the numbering of pages, as a page 1 has shown, or as far as was found out

    @property
    def host(self) -> str:
        """The platform's host, with the port if it is not the usual one."""
        return self._http.base_url.netloc.decode("ascii")

    async def pages(
        self,
        operation: str,
        path: str,
        params: Mapping[str, str | int],
        most: int = MOST_PAGES,
        *,
        unlisted: int = 0,
    ) -> AsyncIterator[tuple[object, bool]]:
        """Yield the `data` of each page of a listing, and whether it announces more.

        Pages are read as long as more is announced or, in a listing that was asked for its count, as fewer were shown, of
        which as many as *unlisted* are never shown; a page that nobody has announced may be refused. Raises
        IncompleteRead if there are more pages than *most*, or than Docebo's count implies.
        """
        number, pages, shown, counted = self.first_page, 0, unlisted, 0
        announced = True
        before: object = None
        while announced or shown < counted:
            pages += 1
            if pages > most:
                raise IncompleteRead(
                    f"{operation}: Docebo announces more than {most} pages, which is more than it can have"
                )
            try:
                data = await self.page(
                    operation, path, params, number=number, before=before if Pages.CURSOR in self.paging else None
                )
            except (Rejected, ContractViolation):
                if announced:
                    raise
                return
            if Pages.CURSOR not in self.paging and _repeats(before, data):
                # Some listings keep a search under a cursor, and may give its further pages only with that.
                data = await self.page(operation, path, params, number=number, before=before)
                if not _repeats(before, data):
                    self.paging.add(Pages.CURSOR)
            if number == 1 == pages and "search_text" not in params and not _entries(data):
                number, data = await self._first(operation, path, params, data)
            entries = _entries(data)
            if pages == 1:
                self._begins_at_1 |= number == 1 and isinstance(data, dict) and bool(entries)  # an array may be no page
                most = min(most, _pages_counted(operation, data, otherwise=most))
                if "get_total_count" in params and isinstance(data, dict):
                    counted = read_id(data.get("total_count")) or 0
            if not isinstance(data, dict):
                # An array announces nothing: unless it is short, it may be a page, whatever size was asked for.
                announced = len(entries) >= SMALL_PAGE
            elif Pages.ENDLESS in self.paging:
                announced = bool(entries) and entries != _entries(before) and not counted
            else:
                announced = read_flag(data.get("has_more_data"), missing=bool(entries))
            shown = shown + len(entries) if entries else counted
            number, before = number + 1, data
            yield data, announced

    @property
    def first_page(self) -> int:
        """The number of the first page: Docebo counts them from 1."""
        return 0 if Pages.FROM_0 in self.paging else 1

    async def _first(
        self, operation: str, path: str, params: Mapping[str, str | int], data: object
    ) -> tuple[int, object]:
        """Return number and `data` of the first page, where page 1 has shown *data*: nothing.

        A page 0 is asked for, once, unless a page 1 has ever shown something. If that shows something, and page 1 still
        nothing, pages are numbered from 0.
        """
        if self._begins_at_1:
            return 1, data
        self._begins_at_1 = True
        try:
            first = await self.page(operation, path, params, number=0, before=None)
        except RemoteError:  # whatever a platform makes of a page before the first
            return 1, data
        if not _entries(first):
            return 1, data
        again = await self.page(operation, path, params, number=1, before=None)
        if _entries(again):  # it was empty by accident, and a page 0 is the first as well
            return 1, again
        self.paging.add(Pages.FROM_0)
        return 0, first

    async def page(
        self, operation: str, path: str, params: Mapping[str, str | int], *, number: int, before: object
    ) -> object:
        """Return the `data` of page *number* of a listing; the cursor of the page *before* is sent, if it has one."""
        cursor = read_text(before.get("cursor")) if isinstance(before, dict) else ""
        asked: dict[str, str | int] = {"page": number, "page_size": PAGE_SIZE, **({"cursor": cursor} if cursor else {})}
        return await self.get(operation, path, {**params, **asked})

    async def entries(
        self,
        operation: str,
        path: str,
        params: Mapping[str, str | int],
        *,
        read: Callable[[object], T],
        identity: Callable[[T], int],
    ) -> list[T]:
        """Return the entries of a listing, each once, as *read* makes them; raise IncompleteRead for repeated pages."""
        found: dict[int, T] = {}
        async for data, more in self.pages(operation, path, params):
            before = len(found)
            for entry in map(read, items_of(operation, data)):
                found[identity(entry)] = entry
            if more and len(found) == before:
                # All of them, whatever page was asked for; or the page behind the last, which announces more as any other,
                # unless it is empty for a cursor that no longer counts.
                is_behind = bool(found) and not _entries(data) and Pages.CURSOR not in self.paging
                if isinstance(data, list) or is_behind:
                    break
                raise IncompleteRead(f"Docebo repeats itself: a page of {operation} showed nothing new.")
        return list(found.values())

    async def get(self, operation: str, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Return the `data` of the answer; raise ContractViolation if it is not as documented."""
        try:
            return await self._retrying.copy()(self._send, operation, "GET", path, params=params)
        except NotJson as error:
            raise ContractViolation(operation, "the answer is not JSON; check DOCEBO_URL and the proxy") from error

    async def get_bare(self, operation: str, path: str) -> object:
        """Return the whole answer of a call whose answers have no `data`."""
        return await self._retrying.copy()(self._send, operation, "GET", path, enveloped=False)

    async def write(self, operation: str, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Return the `data` of the answer, one call at a time; raise OutcomeUnknown if none can be relied on."""
        async with self._writing:
            try:
                return await self._retrying.copy()(self._send, operation, method, path, json=body)
            except NotJson as error:
                raise ContractViolation(operation, "no token: the answer is not JSON") from error

    async def _send(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Mapping[str, Any] | None = None,
        enveloped: bool = True,
    ) -> Any:
        """Make one attempt, and return the `data` of the answer (all of it, if not *enveloped*) or raise its error."""
        reading = method == "GET"
        unanswered: type[RemoteError] = TransientError if reading else OutcomeUnknown
        for last in (False, True):
            token = await self._token.get()
            await self._before_call()
            if not reading:
                self._before_write()
            self.calls[operation] += 1
            headers = {"Authorization": f"Bearer {token}"}
            try:
                response = await self._http.request(method, path, params=params, json=json, headers=headers)
            except NEVER_SENT as error:
                raise TransientError(operation, no_connection(error)) from error
            except httpx.TimeoutException as error:
                raise (TooLate if reading else OutcomeUnknown)(operation, str(error)) from error
            except httpx.RequestError as error:
                raise unanswered(operation, type(error).__name__) from None  # it may quote the answer
            except OutOfBounds as error:
                raise (ContractViolation if reading else OutcomeUnknown)(operation, error.detail) from None
            self.clock_ahead = clock_ahead(response.headers)
            if response.status_code != 401:
                break
            self._token.refused(token)
            if last:
                raise AccessDenied(operation, "Docebo refuses a new token as well", status=401)
        try:
            refuse_failure(operation, response, unanswered)
            return data_of(operation, response, NotJson if reading else OutcomeUnknown, enveloped=enveloped)
        except OutOfBounds as error:
            raise (ContractViolation if reading else OutcomeUnknown)(operation, error.detail) from None

    async def _post_form(self, path: str, fields: dict[str, str]) -> httpx.Response:
        await self._before_call()
        self.calls[TOKEN_OPERATION] += 1
        return await self._http.post(path, data=fields)


def _repeats(before: object, data: object) -> bool:
    """Tell whether a page repeats the one *before*, although that had a cursor for the next page."""
    if not (isinstance(before, dict) and isinstance(data, dict) and before.get("items") and before.get("cursor")):
        return False
    return bool(before["items"] == data.get("items"))


def _entries(page: object) -> list[Any]:
    """Return the entries of a page; none if it is not as documented."""
    return as_list(page.get("items") if isinstance(page, dict) else page) or []


def _pages_counted(operation: str, first: object, *, otherwise: int) -> int:
    """Return how many pages to expect by the count in the *first*, with room for entries added while they are read."""
    count = read_id(first.get("total_count")) if isinstance(first, dict) else None
    if count is None:
        return otherwise
    size = max(SMALL_PAGE, len(items_of(operation, first)))
    return 10 + count // size * 11 // 10
