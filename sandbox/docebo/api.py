"""Docebo's REST API, as far as a client that keeps users calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.answers import JsonAnswer
from sandbox.docebo import batch
from sandbox.docebo.calls import ApiError, Calls
from sandbox.docebo.description import describe
from sandbox.docebo.fields import FieldCalls
from sandbox.docebo.jobs import Jobs
from sandbox.docebo.organisation import OrganisationCalls
from sandbox.docebo.platform import Platform
from sandbox.docebo.tokens import GrantError, Tokens
from sandbox.docebo.users import UserCalls
from sandbox.gate import Gate

FAULT_KINDS = frozenset({"token_expired", "empty_page", "shrinking", "rows_refused"})


class DoceboApi:
    """The REST API over one platform."""

    def __init__(self, platform: Platform, tokens: Tokens, gate: Gate, *, time_scale: float) -> None:
        self.platform = platform
        self.tokens = tokens
        self._calls = Calls(platform, tokens, gate, time_scale=time_scale)
        self._users = UserCalls(platform, tokens, gate)
        self._fields = FieldCalls(platform)
        self._organisation = OrganisationCalls(platform)
        self._jobs = Jobs(platform)
        self.not_found = self._calls.not_found

    def routes(self) -> list[Route]:
        users, fields, organisation, route = self._users, self._fields, self._organisation, self._calls.route
        return [
            route("POST", "/oauth2/token", self._token, public=True),
            # Paths with a fixed last part come before the one with an id there.
            route("GET", "/manage/v1/user", users.list_),
            route("POST", "/manage/v1/user", users.create),
            route("POST", "/manage/v1/user/batch", users.batch),
            route("POST", "/manage/v1/user/login", self._login, public=True),
            route("PUT", "/manage/v1/user/change_status", users.change_status),
            route("PUT", "/manage/v1/user/move_to_branch", users.move_to_branch),
            route("DELETE", "/manage/v1/user/delete", users.delete),
            route("GET", "/manage/v1/user/session", users.session, ordinary=True),
            route("GET", "/manage/v1/user/check_validity", users.check_validity),
            route("GET", "/manage/v1/user/check_username/{userid}", users.check_username),
            route("GET", "/manage/v1/user/importer_fields", fields.importer_fields),
            route("GET", "/manage/v1/user/{id}", users.view),
            route("PUT", "/manage/v1/user/{id}", users.update),
            route("GET", "/manage/v1/user_fields", fields.list_),
            route("POST", "/manage/v1/user_fields", fields.create),
            route("GET", "/manage/v1/user_fields/{id}", fields.view),
            route("GET", "/manage/v1/orgchart", organisation.orgchart),
            route("GET", "/manage/v1/managers", organisation.manager_types),
            route("GET", "/manage/v1/managers/candidates", organisation.candidates),
            route("GET", "/manage/v1/managers/{id}/subordinates", organisation.subordinates),
            route("GET", "/manage/v1/site/microservices", self._microservices, ordinary=True),
            Route("/swagger/{app}.json", self._swagger),
            route("GET", "/manage/v1/job", self._list_jobs),
            route("POST", "/manage/v1/job", self._start_job),
            route("GET", "/manage/v1/job/{hash}", self._view_job),
            route("PUT", "/manage/v1/job/{hash}", self._abort_job),
            route("DELETE", "/manage/v1/job/{hash}", self._delete_job),
        ]

    def reset(self) -> None:
        """Forget tokens, jobs and the hour's calls; the platform is reset by itself."""
        self.tokens.reset()
        self._jobs.reset()
        self._calls.reset()

    async def _token(self, request: Request, body: dict[str, Any]) -> Response:
        try:
            host = request.headers.get("host", "")
            reply = self.tokens.grant(body, request.headers.get("authorization", ""), host)
        except GrantError as error:
            return JsonAnswer({"error": error.error, "error_description": error.description}, 400)
        return JsonAnswer(reply)

    async def _login(self, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.tokens.login(body)
        except GrantError as error:
            raise ApiError(400, error.description) from error

    async def _microservices(self, request: Request, _body: dict[str, Any]) -> list[dict[str, str]]:
        apps = ["manage", "learn", "audiences"]
        # Docebo's published list of services has no Slack in it.
        if self.platform.switches.slack_service_listed:
            apps.append("slack")
        return [{"app": app, "url": f"{request.base_url}swagger/{app}.json"} for app in apps]

    async def _swagger(self, request: Request) -> Response:
        app = request.path_params["app"]
        calls = [
            f"{verb} {route.path}"
            for route in self.routes()
            if route.path.startswith(f"/{app}/")
            for verb in sorted((route.methods or set()) - {"HEAD"})
        ]
        return JsonAnswer(describe(calls, self.platform.switches.description_lacks))

    async def _start_job(self, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"job_descriptor": self._jobs.start(body)}
        except (ValueError, batch.BatchRefusedError) as error:
            raise ApiError(400, str(error)) from error

    async def _list_jobs(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        jobs = self._jobs.all(request.query_params.get("status"))
        return {"items": jobs, "count": len(jobs), "has_more_data": False}

    async def _view_job(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        return {"job_descriptor": self._job(self._jobs.get, request)}

    async def _abort_job(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        return {"job_descriptor": self._job(self._jobs.abort, request)}

    async def _delete_job(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        return {"success": self._job(self._jobs.delete, request)}

    def _job(self, action: Callable[[str], Any], request: Request) -> Any:
        try:
            return action(request.path_params["hash"])
        except KeyError:
            raise ApiError(404, "Job not found") from None
