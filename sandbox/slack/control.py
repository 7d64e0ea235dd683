"""Control calls of the Slack server: what people in the workspace do, and how events are delivered."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.answers import JsonAnswer, json_lines
from sandbox.bodies import read_body
from sandbox.control import answered
from sandbox.slack.events import Events
from sandbox.slack.switches import switched
from sandbox.slack.workspace import BOT_TOKEN, Workspace


class SlackControl:
    """`/_sim/` of the Slack server."""

    def __init__(self, workspace: Workspace, events: Events) -> None:
        self._workspace = workspace
        self._events = events

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/users", self._dump, methods=["GET"]),
            Route("/_sim/users", answered(self._add), methods=["POST"]),
            Route("/_sim/users/{id}", answered(self._get), methods=["GET"]),
            Route("/_sim/users/{id}", answered(self._change), methods=["PATCH"]),
            Route("/_sim/users/{id}/status", answered(self._set_status), methods=["POST"]),
            Route("/_sim/users/{id}/deactivate", answered(self._deactivate), methods=["POST"]),
            Route("/_sim/users/{id}/reactivate", answered(self._reactivate), methods=["POST"]),
            Route("/_sim/scopes", answered(self._set_scopes), methods=["PUT"]),
            Route("/_sim/shown", answered(self._set_shown), methods=["PUT"]),
            Route("/_sim/switches", answered(self._set_switches), methods=["PUT"]),
            Route("/_sim/token", answered(self._set_token), methods=["PUT"]),
            Route("/_sim/events", self._deliveries, methods=["GET"]),
            Route("/_sim/events", answered(self._configure_events), methods=["PUT"]),
            Route("/_sim/events", answered(self._redeliver), methods=["POST"]),
            Route("/_sim/events/url-verification", answered(self._verify_url), methods=["POST"]),
            Route("/_sim/events/app-rate-limited", answered(self._app_rate_limited), methods=["POST"]),
        ]

    async def _dump(self, _request: Request) -> Response:
        return json_lines(self._workspace)

    async def _get(self, request: Request) -> Response:
        return JsonAnswer(self._workspace.get(request.path_params["id"]))

    async def _add(self, request: Request) -> Response:
        body = await read_body(request)
        return JsonAnswer(self._workspace.add(**body), 201)

    async def _change(self, request: Request) -> Response:
        changes = await read_body(request)
        remove = tuple(changes.pop("remove", ()))
        return JsonAnswer(self._workspace.change(request.path_params["id"], changes, remove))

    async def _set_switches(self, request: Request) -> Response:
        self._workspace.switches = switched(self._workspace.switches, await read_body(request))
        return JsonAnswer(asdict(self._workspace.switches))

    async def _set_status(self, request: Request) -> Response:
        return JsonAnswer(self._workspace.set_status(request.path_params["id"], **await read_body(request)))

    async def _deactivate(self, request: Request) -> Response:
        return JsonAnswer(self._workspace.deactivate(request.path_params["id"]))

    async def _reactivate(self, request: Request) -> Response:
        return JsonAnswer(self._workspace.reactivate(request.path_params["id"]))

    async def _set_scopes(self, request: Request) -> Response:
        self._workspace.scopes = frozenset((await read_body(request))["scopes"])
        return JsonAnswer({"ok": True})

    async def _set_shown(self, request: Request) -> Response:
        body = await read_body(request)
        self._workspace.invisible = set(body.get("invisible", ()))
        self._workspace.without_address = set(body.get("without_address", ()))
        return JsonAnswer({"ok": True})

    async def _set_token(self, request: Request) -> Response:
        body = await read_body(request)
        self._workspace.token_errors[body.get("token", BOT_TOKEN)] = body["error"]
        return JsonAnswer({"ok": True})

    async def _deliveries(self, request: Request) -> Response:
        if seconds := request.query_params.get("settle"):
            await asyncio.to_thread(self._events.settle, float(seconds))
        return JsonAnswer(self._events.report())

    async def _configure_events(self, request: Request) -> Response:
        self._events.configure(**await read_body(request))
        return JsonAnswer({"ok": True})

    async def _redeliver(self, request: Request) -> Response:
        self._events.redeliver(await read_body(request))
        return JsonAnswer({"ok": True}, 202)

    async def _verify_url(self, _request: Request) -> Response:
        return JsonAnswer(await self._events.verify_url())

    async def _app_rate_limited(self, request: Request) -> Response:
        self._events.app_rate_limited(wrapped=bool((await read_body(request)).get("wrapped", False)))
        return JsonAnswer({"ok": True}, 202)
