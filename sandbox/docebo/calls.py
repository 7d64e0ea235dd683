"""Calls: let in by limit and token, batches one by one, and answered or refused in the envelope of Docebo's REST API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.answers import JsonAnswer
from sandbox.bodies import read_body
from sandbox.docebo.attributes import RefusedError
from sandbox.docebo.platform import Platform
from sandbox.docebo.tokens import Tokens
from sandbox.faults import Fault
from sandbox.gate import MAINTENANCE_PAGE, Gate
from sandbox.limits import WindowLimit

BATCH = "POST /manage/v1/user/batch"
CONCURRENT_BATCH = "two batch calls at once"

Handler = Callable[[Request, dict[str, Any]], Awaitable[Any]]
_VERSION = {"X-Docebo-Api-Version": "1.0.0"}
_NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Content Too Large",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


class ApiError(Exception):
    """A call answered with an error body."""

    def __init__(self, status: int, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


class Calls:
    """Passes every call from the server's gate to its handler, and the answer back."""

    def __init__(self, platform: Platform, tokens: Tokens, gate: Gate, *, time_scale: float) -> None:
        self.platform = platform
        self.tokens = tokens
        self.gate = gate
        self._hour = WindowLimit(3600 * time_scale)
        self._batches = asyncio.Lock()
        self._batches_under_way = 0

    def route(self, verb: str, path: str, handler: Handler, *, public: bool = False, ordinary: bool = False) -> Route:
        """Return the route of a call: a *public* one needs no token, an *ordinary* one needs no superadmin's token."""
        method = f"{verb} {path}"

        async def carry_out(request: Request) -> Response:
            try:
                self._check_limit(request, method)
                if not public:
                    self._authorise(request, ordinary=ordinary)
                # Parameters of a GET may come as a JSON body, too.
                answer = await handler(request, await read_body(request))
            except ApiError as error:
                return self._error(error)
            except RefusedError as error:
                return self._refused(error)
            if isinstance(answer, Response):
                return answer
            data = keyed(answer) if self.platform.switches.lists_keyed else answer
            return JsonAnswer({"data": data, "version": "1.0.0", "_links": []}, headers=_VERSION)

        async def answer(request: Request) -> Response:
            if method == BATCH:
                return await self._one_batch_at_a_time(request, carry_out)
            return await self.gate.admit(method, request, carry_out, self._spoil)

        return Route(path, answer, methods=[verb])

    async def not_found(self, _request: Request, _error: Exception) -> Response:
        return self._error(ApiError(404, "Page not found."))

    def reset(self) -> None:
        """Forget the hour's calls."""
        self._hour.reset()

    async def _one_batch_at_a_time(
        self, request: Request, carry_out: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Carry out the batch call after others; one that overlaps counts as a violation, and is refused or waits.

        Docebo forbids batch calls that overlap; what it does about them is not known.
        """
        if self._batches_under_way:
            self.gate.counters.violations.append(CONCURRENT_BATCH)
            if self.platform.switches.concurrent_batch != "serialise":
                self.gate.counters.calls[BATCH] += 1
                return self._error(ApiError(int(self.platform.switches.concurrent_batch), "A batch is being processed"))
        self._batches_under_way += 1
        try:
            async with self._batches:
                return await self.gate.admit(BATCH, request, carry_out, self._spoil)
        finally:
            self._batches_under_way -= 1

    def _spoil(self, request: Request, fault: Fault) -> Response | None:
        match fault.kind:
            case "rate_limited":
                return self._limited(fault.options.get("retry_after"))
            case "html_503":
                return self._unavailable()
            case "token_expired":
                self.tokens.invalidate(bearer(request))
                return self._error(ApiError(401, "The access token provided has expired"))
        return None

    def _check_limit(self, request: Request, method: str) -> None:
        limit = self.platform.switches.hourly_limit
        client = request.client.host if request.client else ""
        if limit and self._hour.refuse(client, limit):
            self.gate.refused(method)
            raise ApiError(429, "Rate limit exceeded")

    def _authorise(self, request: Request, *, ordinary: bool) -> None:
        account = self.tokens.account(bearer(request))
        if account is None:
            raise ApiError(401, "Your request was made with invalid credentials.")
        if account.level != "godadmin" and not ordinary:
            raise ApiError(403, "You are not allowed to perform this action.")

    def _error(self, error: ApiError) -> Response:
        if error.status == 429:
            return self._limited(None)
        status = 400 if error.status == 404 and self.platform.switches.not_found_as_400 else error.status
        return self._error_body(status, error.message, error.code)

    def _error_body(self, status: int, message: str, code: int = 0, headers: dict[str, str] | None = None) -> Response:
        text: Any = message if self.platform.switches.message_as_string else [message]
        body = {"name": _NAMES[status], "message": text, "code": code, "status": status}
        return JsonAnswer(body, status, headers=_VERSION | (headers or {}))

    def _limited(self, retry_after: Any) -> Response:
        seconds = retry_after or self.platform.switches.retry_after
        headers = {"Retry-After": str(seconds)} if seconds else {}
        match self.platform.switches.limit_body:
            case "text":
                return PlainTextResponse("Too Many Requests", 429, headers)
            case "empty":
                return Response(None, 429, headers)
        return self._error_body(429, "Rate limit exceeded", headers=headers)

    def _unavailable(self) -> Response:
        match self.platform.switches.unavailable_body:
            case "json":
                return self._error_body(503, "The service is temporarily unavailable")
            case "empty":
                return Response(None, 503)
        return HTMLResponse(MAINTENANCE_PAGE, 503)

    def _refused(self, error: RefusedError) -> Response:
        """Answer with what is wrong in a single body; the HTTP status of such an answer is not known."""
        if self.platform.switches.validation_style == "hard":
            return self._error_body(400, error.reason)
        message = [{"id": error.attribute, "message": error.reason}]
        return JsonAnswer(
            {"data": {"success": False, "message": message}, "version": "1.0.0", "_links": []}, headers=_VERSION
        )


def keyed(answer: Any) -> Any:
    """Return *answer* with each list of objects as an object whose keys are positions, as PHP may send an array."""
    if isinstance(answer, dict):
        return {name: keyed(value) for name, value in answer.items()}
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        return {str(place): keyed(value) for place, value in enumerate(answer, start=1)}
    return answer


def bearer(request: Request) -> str:
    """Return the token with which the call was made, or "" if it had none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""
