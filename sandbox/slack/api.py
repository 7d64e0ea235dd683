"""Slack's Web API: the methods that a client that reads users calls."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.answers import JsonAnswer
from sandbox.bodies import read_body
from sandbox.faults import Fault
from sandbox.gate import Gate
from sandbox.limits import WindowLimit
from sandbox.slack.kinds import User
from sandbox.slack.workspace import BOT_USER_ID, Workspace

Arguments = dict[str, Any]
Reply = dict[str, Any]

FAULT_KINDS = frozenset({"ok_false", "token_expired", "repeated_cursor", "empty_page", "shrinking"})
LARGEST_PAGE = 1000
MOST_EXCHANGED = 400  # ids of a call
# Above so many users a listing without a limit is refused; Slack does not say where that is.
TOO_MANY_FOR_ONE_REPLY = 1000


class SlackError(Exception):
    """A reply with `ok: false`."""

    def __init__(self, error: str, **details: str) -> None:
        super().__init__(error)
        self.reply: Reply = {"ok": False, "error": error, **details}


class _TooManyError(Exception):
    """More people were asked for than this workspace can give at once."""


@dataclass(frozen=True)
class Method:
    """One Web API method: the scope it needs, the calls a minute it allows, and its handler."""

    carry_out: Callable[[SlackApi, Arguments, Fault | None], Reply]
    scope: str | None
    calls_a_minute: int


class SlackApi:
    """The Web API over one workspace."""

    def __init__(
        self,
        workspace: Workspace,
        gate: Gate,
        *,
        rate_limits: bool,
        time_scale: float,
        org_token: bool,
    ) -> None:
        self.workspace = workspace
        self.gate = gate
        self._limit = WindowLimit(60 * time_scale) if rate_limits else None
        self._org_token = org_token

    def routes(self) -> list[Route]:
        return [Route("/api/{method}", self._answer, methods=["GET", "POST"])]

    def reset(self) -> None:
        """Begin all rate windows again."""
        if self._limit:
            self._limit.reset()

    async def _answer(self, request: Request) -> Response:
        return await self.gate.admit(request.path_params["method"], request, self._carry_out, self._spoil)

    def _spoil(self, _request: Request, fault: Fault) -> Response | None:
        match fault.kind:
            case "rate_limited":
                return _rate_limited(fault.options.get("retry_after", 1))
            case "ok_false":
                details = {key: value for key, value in fault.options.items() if key in ("needed", "provided")}
                error = fault.options.get("error", "internal_error")
                return JsonAnswer(SlackError(error, **details).reply, fault.options.get("status", 200))
            case "token_expired":
                return JsonAnswer(SlackError("token_expired").reply)
        return None

    async def _carry_out(self, request: Request) -> Response:
        name = request.path_params["method"]
        method = METHODS.get(name)
        if method is None:
            return JsonAnswer(SlackError("unknown_method").reply)
        if self._limit and (seconds := self._limit.refuse(name, method.calls_a_minute)):
            self.gate.refused(name)
            return _rate_limited(seconds)
        arguments = {**request.query_params, **await read_body(request)}
        try:
            self._authorise(request, method, arguments)
            reply = {"ok": True, **method.carry_out(self, arguments, request.state.fault)}
        except SlackError as error:
            reply = error.reply
        except _TooManyError:
            return await self._overload()
        if not self.workspace.switches.scopes_header:
            return JsonAnswer(reply)
        headers = {"X-OAuth-Scopes": ",".join(sorted(self.workspace.scopes))}
        if method.scope:
            headers["X-Accepted-OAuth-Scopes"] = method.scope
        return JsonAnswer(reply, headers=headers)

    async def _overload(self) -> Response:
        if self.workspace.switches.too_many == "slow":
            await asyncio.sleep(self.workspace.switches.slow_seconds)
        return PlainTextResponse("Internal Server Error", 500)

    def _authorise(self, request: Request, method: Method, arguments: Arguments) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not scheme and request.method == "POST" and "token" not in request.query_params:
            scheme, token = "bearer", str(arguments.get("token", ""))  # in the form, as older clients send it
        if scheme.lower() != "bearer" or not token:
            raise SlackError("not_authed")
        if token not in self.workspace.token_errors:
            raise SlackError("invalid_auth")
        if error := self.workspace.token_errors[token]:
            raise SlackError(error)
        granted = self.workspace.scopes
        if method.scope and method.scope not in granted:
            raise SlackError("missing_scope", needed=method.scope, provided=",".join(sorted(granted)))

    def auth_test(self, _arguments: Arguments, _fault: Fault | None) -> Reply:
        team = self.workspace.team
        shown = {"null": None, "other": "T0ELSEWHERE"}.get(self.workspace.switches.identity_team, team.id)
        reply: Reply = {
            "url": f"https://{team.domain}.slack.com/",
            "team": team.name,
            "team_id": shown,
            "user": "docebo_sync",
            "user_id": BOT_USER_ID,
            "bot_id": "B0SANDBOXBOT",
            "is_enterprise_install": self._org_token,
        }
        if expires_in := self.workspace.switches.token_expires_in:
            reply["expires_in"] = expires_in
        if organisation := self.workspace.organisation:
            reply["enterprise_id"] = organisation
        if self._org_token:
            # An org token's "team" is the organisation: slackapi/java-slack-sdk, SCIMClientImpl.java.
            reply |= {"team": team.enterprise_name, "team_id": team.enterprise_id, "enterprise_id": team.enterprise_id}
        return reply

    def team_info(self, arguments: Arguments, _fault: Fault | None) -> Reply:
        team = self.workspace.team
        if arguments.get("team", team.id) != team.id:
            raise SlackError("team_not_found")
        return {
            "team": {
                "id": team.id,
                "name": team.name,
                "domain": team.domain,
                "email_domain": team.email_domain,
                "url": f"https://{team.domain}.slack.com/",
                "icon": {"image_34": "https://avatars.example/team_34.png", "image_default": True},
            }
        }

    def team_profile_get(self, _arguments: Arguments, _fault: Fault | None) -> Reply:
        options = {"is_scim": False, "is_protected": False}
        shown = self.workspace.profile_fields
        definitions = [{"hint": "", "is_hidden": False, "options": options, **field} for field in shown]
        return {"profile": {"fields": definitions, "sections": []}}

    def usergroups_list(self, arguments: Arguments, _fault: Fault | None) -> Reply:
        """Show the user groups: https://docs.slack.dev/reference/methods/usergroups.list."""
        if (answer := self.workspace.switches.user_groups) != "on":
            raise SlackError(answer)
        if self._org_token and not arguments.get("team_id"):
            raise SlackError("missing_argument")
        with_users, with_count = (_is_true(arguments.get(name)) for name in ("include_users", "include_count"))
        return {
            "usergroups": [
                {
                    "id": group.id,
                    "team_id": self.workspace.team.id,
                    "is_usergroup": True,
                    "name": group.handle.title(),
                    "handle": group.handle,
                    "date_delete": 0,
                    **({"user_count": len(group.members)} if with_count else {}),
                    **({"users": sorted(group.members)} if with_users else {}),
                }
                for group in self.workspace.groups.values()
            ]
        }

    def usergroups_users_list(self, arguments: Arguments, _fault: Fault | None) -> Reply:
        """Show the members of one user group: https://docs.slack.dev/reference/methods/usergroups.users.list."""
        groups = {group.id: group for group in self.workspace.groups.values()}
        if (group := groups.get(str(arguments.get("usergroup")))) is None:
            raise SlackError("no_such_subteam")
        return {"users": sorted(group.members)}

    def migration_exchange(self, arguments: Arguments, _fault: Fault | None) -> Reply:
        """Tell the organisation's ids of local ones, or `to_old`: https://docs.slack.dev/reference/methods/migration.exchange."""
        if not self.workspace.organisation:
            raise SlackError("not_enterprise_team")
        asked = str(arguments.get("users", "")).split(",")
        if len(asked) > MOST_EXCHANGED:
            raise SlackError("too_many_users")
        other_id = self.workspace.local_id if arguments.get("to_old") == "true" else self.workspace.organisation_id
        found = {user_id: other_id(user_id) for user_id in asked}
        return {
            "team_id": self.workspace.team.id,
            "enterprise_id": self.workspace.organisation,
            "user_id_map": {user_id: now for user_id, now in found.items() if now},
            "invalid_user_ids": [user_id for user_id, now in found.items() if not now],
        }

    def users_info(self, arguments: Arguments, _fault: Fault | None) -> Reply:
        return {"user": self._shown(self._find(arguments), arguments)}

    def users_lookup_by_email(self, arguments: Arguments, _fault: Fault | None) -> Reply:
        wanted = str(arguments.get("email", "")).casefold()
        hidden = self.workspace.without_address | self.workspace.invisible
        for user in self.workspace:
            is_found = user["profile"].get("email", "").casefold() == wanted
            if is_found and not user["deleted"] and user["id"] not in hidden:
                return {"user": self._shown(user, {})}
        raise SlackError("users_not_found")

    def users_profile_get(self, arguments: Arguments, _fault: Fault | None) -> Reply:
        user = self._find(arguments)
        shown = {field["id"] for field in self.workspace.profile_fields if not field.get("is_hidden")}
        fields = {key: value for key, value in (user["profile"].get("fields") or {}).items() if key in shown}
        profile = self._shown(user, arguments)["profile"]
        shown_here = {"bot_id", "api_app_id", "team", "guest_invited_by", "guest_expiration_ts"}
        if _is_true(arguments.get("include_labels")):
            labels = {field["id"]: field["label"] for field in self.workspace.profile_fields}
            fields = {key: {**value, "label": labels.get(key, "")} for key, value in fields.items()}
        return {"profile": {**{k: v for k, v in profile.items() if k not in shown_here}, "fields": fields}}

    def _belongs_here(self, user: User) -> bool:
        """Tell whether the list contains the user: it shows nobody from other workspaces of the organisation.

        https://docs.slack.dev/enterprise/developing-for-enterprise-orgs
        """
        teams = user.get("enterprise_user", {}).get("teams")
        return not teams or self.workspace.team.id in teams

    def users_list(self, arguments: Arguments, fault: Fault | None) -> Reply:
        if self._org_token and not arguments.get("team_id"):
            raise SlackError("missing_argument")
        if self._org_token and arguments["team_id"] != self.workspace.team.id:
            raise SlackError("team_access_not_granted")
        total = len(self.workspace)
        limit = _page_size(arguments.get("limit"))
        switches = self.workspace.switches
        if limit is not None and limit > switches.most_people:
            if switches.too_many == "limit_required":
                raise SlackError("limit_required")
            if switches.too_many != "adjust":
                raise _TooManyError
            limit = switches.most_people
        if limit is None and total > TOO_MANY_FOR_ONE_REPLY:
            raise SlackError("limit_required")
        cursor = str(arguments.get("cursor") or "")
        start = self._position(cursor) if cursor else 0
        end = min(total, start + (limit or total))
        kind = fault.kind if fault else None
        if fault and kind == "shrinking":
            total = end = min(end, start + int((total - start) * float(fault.options.get("share", 0.5))))
        if kind == "empty_page":
            end = start
        members = [
            self._shown(user, arguments)
            for user in map(self.workspace.at, range(start, end))
            if self._belongs_here(user)
        ]
        self.gate.counters.rows["users.list"] += len(members)
        reply: Reply = {"members": members, "cache_ts": int(time.time()), "response_metadata": {"next_cursor": ""}}
        if kind == "repeated_cursor":
            reply["response_metadata"]["next_cursor"] = cursor or self._cursor(start)
        elif kind == "empty_page":
            reply["response_metadata"]["next_cursor"] = self._cursor(start, "again")
        elif end < total:
            reply["offset"] = self.workspace.population.id_of(end)
            reply["response_metadata"]["next_cursor"] = self._cursor(end)
        return reply

    def _cursor(self, index: int, *more: str) -> str:
        # The form seen in recordings of slack-ruby-client: base64 of the next user's id.
        return base64.b64encode(":".join(("user", self.workspace.population.id_of(index), *more)).encode()).decode()

    def _position(self, cursor: str) -> int:
        try:
            prefix, _, rest = base64.b64decode(cursor, validate=True).decode("ascii").partition(":")
        except ValueError:
            raise SlackError("invalid_cursor") from None
        index = self.workspace.index_of(rest.partition(":")[0]) if prefix == "user" else None
        if index is None:
            raise SlackError("invalid_cursor")
        return index

    def _find(self, arguments: Arguments) -> User:
        try:
            user = self.workspace.get(str(arguments.get("user", "")))
        except KeyError:
            raise SlackError("user_not_found") from None
        if user["id"] in self.workspace.invisible:
            raise SlackError("user_not_visible")
        return user

    def _shown(self, user: User, arguments: Arguments) -> User:
        if "users:read.email" not in self.workspace.scopes or user["id"] in self.workspace.without_address:
            user["profile"].pop("email", None)
        if not _is_true(arguments.get("include_locale")):
            user.pop("locale", None)
        match self.workspace.switches.fields_form:
            case "null" if "fields" in user["profile"]:
                user["profile"]["fields"] = None  # as slack-ruby-client recorded it for everybody
            case "list":
                user["profile"]["fields"] = []
            case "missing":
                user["profile"].pop("fields", None)
        return user


