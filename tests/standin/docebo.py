"""Another Docebo: written from the contract alone, and unlike the sandbox wherever the contract leaves it open.

Rows are counted from 1, ids and flags are text, a batch takes 50 rows, languages go by name and dropdowns by id. Two of the
options that clients send are unknown to it, also to its description, and it refuses a call with them. Each ninth call is
one too many, and told so in plain text. Nothing here is shared with the sandbox, nor with the product.
"""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET, TOKEN = "tenant-app", "tenant-secret", "t-0001"
MOST_ROWS = 50
ONE_TOO_MANY = 9
NAMES = {"en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "ja": "japanese"}
GRADE = 71  # an additional field with options
GRADES = {"501": "Junior", "502": "Senior"}
ROW = ("username", "user_id", "new_username", "firstname", "lastname", "email", "active", "language", "timezone")
OPTIONS = (
    "update_user_info", "branch_option", "destination_branch", "force_create_branches", "change_user_password",
    "ignore_password_change_for_existing_users", "send_notification_email",
)  # fmt: skip
NEW = {
    "username": "", "email": "", "firstname": "", "lastname": "", "language": "english", "timezone": "UTC",
    "active": True, f"field_{GRADE}": "",
}  # fmt: skip


class Refusal(Exception):
    """The answer is an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Tenant:
    """The people of one platform, and what its clients have asked of it."""

    def __init__(self) -> None:
        self.people: dict[int, dict[str, Any]] = {}
        self.batches: list[int] = []  # rows of the calls that were carried out
        self.refused: list[str] = []
        self.calls = 0
        self._ids = itertools.count(9001)
        self.join(username="root", email="root@tenant.example", firstname="Root", lastname="Root", level="god_admin")

    def join(self, **said: Any) -> int:
        """Add somebody, and return the id."""
        number = next(self._ids)
        self.people[number] = {**NEW, "level": "user", **said}
        return number

    def named(self, username: str) -> int | None:
        """Return who signs in under this name."""
        wanted = username.lower()
        return next((number for number, one in self.people.items() if one["username"].lower() == wanted), None)

    # Calls

    def session(self, _request: Request, _body: Any) -> Any:
        languages = [{"code": name, "browsercode": code} for code, name in NAMES.items()]
        root = self.people[9001]
        return {"id": "9001", "username": root["username"], "user_level": "super_admin", "active_languages": languages}

    def listing(self, request: Request, _body: Any) -> Any:
        asked = request.query_params
        text = asked.get("search_text", "").lower()
        found = [
            number
            for number, one in self.people.items()
            if not text or any(text in str(one[key]).lower() for key in ("username", "email", "firstname", "lastname"))
        ]
        found.sort(key=lambda number: str(self.people[number]["username"]))
        size, page = min(200, int(asked.get("page_size", 200))), int(asked.get("page", 1))
        shown = found[(page - 1) * size : page * size]
        more = len(found) > page * size
        counted = {"total_count": str(len(found))} if asked.get("get_total_count") == "1" else {}
        return {"items": [self._listed(number) for number in shown], "has_more_data": str(int(more)), **counted}

    def view(self, request: Request, _body: Any) -> Any:
        number = int(request.path_params["number"])
        if number not in self.people:
            raise Refusal(404, "No such user")
        one = self.people[number]
        field = {"id": str(GRADE), "title": "Grade", "type": "dropdown", "value": one[f"field_{GRADE}"]}
        return {
            "user_data": {
                "user_id": str(number), "username": one["username"], "first_name": one["firstname"],
                "last_name": one["lastname"], "email": one["email"], "valid": str(int(one["active"])),
                "level": "3" if one["level"] == "god_admin" else "6", "timezone": one["timezone"], "force_change": "0",
            },
            "additional_fields": [field],
            "branches": ["1"],
        }  # fmt: skip

    def batch(self, _request: Request, body: Any) -> Any:
        rows, options = body["items"], body["options"]
        if "branch_option" not in options:
            raise Refusal(400, "Opzione mancante: branch_option")
        if unknown := sorted(options.keys() - set(OPTIONS)):
            raise Refusal(400, f"Opzione sconosciuta: {unknown[0]}")
        if len(rows) > MOST_ROWS:
            raise Refusal(400, "Troppe righe")
        self.batches.append(len(rows))
        return [self._carried_out(place, row, options) for place, row in enumerate(rows, start=1)]

    def change_status(self, _request: Request, body: Any) -> Any:
        answers = []
        for number in map(int, body["user_ids"]):
            if number in self.people:
                self.people[number]["active"] = str(body["status"]) == "1"
            answers.append({"id": str(number), "success": number in self.people})
        return answers

    def fields(self, _request: Request, _body: Any) -> Any:
        options = [{"id": key, "label": label} for key, label in GRADES.items()]
        return [{"id_field": str(GRADE), "title": "Grade", "type": "dropdown", "options": options}]

    def field(self, _request: Request, _body: Any) -> Any:
        options = [{"option_id": key, "translations": {"english": label}} for key, label in GRADES.items()]
        return {"type": "dropdown", "dropdown_options": options}

    def branches(self, _request: Request, _body: Any) -> Any:
        return {"items": [{"id": "1", "code": "ROOT", "title": "Tenant"}], "has_more_data": "0"}

    def services(self, request: Request, _body: Any) -> Any:
        return [{"app": "manage", "url": f"{request.base_url}description/manage"}]

    def description(self, _request: Request) -> Response:
        """Describe everything in OpenAPI 3, but for the options that are unknown here."""
        row = {"type": "object", "properties": {name: {"type": "string"} for name in ROW}}
        options = {"type": "object", "properties": {name: {} for name in OPTIONS}}
        batch = {"properties": {"items": {"type": "array", "items": row}, "options": options}}
        status = {"properties": {"user_ids": {"type": "array"}, "status": {}}}
        listed = ("page", "page_size", "search_text", "match_type", "sort_attr", "sort_dir", "get_total_count")
        fields = {"type": {}, "translations": {}, "mandatory": {}, "invisible_to_user": {}}
        paths = {
            "/user/session": {"get": {}},
            "/user": {"get": _asking(*listed)},
            "/user/{id}": {"get": {}},
            "/user/batch": {"post": _sending(batch)},
            "/user/change_status": {"put": _sending(status)},
            "/user_fields": {"get": _asking("page", "page_size", "as_array"), "post": _sending({"properties": fields})},
            "/orgchart": {"get": _asking("page", "page_size", "flattened")},
        }
        return JSONResponse({"openapi": "3.0.0", "servers": [{"url": "/manage/v1"}], "paths": paths})

    # Rows

    def _listed(self, number: int) -> dict[str, Any]:
        one = self.people[number]
        return {
            "user_id": str(number), "username": f"/{one['username']}", "first_name": one["firstname"],
            "last_name": one["lastname"], "email": one["email"], "level": one["level"],
            "status": str(int(one["active"])), "language": one["language"], "lang_code": one["language"],
            "timezone": one["timezone"], f"field_{GRADE}": one[f"field_{GRADE}"] or None,
        }  # fmt: skip

    def _carried_out(self, place: int, row: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        try:
            number = self._written(row, options)
        except Refusal as why:
            self.refused.append(str(why))
            return {"row_index": str(place), "success": "0", "message": [str(why)], "output": {"user_id": None}}
        return {"row_index": str(place), "success": "1", "message": "Array", "output": {"user_id": str(number)}}

    def _written(self, row: dict[str, Any], options: dict[str, Any]) -> int:
        said = {key: value for key, value in row.items() if key not in {"user_id", "username", "new_username"}}
        if unknown := sorted(said.keys() - NEW.keys()):
            raise Refusal(400, f"Colonna sconosciuta: {unknown[0]}")
        if "language" in said and said["language"] not in NAMES.values():
            raise Refusal(400, "Lingua non valida")
        if said.get(f"field_{GRADE}") and said[f"field_{GRADE}"] not in GRADES:
            raise Refusal(400, "Valore non valido")
        number = int(row["user_id"]) if "user_id" in row else self.named(row["username"])
        if number is None:
            return self.join(username=row["username"], **said)
        if number not in self.people or not options["update_user_info"]:
            raise Refusal(400, "Utente esistente")
        self.people[number] |= said | ({"username": row["new_username"]} if "new_username" in row else {})
        return number


def _asking(*names: str) -> dict[str, Any]:
    return {"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]}


def _sending(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def application(tenant: Tenant) -> Starlette:
    """Return what answers for the *tenant* over HTTP."""

    async def token(request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        if (form.get("client_id"), form.get("client_secret")) != ([CLIENT_ID], [CLIENT_SECRET]):
            return JSONResponse({"error": "invalid_client"}, 400)
        return JSONResponse({"access_token": TOKEN, "expires_in": "7200", "token_type": "bearer"})

    def route(verb: str, path: str, called: Any) -> Route:
        async def answer(request: Request) -> Response:
            tenant.calls += 1
            if tenant.calls % ONE_TOO_MANY == 0:
                return PlainTextResponse("slow down", 429)
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return JSONResponse({"message": "no"}, 401)
            try:
                body = await request.json() if verb != "GET" else None
                return JSONResponse({"data": called(request, body), "version": "1.0.0"})
            except Refusal as why:
                return JSONResponse({"message": str(why), "code": 0, "status": why.status}, why.status)

        return Route(f"/manage/v1{path}", answer, methods=[verb])

    async def describe(request: Request) -> Response:
        return tenant.description(request)

    return Starlette(
        routes=[
            Route("/oauth2/token", token, methods=["POST"]),
            Route("/description/manage", describe),
            route("GET", "/user", tenant.listing),
            route("GET", "/user/session", tenant.session),
            route("POST", "/user/batch", tenant.batch),
            route("PUT", "/user/change_status", tenant.change_status),
            route("GET", "/user/{number:int}", tenant.view),
            route("GET", "/user_fields", tenant.fields),
            route("GET", "/user_fields/{number:int}", tenant.field),
            route("GET", "/orgchart", tenant.branches),
            route("GET", "/site/microservices", tenant.services),
        ]
    )


@contextmanager
def serving(tenant: Tenant) -> Iterator[str]:
    """Serve the *tenant* on a free port of this machine, and yield its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application(tenant), log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
