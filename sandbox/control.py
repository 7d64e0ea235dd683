"""Control calls both servers have under `/_sim/`: counters, faults, latency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.answers import JsonAnswer
from sandbox.bodies import read_body
from sandbox.gate import Gate

Endpoint = Callable[[Request], Awaitable[Response]]


def answered(endpoint: Endpoint) -> Endpoint:
    """Turn a control call's ValueError and TypeError into a 400, its KeyError into a 404."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except KeyError as error:
            return JsonAnswer({"error": f"there is no {error}"}, 404)
        except (ValueError, TypeError) as error:
            return JsonAnswer({"error": str(error)}, 400)

    return answer


def gate_routes(gate: Gate, reset: Callable[[], None]) -> list[Route]:
    """Return the control calls about *gate*; *reset* puts the whole server back to its start."""

    async def counters(_request: Request) -> Response:
        return JsonAnswer(gate.counters.as_dict())

    async def reset_counters(_request: Request) -> Response:
        gate.counters.reset()
        return JsonAnswer({"ok": True})

    async def pending_faults(_request: Request) -> Response:
        return JsonAnswer(gate.faults.pending())

    async def add_fault(request: Request) -> Response:
        order = await read_body(request)
        options = order.pop("options", {})
        gate.faults.add(order.pop("method"), order.pop("kind"), **(order | options))
        return JsonAnswer(gate.faults.pending(), 201)

    async def clear_faults(_request: Request) -> Response:
        gate.faults.clear()
        return JsonAnswer({"ok": True})

    async def latency(request: Request) -> Response:
        gate.latency = float((await read_body(request))["ms"]) / 1000
        return JsonAnswer({"ok": True})

    async def reset_all(_request: Request) -> Response:
        reset()
        return JsonAnswer({"ok": True})

    return [
        Route("/_sim/counters", counters),
        Route("/_sim/reset-counters", reset_counters, methods=["POST"]),
        Route("/_sim/faults", pending_faults, methods=["GET"]),
        Route("/_sim/faults", answered(add_fault), methods=["POST"]),
        Route("/_sim/faults", clear_faults, methods=["DELETE"]),
        Route("/_sim/latency", answered(latency), methods=["POST"]),
        Route("/_sim/reset", reset_all, methods=["POST"]),
    ]