METHODS = {
    # Slack counts auth.test by its own measure, "hundreds a minute"; its SDK assumes 600.
    "auth.test": Method(SlackApi.auth_test, None, 600),
    "migration.exchange": Method(SlackApi.migration_exchange, None, 20),
    "team.info": Method(SlackApi.team_info, "team:read", 50),
    "team.profile.get": Method(SlackApi.team_profile_get, "users.profile:read", 50),
    "usergroups.list": Method(SlackApi.usergroups_list, "usergroups:read", 20),
    "usergroups.users.list": Method(SlackApi.usergroups_users_list, "usergroups:read", 20),
    "users.info": Method(SlackApi.users_info, "users:read", 100),
    "users.lookupByEmail": Method(SlackApi.users_lookup_by_email, "users:read.email", 50),
    "users.list": Method(SlackApi.users_list, "users:read", 20),
    "users.profile.get": Method(SlackApi.users_profile_get, "users.profile:read", 100),
}


def _rate_limited(seconds: float) -> Response:
    return JsonAnswer(SlackError("ratelimited").reply, 429, headers={"Retry-After": str(seconds)})


def _is_true(argument: Any) -> bool:
    return str(argument).lower() in ("1", "true")


def _page_size(argument: Any) -> int | None:
    """Return the page size asked for; a size out of range is adjusted without an error."""
    digits = "".join(itertools.takewhile(str.isdigit, str(argument or "")))
    return min(int(digits), LARGEST_PAGE) or None if digits else None
