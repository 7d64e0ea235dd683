"""Slack's SCIM API, version 2, the part that reads people: https://docs.slack.dev/reference/scim-api."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.answers import JsonAnswer
from sandbox.faults import Fault
from sandbox.gate import Gate
from sandbox.limits import WindowLimit
from sandbox.slack.kinds import User
from sandbox.slack.workspace import SCIM_TOKEN, Workspace

READS_A_MINUTE = 1_000  # of an organisation, all its SCIM apps together
DEFAULT_PAGE, LARGEST_PAGE = 10, 1_000
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OF_SLACK = "urn:ietf:params:scim:schemas:extension:slack:profile:2.0:User"


class ScimApi:
    """Shows everybody of the workspace, bots included, to the one token of the organisation's owner."""

    def __init__(self, workspace: Workspace, gate: Gate, *, rate_limits: bool, time_scale: float) -> None:
        self._workspace = workspace
        self._gate = gate
        self._limit = WindowLimit(60 * time_scale) if rate_limits else None

    def routes(self) -> list[Route]:
        return [
            Route("/scim/v2/Users", self._answer, methods=["GET"]),
            Route("/scim/v2/Users/{user_id}", self._answer, methods=["GET"]),
        ]

    def reset(self) -> None:
        """Begin all rate windows again."""
        if self._limit:
            self._limit.reset()

    async def _answer(self, request: Request) -> Response:
        name = "scim user" if "user_id" in request.path_params else "scim users"
        return await self._gate.admit(name, request, self._carry_out, _spoil)

    async def _carry_out(self, request: Request) -> Response:
        if self._limit and (seconds := self._limit.refuse("scim", READS_A_MINUTE)):
            return _error(429, "ratelimited", {"Retry-After": str(seconds)})
        if request.headers.get("authorization") != f"Bearer {SCIM_TOKEN}":
            return _error(401, "invalid_authentication")
        if (refused := self._workspace.switches.scim) != "on":
            return _error(403, refused)
        if user_id := request.path_params.get("user_id"):
            index = self._workspace.index_of(user_id)
            return (
                _error(404, "user_not_found") if index is None else JsonAnswer(self._shown(self._workspace.at(index)))
            )
        start = max(1, int(request.query_params.get("startIndex", 1)))
        count = min(LARGEST_PAGE, int(request.query_params.get("count", DEFAULT_PAGE)))
        listed = self._listed()
        people = [self._shown(self._workspace.at(index)) for index in listed[start - 1 : start - 1 + count]]
        return JsonAnswer(
            {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                "totalResults": len(listed),
                "itemsPerPage": len(people),
                "startIndex": start,
                "Resources": people,
            }
        )

    def _listed(self) -> Sequence[int]:
        """Return the places of those whom the list shows."""
        everybody = range(len(self._workspace))
        if self._workspace.switches.scim_lists_deactivated:
            return everybody
        return [index for index in everybody if not self._workspace.at(index).get("deleted")]

    def _shown(self, user: User) -> dict[str, Any]:
        """Return the person; an absent attribute is null, an empty object or missing, as in Slack's answers."""
        known = self._workspace.scim.get(user["id"], {})
        profile = user["profile"]
        enterprise: dict[str, Any] = {
            name: known.get(name) for name in ("employeeNumber", "costCenter", "organization", "division", "department")
        }
        enterprise["manager"] = {"managerId": known["manager"]} if "manager" in known else {}
        shown: dict[str, Any] = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE, OF_SLACK],
            "id": user["id"],
            "userName": user.get("name", ""),
            "name": {"givenName": profile.get("first_name"), "familyName": profile.get("last_name")},
            "active": not user.get("deleted", False),
            "emails": [{"value": profile.get("email"), "primary": True}],
            "userType": known.get("userType"),
        }
        if known:
            shown[ENTERPRISE] = enterprise
            shown[OF_SLACK] = {"startDate": f"{known['startDate']}T00:00:00+0000"} if "startDate" in known else {}
        return shown


def _spoil(_request: Request, fault: Fault) -> Response | None:
    return _error(429, "ratelimited", {"Retry-After": "1"}) if fault.kind == "rate_limited" else None


def _error(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": detail, "status": status}
    return JsonAnswer(body, status, headers=headers)
