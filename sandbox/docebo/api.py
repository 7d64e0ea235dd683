"""Docebo's REST API, as far as a client that keeps users calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.answers import JsonAnswer
from sandbox.bodies import read_body
from sandbox.docebo import batch
from sandbox.docebo.accounts import LEVELS, Account, UsernameTakenError
from sandbox.docebo.attributes import LANGUAGES, Field, RefusedError, nested
from sandbox.docebo.description import describe, importer_columns
from sandbox.docebo.jobs import Jobs
from sandbox.docebo.listing import BadQueryError, page_of, user_page
from sandbox.docebo.platform import CONNECT_USER_ID, Platform
from sandbox.docebo.tokens import GrantError, Tokens
from sandbox.faults import Fault
from sandbox.gate import MAINTENANCE_PAGE, Gate
from sandbox.limits import WindowLimit

FAULT_KINDS = frozenset({"token_expired", "empty_page", "shrinking", "rows_refused"})
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

ACTIVE_LANGUAGES = [{"code": name, "browsercode": code, "name": name.capitalize()} for code, name in LANGUAGES.items()]


class ApiError(Exception):
    """A call answered with an error body."""

    def __init__(self, status: int, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


class DoceboApi:
    """The REST API over one platform."""

    def __init__(self, platform: Platform, tokens: Tokens, gate: Gate, *, time_scale: float) -> None:
        self.platform = platform
        self.tokens = tokens
        self.gate = gate
        self._jobs = Jobs(platform)
        self._hour = WindowLimit(3600 * time_scale)
        self._batches = asyncio.Lock()
        self._batches_under_way = 0

    def routes(self) -> list[Route]:
        return [
            self._route("POST", "/oauth2/token", self._token, public=True),
            # Paths with a fixed last part come before the one with an id there.
            self._route("GET", "/manage/v1/user", self._list),
            self._route("POST", "/manage/v1/user", self._create),
            self._route("POST", "/manage/v1/user/batch", self._batch),
            self._route("POST", "/manage/v1/user/login", self._login, public=True),
            self._route("PUT", "/manage/v1/user/change_status", self._change_status),
            self._route("PUT", "/manage/v1/user/move_to_branch", self._move_to_branch),
            self._route("DELETE", "/manage/v1/user/delete", self._delete),
            self._route("GET", "/manage/v1/user/session", self._session, ordinary=True),
            self._route("GET", "/manage/v1/user/check_validity", self._check_validity),
            self._route("GET", "/manage/v1/user/check_username/{userid}", self._check_username),
            self._route("GET", "/manage/v1/user/importer_fields", self._importer_fields),
            self._route("GET", "/manage/v1/user/{id}", self._view),
            self._route("PUT", "/manage/v1/user/{id}", self._update),
            self._route("GET", "/manage/v1/user_fields", self._list_fields),
            self._route("POST", "/manage/v1/user_fields", self._create_field),
            self._route("GET", "/manage/v1/user_fields/{id}", self._view_field),
            self._route("GET", "/manage/v1/orgchart", self._orgchart),
            self._route("GET", "/manage/v1/managers", self._manager_types),
            self._route("GET", "/manage/v1/managers/candidates", self._candidates),
            self._route("GET", "/manage/v1/managers/{id}/subordinates", self._subordinates),
            self._route("GET", "/manage/v1/site/microservices", self._microservices, ordinary=True),
            Route("/swagger/{app}.json", self._swagger),
            self._route("GET", "/manage/v1/job", self._list_jobs),
            self._route("POST", "/manage/v1/job", self._start_job),
            self._route("GET", "/manage/v1/job/{hash}", self._view_job),
            self._route("PUT", "/manage/v1/job/{hash}", self._abort_job),
            self._route("DELETE", "/manage/v1/job/{hash}", self._delete_job),
        ]

    async def not_found(self, _request: Request, _error: Exception) -> Response:
        return self._error(ApiError(404, "Page not found."))

    def reset(self) -> None:
        """Forget tokens, jobs and the hour's calls; the platform is reset by itself."""
        self.tokens.reset()
        self._jobs.reset()
        self._hour.reset()

    def _route(self, verb: str, path: str, handler: Handler, *, public: bool = False, ordinary: bool = False) -> Route:
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
            return JsonAnswer({"data": answer, "version": "1.0.0", "_links": []}, headers=_VERSION)

        async def answer(request: Request) -> Response:
            if method == BATCH:
                return await self._one_batch_at_a_time(request, carry_out)
            return await self.gate.admit(method, request, carry_out, self._spoil)

        return Route(path, answer, methods=[verb])

    async def _one_batch_at_a_time(
        self, request: Request, carry_out: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Docebo forbids batch calls that overlap; what it does about them is not known."""
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
                self.tokens.invalidate(_bearer(request))
                return self._error(ApiError(401, "The access token provided has expired"))
        return None

    def _check_limit(self, request: Request, method: str) -> None:
        limit = self.platform.switches.hourly_limit
        client = request.client.host if request.client else ""
        if limit and self._hour.refuse(client, limit):
            self.gate.refused(method)
            raise ApiError(429, "Rate limit exceeded")

    def _authorise(self, request: Request, *, ordinary: bool) -> None:
        account = self.tokens.account(_bearer(request))
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
        """Answer what a single user's body says wrong; the HTTP status of that is not established."""
        if self.platform.switches.validation_style == "hard":
            return self._error_body(400, error.reason)
        message = [{"id": error.attribute, "message": error.reason}]
        return JsonAnswer(
            {"data": {"success": False, "message": message}, "version": "1.0.0", "_links": []}, headers=_VERSION
        )

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

    async def _list(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        query: dict[str, Any] = {**body, **request.query_params}
        if "exclude[]" in request.query_params:
            query["exclude[]"] = request.query_params.getlist("exclude[]")
        fault = request.state.fault
        share = float(fault.options.get("share", 0.5)) if fault and fault.kind == "shrinking" else 1.0
        counted = not (fault and fault.options.get("uncounted"))
        try:
            empty = bool(fault and fault.kind == "empty_page")
            page = user_page(query, self.platform, share=share, counted=counted, empty=empty)
        except BadQueryError as error:
            raise ApiError(400, str(error)) from error
        self.gate.counters.rows["GET /manage/v1/user"] += page["count"]
        return page

    async def _view(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        account = self._account(request.path_params["id"])
        text = str if self.platform.switches.string_ids else int
        user_data = {
            "user_id": text(account.user_id),
            "username": self.platform.shown(account.username),
            "first_name": account.firstname,
            "last_name": account.lastname,
            "email": account.email,
            "valid": text(int(account.active)),
            "level": self.platform.level(account.level, text(LEVELS[account.level])),
            "timezone": account.timezone,
            "date_format": account.date_format,
            "expiration": account.expiration,
            "force_change": text(int(account.force_change)),
            "email_validation_status": text(int(account.email_validated)),
        }
        fields = [
            {**_described(field, self._options(field)), "value": account.fields.get(field.id)}
            for field in self.platform.fields.values()
        ]
        branches = [{"id": branch_id} for branch_id in account.branches]
        shown = {"branches": branches} if self.platform.switches.branches_shown else {}
        return {"user_data": user_data, "additional_fields": fields, **shown}

    async def _session(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        account = self.tokens.account(_bearer(request))
        assert account is not None
        if (without := self.platform.switches.without_user) == "empty":
            return {"id": None, "username": None}
        if without:
            raise ApiError(int(without), "This token has no user.")
        return {
            "id": self._shown_id(account.user_id),
            "username": self.platform.shown(account.username),
            "firstname": account.firstname,
            "lastname": account.lastname,
            "email": account.email,
            "user_level": self.platform.switches.session_level or account.level,
            "timezone": account.timezone,
            "language": account.language,
            **({"active_languages": ACTIVE_LANGUAGES} if self.platform.switches.session_languages else {}),
        }

    async def _create(self, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
        attributes = self.platform.reader().single(body)
        name = attributes.get("email") if self.platform.switches.email_as_username else body.get("userid")
        for attribute, value in (("userid", name), ("password", attributes.get("password"))):
            if not value:
                raise RefusedError(attribute, "Required field")
        try:
            account = self.platform.accounts.add(self.platform.reader().name(str(name)), **attributes)
        except UsernameTakenError:
            raise RefusedError("userid", "Username not available") from None
        self.platform.notified += bool(body.get("send_notification_email"))
        self.gate.counters.rows["created"] += 1
        return {"success": True, "user_id": self._shown_id(account.user_id), "confirmation_needed": False}

    async def _update(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        account = self._account(request.path_params["id"])
        attributes = self.platform.reader().single(body)
        if self.platform.switches.email_as_username:
            if attributes.get("email"):
                attributes["username"] = attributes["email"]
        elif body.get("userid"):
            attributes["username"] = self.platform.reader().name(str(body["userid"]))
        self._change(account, attributes)
        return {"success": True, "updated_id": self._shown_id(account.user_id)}

    async def _move_to_branch(self, _request: Request, body: dict[str, Any]) -> Any:
        [branch_id] = [int(one) for one in body["branch_ids"]]
        if branch_id not in self.platform.branches:
            raise ApiError(400, "Branch not found")
        user_ids = [] if "move" in self.platform.switches.ignored.split(",") else map(int, body["user_ids"])
        for user_id in user_ids:
            if self.platform.accounts.get(user_id) is not None:
                self.platform.edit(user_id, {"branches": (branch_id,)})
        return {"success": True}

    async def _change_status(self, _request: Request, body: dict[str, Any]) -> Any:
        active = str(body.get("status")) == "1"
        if str(body.get("status")) not in ("0", "1"):
            raise ApiError(400, "status must be 0 or 1")
        updated, not_updated = [], []
        changes = {} if "status" in self.platform.switches.ignored.split(",") else {"active": active}
        for user_id in body.get("user_ids", ()):
            try:
                self._change(self._account(user_id), changes)
                updated.append(str(user_id))
            except ApiError:
                not_updated.append(str(user_id))
        success = bool(updated) or not not_updated
        told = {"success": success, "updated_ids": updated, "not_updated_ids": not_updated}
        rows = [{"user_id": user_id, "success": user_id in updated} for user_id in (*updated, *not_updated)]
        answers = {"array": [told], "ids": updated, "rows": rows, "silent": {"success": success}}
        return answers.get(self.platform.switches.status_answer, told)

    async def _delete(self, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
        accounts = [self._known(user_id) for user_id in body.get("user_ids", ())]
        accounts += [self.platform.accounts.by_username(str(name)) for name in body.get("user_names", ())]
        deleted = []
        for account in accounts:
            if account and account.user_id != CONNECT_USER_ID:
                self.platform.delete(account.user_id)
                deleted.append(self._shown_id(account.user_id))
        self.gate.counters.rows["deleted"] += len(deleted)
        return {"success": True, "deleted_user_ids": deleted}

    async def _check_username(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        return {"success": self.platform.accounts.by_username(request.path_params["userid"]) is None}

    async def _check_validity(self, _request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        return {"success": True, "message": []}

    async def _batch(self, request: Request, body: dict[str, Any]) -> Any:
        try:
            batch.check(body, self.platform)
        except batch.BatchRefusedError as error:
            raise ApiError(error.status, error.message, error.code) from error
        fault = request.state.fault
        refused = {}
        if fault and fault.kind == "rows_refused":
            reason = fault.options.get("message", "User cannot be updated")
            refused = {name.casefold(): reason for name in fault.options["usernames"]}
        results = batch.carry_out(body["items"], body["options"], self.platform, refused)
        self.gate.counters.rows.update(batch.count(results))
        self.gate.counters.rows[BATCH] += len(results)
        base = self.platform.switches.row_index_base
        answers = [
            {
                "row_index": index,
                "success": result.error is None,
                "message": result.error or "",
                "output": {
                    "user_id": None if result.user_id is None else self._shown_id(result.user_id),
                    "username": result.username and self.platform.shown(result.username),
                    "error": result.error,
                },
            }
            for index, result in enumerate(results, start=base)
        ]
        if self.platform.switches.batch_answer == "object":
            return {str(place): answer for place, answer in enumerate(answers)}
        if self.platform.switches.batch_answer == "failed":
            return [answer for answer in answers if not answer["success"]]
        return answers

    async def _list_fields(self, request: Request, _body: dict[str, Any]) -> Any:
        fields = list(self.platform.fields.values())
        if request.query_params.get("as_array") == "1":
            entries = [{**self._field_item(f), "options": _described(f, self._options(f))["options"]} for f in fields]
            if not self.platform.switches.arrays_paged:
                return entries
            size = min(int(request.query_params.get("page_size", 200)), 200)
            first = (int(request.query_params.get("page", 1)) - 1) * size
            return entries[first : first + size]
        items = [self._field_item(field) for field in fields]
        return {"items": items, "has_more_data": False, "count": len(items), "current_page": 1}

    async def _view_field(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        field_id = request.path_params["id"]
        if not field_id.isdigit() or int(field_id) not in self.platform.fields:
            raise ApiError(404, "Additional field not found")
        field = self.platform.fields[int(field_id)]
        options = [
            {"option_id": number, "translations": {"english": label}} for number, label in self._options(field).items()
        ]
        return {"type": field.type, "translations": {"english": field.title}, "dropdown_options": options}

    async def _importer_fields(self, _request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        return {"fields": importer_columns(self.platform.switches.description_lacks)}

    async def _create_field(self, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
        translations = body.get("translations") or {}
        if not translations or not body.get("type"):
            raise ApiError(400, "type and translations are required")
        title = translations.get("all") or translations.get(self.platform.switches.platform_language)
        if not title:
            raise ApiError(400, "The title in the platform's language is required")
        field = self.platform.add_field(
            title,
            str(body["type"]),
            mandatory=str(body.get("mandatory", 0)) == "1",
            invisible_to_user=str(body.get("invisible_to_user", 0)) == "1",
        )
        return {"user_field_id": field.id}

    async def _manager_types(self, _request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        """Answer with an envelope also to `as_array`: the client that sends it reads `data.items`."""
        items = [{"id": self._shown_id(key), "title": title} for key, title in self.platform.manager_types.items()]
        return {"items": items, "count": len(items), "has_more_data": False}

    async def _candidates(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        """Answer with who may become a manager, in the two keys that a client reads; who may not is not known."""
        text = request.query_params.get("search_text", "").casefold()
        items = [
            {"manager_id": self._shown_id(account.user_id), "manager_email": account.email}
            for account in self.platform.accounts
            if account.active and (text in account.email.casefold() or text in account.username.casefold())
        ]
        return self._page_of(items, request)

    async def _subordinates(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        """Answer with whose manager this account is, as any type: of their keys, clients read these first."""
        manager = self._account(request.path_params["id"])
        items = [
            {"user_id": self._shown_id(account.user_id), "username": self.platform.shown(account.username)}
            for account in self.platform.accounts
            if manager.user_id in account.managers.values()
        ]
        return self._page_of(items, request)

    def _page_of(self, items: list[dict[str, Any]], request: Request) -> dict[str, Any]:
        try:
            return page_of(items, request.query_params)
        except BadQueryError as error:
            raise ApiError(400, str(error)) from error

    async def _orgchart(self, _request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        items = [
            {
                "id": self._shown_id(branch.id),
                "code": branch.code,
                "title": branch.title,
                "lev": level,
                "i_left": left,
                "i_right": right,
                "selectable": 1,
            }
            for branch, level, left, right in nested(self.platform.branches)
        ]
        return {"items": items, "count": len(items), "has_more_data": False}

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

    def _account(self, user_id: Any) -> Account:
        account = self._known(user_id)
        if account is None:
            raise ApiError(404, "User not found")
        return account

    def _known(self, user_id: Any) -> Account | None:
        return self.platform.accounts.get(int(user_id)) if str(user_id).isdigit() else None

    def _change(self, account: Account, attributes: Mapping[str, Any]) -> None:
        try:
            changed = self.platform.accounts.change(account.user_id, attributes)
        except UsernameTakenError:
            raise RefusedError("userid", "Username not available") from None
        self.gate.counters.rows["updated" if changed else "unchanged"] += 1

    def _field_item(self, field: Field) -> dict[str, Any]:
        described = _described(field, self._options(field))
        keys = {"id": ("id",), "id_field": ("id_field",), "both": ("id", "id_field")}
        item = {key: self._shown_id(field.id) for key in keys[self.platform.switches.field_id_key]}
        return {**item, "title": field.title, "type": field.type, "sequence": field.id} | {
            key: str(described[key]) for key in ("mandatory", "invisible_to_user")
        }

    def _options(self, field: Field) -> Mapping[int, str]:
        """Return the options that are shown of *field*."""
        return field.options if field.type == "dropdown" or self.platform.switches.country_options else {}

    def _shown_id(self, number: int) -> int | str:
        return str(number) if self.platform.switches.string_ids else number


def _described(field: Field, options: Mapping[int, str]) -> dict[str, Any]:
    return {
        "id": field.id,
        "title": field.title,
        "type": field.type,
        "mandatory": int(field.mandatory),
        "invisible_to_user": int(field.invisible_to_user),
        "options": [{"id": number, "label": label} for number, label in options.items()],
    }


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""
