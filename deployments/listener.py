"""The listener of the webhook: uvicorn's server with bounds on what a connection may send and hold, and for how long.

uvicorn and httptools know no bound of a request's head, no deadline for it, and no number of connections.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from deployments.connections import Connections, Stage
from slack_docebo.webhook.app import LARGEST_BODY

LARGEST_HEAD = 8 * 1024  # the request line and all headers; Slack's have about 600 bytes
LARGEST_RAW_BODY = 2 * LARGEST_BODY  # with the framing of its chunks
MOST_HEADERS = 100
PIECE = 4 * 1024  # bytes that are parsed at once: the requests in them can wait in line
LAST_SECONDS = 3.0  # for requests that are still coming in when we are stopped: Slack waits no longer for an answer
UNDER_WAY_SECONDS = 10  # for requests that are being answered then

# Two of these could be read one way by a proxy and another way by us.
ONCE = frozenset({
    b"host", b"content-type", b"content-encoding", b"content-length", b"transfer-encoding", b"expect", b"origin",
    b"sec-fetch-site", b"x-slack-signature", b"x-slack-request-timestamp",
})  # fmt: skip
REFUSAL = b"HTTP/1.1 %d %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Refused(Exception):
    """The request is refused with *status* before the application has seen it, or all of it."""

    def __init__(self, status: HTTPStatus) -> None:
        self.status = status


class _Flow(FlowControl):
    """Flow control that reads no further while bytes wait to be parsed."""

    held_back = False

    def resume_reading(self) -> None:
        if not self.held_back:
            super().resume_reading()


class BoundedConnection(HttpToolsProtocol):
    """One connection: a head of bounded size, a body of bounded size as it is sent, a bounded line of requests."""

    def __init__(self, connections: Connections, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._connections = connections
        self._stage = Stage.HEAD
        self._unparsed = b""
        self._in_body = False
        self._size = 0  # bytes of the head or body that is coming in, without the piece in which it began
        self.headers = []
        self._headers = 0  # of the request whose body is coming in
        self._turned = False  # a head or a body began or ended in this piece
        self._kept = 0
        self._under_way: deque[RequestResponseCycle] = deque()  # requests that are answered, or wait in line
        self._deaf = False  # nothing more is read: it could not be parsed
        self.address = ""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow: _Flow = _Flow(transport)
        self.address = self.client[0] if self.client else ""
        self._connections.admit(self, self.loop.time())

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.remove(self)
        super().connection_lost(error)
        self._give_up()

    def abort(self) -> None:
        """Close at once, and send nothing more."""
        self._give_up()
        self.transport.abort()

    def shutdown(self) -> None:
        """Take no new request; those under way may come to their end."""
        super().shutdown()
        self.loop.call_later(LAST_SECONDS, self.abort)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if not self._deaf:
            self._unparsed += data
            self._parse()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._tell()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._tell()

    def on_response_complete(self) -> None:
        self._under_way.popleft()
        super().on_response_complete()
        if self._unparsed:
            self._parse()
            self.flow.resume_reading()
        else:
            self._tell()

    def on_message_begin(self) -> None:
        self._turned = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if status := objection(self.parser.get_http_version(), self.url, self.headers):
            raise Refused(status)
        if self.parser.should_upgrade():
            raise _bad_request()
        super().on_headers_complete()
        self._under_way.append(self.cycle)
        self._turned = self._in_body = True
        self._headers = len(self.headers)

    def on_message_complete(self) -> None:
        self._refuse_trailers()
        super().on_message_complete()
        self._turned = True
        self._in_body = False

    def _parse(self) -> None:
        """Parse the bytes received, unless earlier requests are still waiting to be answered."""
        try:
            while self._unparsed and not self.pipeline and not self.transport.is_closing():
                piece, self._unparsed = self._unparsed[:PIECE], self._unparsed[PIECE:]
                self._feed(piece)
        except Refused as refused:
            self._refuse(refused.status)
        if self.transport.is_closing():
            self._unparsed = b""
        self.flow.held_back = self._deaf or bool(self._unparsed)
        if self.flow.held_back:
            self.flow.pause_reading()
        self._tell()

    def _feed(self, piece: bytes) -> None:
        self._turned = False
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserCallbackError as error:
            # What a callback of ours has raised is the context of the parser's error.
            raise (error.__context__ if isinstance(error.__context__, Refused) else _bad_request()) from None
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise _bad_request() from None
        self._size = 0 if self._turned else self._size + len(piece)
        if self._in_body:
            self._refuse_trailers()
            if self._size > LARGEST_RAW_BODY:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._size >= LARGEST_HEAD or len(self.headers) > MOST_HEADERS:
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _refuse_trailers(self) -> None:
        if len(self.headers) > self._headers:  # uvicorn takes them for headers
            raise _bad_request()

    def _refuse(self, status: HTTPStatus) -> None:
        """Read nothing more, and close as soon as the requests before are answered."""
        self._unparsed = b""
        self._deaf = True
        self._connections.metrics.refused.labels(status.value).inc()
        if self._waits_for() not in {Stage.HEAD, Stage.BODY}:
            self.cycle.keep_alive = False
            return
        if not (self._in_body and self.cycle.response_started):
            self.transport.write(REFUSAL % (status.value, status.phrase.encode()))
        self._give_up()
        self.transport.close()

    def _give_up(self) -> None:
        """Tell every request of this connection that it is closed, so that its answer is not an error in our log.

        uvicorn tells the last request only, and later.
        """
        for cycle in self._under_way:
            cycle.disconnected = True
            cycle.message_event.set()

    def _waits_for(self) -> Stage:
        if self._idle():
            return Stage.HEAD
        if self.flow.write_paused:
            return Stage.TAKING
        if self.pipeline:  # before those in line there may be an event
            return Stage.ANSWER
        if self._in_body:
            return Stage.BODY
        return Stage.ANSWER if self.cycle.scope["method"] == "POST" else Stage.LOOK

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete  # the last request that came, so all are answered

    def _tell(self) -> None:
        """Report the stage of this connection, and how many of its bytes are held."""
        stage = self._waits_for()
        if stage is not self._stage:
            self._stage = stage
            self._connections.move(self, stage, self.loop.time())
        kept = len(self._unparsed) + (self._size if self._in_body and not self._idle() else 0)
        if kept != self._kept:
            self._kept = kept
            self._connections.hold(self, kept)


def objection(version: str, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> HTTPStatus | None:
    """Return the status with which the head alone lets a request be refused, or None; names in *headers* are lower case."""
    if version not in {"1.0", "1.1"}:  # many proxies speak HTTP/1.0 to the servers behind them
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    if len(headers) > MOST_HEADERS:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    if not target.startswith(b"/"):
        return HTTPStatus.BAD_REQUEST
    once = {}
    for name, value in headers:
        if name in ONCE:
            if name in once:
                return HTTPStatus.BAD_REQUEST
            once[name] = value
    if b"host" not in once and version == "1.1":
        return HTTPStatus.BAD_REQUEST
    if encoding := once.get(b"transfer-encoding"):
        if b"content-length" in once or version == "1.0":
            return HTTPStatus.BAD_REQUEST
        if encoding.lower() != b"chunked":
            return HTTPStatus.NOT_IMPLEMENTED
    return None


class _Server(uvicorn.Server):
    """A server that leaves signals to us: uvicorn raises them again before events that wait could be written."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(app: ASGIApp, connections: Connections) -> uvicorn.Server:
    """Return a server of *app* that keeps its *connections* within their bounds."""

    async def sweep() -> None:
        connections.sweep(asyncio.get_running_loop().time())

    config = uvicorn.Config(
        app,
        http=partial(BoundedConnection, connections),  # type: ignore[arg-type]  # uvicorn calls it, as it would the class
        ws="none",
        lifespan="off",
        access_log=False,  # one line per event and probe; /metrics counts them
        proxy_headers=False,  # nobody asks for the client's address
        server_header=False,
        log_config=None,
        callback_notify=sweep,
        timeout_notify=0,  # at every occasion, which is once a second
        timeout_graceful_shutdown=UNDER_WAY_SECONDS,
    )
    return _Server(config)


def _bad_request() -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST)
