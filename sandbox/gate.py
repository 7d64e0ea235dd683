"""The gate of a server: every API call is counted and delayed there, and fails if a fault is due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from sandbox.connections import Dropped
from sandbox.counters import Counters
from sandbox.faults import Fault, Faults
from sandbox.hostile import HOSTILE_KINDS, hostile_answer

Endpoint = Callable[[Request], Awaitable[Response]]

MAINTENANCE_PAGE = "<html><head><title>Service Unavailable</title></head><body><h1>503</h1></body></html>"
LOGIN_PAGE = "<html><head><title>Sign in</title></head><body>Please sign in to continue.</body></html>"

COMMON_KINDS = frozenset(
    {
        "rate_limited",
        "error_500",
        "html_503",
        "html_200",
        "dropped",
        "slow",
        "busy",
        "carried_out_then_dropped",
        "carried_out_then_busy",
    }
)


class Gate:
    """Counters, faults and latency of one server."""

    def __init__(self, *, latency: float, kinds: Iterable[str]) -> None:
        self.latency = latency
        self.clock_ahead = 0.0  # seconds, of the clock by which answers are dated
        self.counters = Counters()
        self.faults = Faults(COMMON_KINDS | HOSTILE_KINDS | frozenset(kinds))

    async def admit(
        self, method: str, request: Request, carry_out: Endpoint, spoil: Callable[[Request, Fault], Response | None]
    ) -> Response:
        """Answer one call of *method*.

        *spoil* returns the answer of a fault that differs between vendors. If it returns none, the call is carried out,
        and the endpoint finds the fault in `request.state.fault`. The latency is that of the whole answer: the time to
        carry out the call is part of it.
        """
        answer_due = asyncio.get_running_loop().time() + self.latency
        response = await self._answer(method, request, carry_out, spoil)
        await asyncio.sleep(max(0, answer_due - asyncio.get_running_loop().time()))
        response.headers["Date"] = formatdate(time.time() + self.clock_ahead, usegmt=True)
        return response

    async def _answer(
        self, method: str, request: Request, carry_out: Endpoint, spoil: Callable[[Request, Fault], Response | None]
    ) -> Response:
        self.counters.calls[method] += 1
        fault = self.faults.take(method)
        request.state.fault = fault
        if fault is None:
            return await carry_out(request)
        if fault.kind == "slow":
            await asyncio.sleep(float(fault.options.get("seconds", 5)))
        if fault.kind == "rate_limited":
            self.refused(method)
        match fault.kind:
            case "dropped":
                return Dropped()
            case "carried_out_then_dropped":
                await carry_out(request)
                return Dropped()
            case "carried_out_then_busy":
                await carry_out(request)
                return PlainTextResponse("Conflict", status_code=409)
            case "busy":
                return PlainTextResponse("Conflict", status_code=409)
            case "error_500":
                return PlainTextResponse("Internal Server Error", status_code=500)
            case "html_503":
                return HTMLResponse(MAINTENANCE_PAGE, status_code=503)
            case "html_200":
                return HTMLResponse(LOGIN_PAGE)
            case kind if kind in HOSTILE_KINDS:
                await carry_out(request)
                return hostile_answer(kind, fault.options)
        return spoil(request, fault) or await carry_out(request)

    def refused(self, method: str) -> None:
        self.counters.refused[method] += 1

    def reset(self) -> None:
        self.clock_ahead = 0.0
        self.counters.reset()
        self.faults.clear()
