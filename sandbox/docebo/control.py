"""Control calls of the Docebo server: edits by hand, switches, and a stand-in for the mapping table."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.answers import JsonAnswer, json_lines
from sandbox.bodies import read_body
from sandbox.control import answered
from sandbox.docebo.platform import Platform, SlackLink
from sandbox.docebo.switches import switched
from sandbox.docebo.tokens import Tokens


class DoceboControl:
    """`/_sim/` of the Docebo server."""

    def __init__(self, platform: Platform, tokens: Tokens) -> None:
        self._platform = platform
        self._tokens = tokens

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/users", self._dump, methods=["GET"]),
            Route("/_sim/users", answered(self._add), methods=["POST"]),
            Route("/_sim/users/{id:int}", answered(self._get), methods=["GET"]),
            Route("/_sim/users/{id:int}", answered(self._edit), methods=["PATCH"]),
            Route("/_sim/users/{id:int}", answered(self._delete), methods=["DELETE"]),
            Route("/_sim/switches", self._switches, methods=["GET"]),
            Route("/_sim/switches", answered(self._set_switches), methods=["PUT"]),
            Route("/_sim/jwt-key", answered(self._set_jwt_key), methods=["PUT"]),
            Route("/_sim/slack_connection", self._connection, methods=["GET"]),
            Route("/_sim/slack_connection", self._set_connection, methods=["PUT"]),
            Route("/_sim/slack_user", self._links, methods=["GET"]),
            Route("/_sim/slack_user", self._delete_links, methods=["DELETE"]),
            Route("/_sim/slack_user/{slack_id}", answered(self._put_link), methods=["PUT"]),
            Route("/_sim/slack_user/{slack_id}", self._delete_links, methods=["DELETE"]),
        ]

    async def _dump(self, _request: Request) -> Response:
        return json_lines(map(asdict, self._platform.accounts))

    async def _get(self, request: Request) -> Response:
        return JsonAnswer(asdict(self._platform.accounts[request.path_params["id"]]))

    async def _add(self, request: Request) -> Response:
        return JsonAnswer(asdict(self._platform.accounts.add(**await read_body(request))), 201)

    async def _edit(self, request: Request) -> Response:
        return JsonAnswer(asdict(self._platform.edit(request.path_params["id"], await read_body(request))))

    async def _delete(self, request: Request) -> Response:
        self._platform.delete(request.path_params["id"])
        return JsonAnswer({"ok": True})

    async def _switches(self, _request: Request) -> Response:
        return JsonAnswer(asdict(self._platform.switches))

    async def _set_switches(self, request: Request) -> Response:
        self._platform.switches = switched(self._platform.switches, await read_body(request))
        return JsonAnswer(asdict(self._platform.switches))

    async def _set_jwt_key(self, request: Request) -> Response:
        self._tokens.jwt_public_key = (await read_body(request))["public_key"]
        return JsonAnswer({"ok": True})

    async def _connection(self, _request: Request) -> Response:
        return JsonAnswer(self._platform.slack_connection)

    async def _set_connection(self, request: Request) -> Response:
        self._platform.slack_connection |= await read_body(request)
        return JsonAnswer(self._platform.slack_connection)

    async def _links(self, request: Request) -> Response:
        query = request.query_params
        links = [
            asdict(link)
            for link in self._platform.slack_links.values()
            if query.get("user_id", str(link.user_id)) == str(link.user_id)
            and query.get("slack_id", link.slack_id) == link.slack_id
        ]
        return JsonAnswer({"items": links, "count": len(links)})

    async def _put_link(self, request: Request) -> Response:
        body = await read_body(request)
        link = SlackLink(request.path_params["slack_id"], body["slack_name"], body["slack_team"], int(body["user_id"]))
        self._platform.slack_links[link.slack_id, link.slack_team] = link
        return JsonAnswer(asdict(link))

    async def _delete_links(self, request: Request) -> Response:
        slack_id = request.path_params.get("slack_id")
        before = self._platform.slack_links
        self._platform.slack_links = {
            key: link for key, link in before.items() if slack_id is not None and link.slack_id != slack_id
        }
        return JsonAnswer({"deleted": len(before) - len(self._platform.slack_links)})
