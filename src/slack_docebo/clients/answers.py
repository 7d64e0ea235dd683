"""The bounds of an answer: it comes from the host that was asked, whole and in time, below a size and a depth.

No answer is trusted to keep them. The limits lie well above what Slack and Docebo send: a page of Slack's with 1,000
large profiles is 5 MB, one of Docebo's with 200 accounts and all their additional fields less.
"""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import aiohttp
import httpx

from slack_docebo.clients.certificates import certificates
from slack_docebo.clients.exchanges import Recorder
from slack_docebo.errors import ContractViolation

MOST_BYTES = 16_000_000  # of a body, as sent and unpacked; what Python makes of it can be twenty times as much
DEEPEST = 32  # objects and arrays in each other
MOST_COOKIES = 50  # that are sent along; other answers set one or two
LARGE_HEAD = "the answer's head is too large"  # h11 takes 100 kB, aiohttp 128 lines of 8 kB
REDIRECTED = "redirected, which is not followed; check the base URL"

_OF_THE_TRANSFER = frozenset({"content-encoding", "content-length", "transfer-encoding"})  # which is over
_NESTING = frozenset({dict, list})


class OutOfBounds(ContractViolation):
    """The answer exceeds a limit or comes from another host; nothing of it is used, and asking again does not help."""


class TooLarge(OutOfBounds):
    """The answer's body exceeds the limit: a part of it may be asked for."""


class BoundedClient(httpx.AsyncClient):
    """An httpx client for one *side*, whose requests take *seconds* at the most, from connecting to the last byte.

    It raises httpx.ReadTimeout when that time is over, and OutOfBounds for an answer that exceeds a limit; in both
    cases the connection is closed by then. Answers are read in full, and redirects are not followed: they could carry
    a secret to another host. What is exchanged is written to the *recorder*, if there is one.
    """

    def __init__(self, side: str, *, seconds: float, recorder: Recorder | None = None, **options: Any) -> None:
        # Thirds, so that the time of a call that was never sent is over before that of the whole.
        timeout = httpx.Timeout(None, connect=seconds / 3, pool=seconds / 3)
        super().__init__(timeout=timeout, follow_redirects=False, verify=certificates(), **options)
        self.headers["Accept-Encoding"] = "gzip"
        self._side = side
        self._seconds = seconds
        self._recorder = recorder

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send *request* and return the whole answer."""
        if self._recorder is None:
            return await self._send(request, **options)
        asked = self._side, request.method, str(request.url), request.content
        try:
            answer = await self._send(request, **options)
        except Exception as error:
            self._recorder.note(*asked, failure=type(error).__name__)
            raise
        self._recorder.note(*asked, status=answer.status_code, headers=answer.headers, body=answer.content)
        return answer

    async def _send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            async with asyncio.timeout(self._seconds):
                answer = await super().send(request, **{**options, "stream": True})
                try:
                    if 300 <= answer.status_code < 400:
                        raise OutOfBounds(self._side, REDIRECTED)
                    body = await self._body(answer)
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise httpx.ReadTimeout(too_late(self._seconds), request=request) from None
        except httpx.RemoteProtocolError as error:
            if _is_of_a_large_head(error):
                raise OutOfBounds(self._side, LARGE_HEAD) from None
            raise
        if len(self.cookies.jar) > MOST_COOKIES:
            self.cookies.clear()
        headers = [(name, value) for name, value in answer.headers.multi_items() if name not in _OF_THE_TRANSFER]
        return _Answer(self._side, answer.status_code, headers=headers, content=body, request=answer.request)

    async def _body(self, answer: httpx.Response) -> bytes:
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        if encoding in {"gzip", "x-gzip"}:
            return await whole(self._side, answer.aiter_raw(), zlib.decompressobj(wbits=zlib.MAX_WBITS | 16))
        if encoding in {"", "identity"}:
            return await whole(self._side, answer.aiter_raw())
        raise OutOfBounds(self._side, "the answer is packed in a way that was not asked for")


def _is_of_a_large_head(error: httpx.RemoteProtocolError) -> bool:
    """Tell whether the error is about large headers, by the status that h11 suggests; httpcore cuts off h11's error."""
    below = error.__cause__ and error.__cause__.__context__
    return getattr(below, "error_status_hint", None) == httpx.codes.REQUEST_HEADER_FIELDS_TOO_LARGE


class _Answer(httpx.Response):
    """An answer of *side* that was read within the limits."""

    def __init__(self, side: str, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._side = side
        self.encoding = "utf-8"  # whatever it claims: some of Python's encodings are not for text, and take hours

    def json(self, **_: Any) -> Any:
        """Return the JSON in the answer; raise ValueError if it is not JSON, and OutOfBounds if it is too deep."""
        return parsed(self._side, self.content)


class _SlackAnswer(aiohttp.ClientResponse):
    """An answer as aiohttp hands it to slack_sdk, read within the limits; aiohttp itself unpacks step by step."""

    async def read(self) -> bytes:
        """Return the body; raise TooLarge if it exceeds the limit."""
        if self._body is None:
            try:
                self._body = await whole("Slack", self.content.iter_any())
            except BaseException:
                self.close()
                raise
        return await super().read()

    async def json(self, **_: Any) -> Any:
        """Return the JSON in the answer; raise OutOfBounds if it is too deep."""
        return await super().json(loads=lambda text: parsed("Slack", text))

    def get_encoding(self) -> str:
        """Return UTF-8, as JSON is, whatever the answer claims: some of Python's encodings are not for text."""
        return "utf-8"


def bounded_session(seconds: float, recorder: Recorder | None = None) -> aiohttp.ClientSession:
    """Return the session for slack_sdk, which neither limits an answer nor stays with the host that was asked.

    Its requests raise TimeoutError after *seconds*, from connecting to the last byte, and OutOfBounds. What is exchanged
    is written to the *recorder*, if there is one.
    """
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=seconds),  # slack_sdk does not apply its own to a session it was given
        cookie_jar=aiohttp.DummyCookieJar(),
        response_class=_SlackAnswer,
        middlewares=[_refuse_redirect, *([partial(_record, recorder)] if recorder else [])],
    )


async def _record(
    recorder: Recorder, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    asked = "Slack", request.method, str(request.url), b""  # what we call, we call with a query
    try:
        response = await handler(request)
        body = await response.read()
    except Exception as error:
        recorder.note(*asked, failure=type(error).__name__)
        raise
    recorder.note(*asked, status=response.status, headers=response.headers, body=body)
    return response


async def _refuse_redirect(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    response = await handler(request)
    if 300 <= response.status < 400:  # aiohttp would follow it
        response.close()
        raise OutOfBounds("Slack", REDIRECTED)
    return response


def clock_ahead(headers: Mapping[str, str]) -> timedelta | None:
    """Return by how much our clock is ahead of the date in these *headers*; None if there is none."""
    try:
        dated = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return datetime.now(UTC) - (dated if dated.tzinfo else dated.replace(tzinfo=UTC))


def too_late(seconds: float) -> str:
    """Return the message about an answer that did not come in time."""
    return f"no whole answer within {seconds:g} s"


async def whole(side: str, chunks: AsyncIterator[bytes], packed: "zlib._Decompress | None" = None) -> bytes:
    """Return *chunks* joined, unpacked if they are *packed*; raise TooLarge as soon as that is too much."""
    body, sent = bytearray(), 0
    async for chunk in chunks:
        sent += len(chunk)
        try:
            body += packed.decompress(chunk, MOST_BYTES + 1 - len(body)) if packed else chunk
        except zlib.error:
            raise OutOfBounds(side, "the answer cannot be unpacked") from None
        if max(sent, len(body)) > MOST_BYTES:
            raise TooLarge(side, f"the answer is larger than {MOST_BYTES // 1_000_000} MB")
    return bytes(body)


def parsed(side: str, text: str | bytes) -> Any:
    """Return the value of the JSON *text*; raise ValueError if it is not JSON, and OutOfBounds if it is too deep."""
    too_deep = OutOfBounds(side, f"the answer is nested deeper than {DEEPEST} levels")
    try:
        value = json.loads(text)
    except RecursionError:
        raise too_deep from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:  # Python refuses to read it: that takes the square of its length
        raise OutOfBounds(side, "the answer holds a number of thousands of digits") from None
    if _is_deep(value):
        raise too_deep
    return value


def _is_deep(value: object) -> bool:
    """Tell whether there are more than DEEPEST levels; level by level, for a deep one would exhaust the stack."""
    level: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _NESTING
        ]
        if not level:
            return False
    return True
