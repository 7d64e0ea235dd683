"""How a program signs in to Prefect: the login with each request, a token with each write."""

import asyncio
import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from pydantic import SecretStr

from slack_docebo.clients.prefect_client import PrefectClient

API = "http://prefect.test/api"
LOGIN = "admin:tryme"


def answer(status: int, body: bytes = b"{}") -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(body))


class Prefect:
    """Answers as Prefect's server does where it asks for login and tokens."""

    def __init__(self, *, login: str = LOGIN, tokens: int = 200) -> None:
        self.login = f"Basic {base64.b64encode(login.encode()).decode()}"
        self.tokens = tokens
        self.asked_for_tokens = 0
        self._good: dict[str, str] = {}

    def forget(self) -> None:
        self._good.clear()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != self.login:
            return answer(401)
        if request.url.path == "/api/csrf-token":
            self.asked_for_tokens += 1
            client = request.url.params["client"]
            self._good[client] = f"token-{self.asked_for_tokens}"
            return answer(self.tokens, json.dumps({"token": self._good[client]}).encode())
        given = request.headers.get("prefect-csrf-client", ""), request.headers.get("prefect-csrf-token", "")
        is_protected = self.tokens not in {404, 422}
        if request.method != "GET" and is_protected and given not in self._good.items():
            return answer(403)
        return answer(200)


def client_of(prefect: Callable[[httpx.Request], httpx.Response], login: str | None = LOGIN) -> PrefectClient:
    client = PrefectClient(API, lambda: SecretStr(login) if login else None, seconds=5)
    client._transport = httpx.MockTransport(prefect)
    return client


class Admin(BaseHTTPRequestHandler):
    """A server, or a proxy, that answers whatever it is asked."""

    def do_GET(self) -> None:
        self.server.asked = self.path
        self.send_response(200)
        self.end_headers()


@pytest.mark.parametrize(("host", "asked"), [("127.0.0.1", "/api/version"), ("prefect.test", "http://prefect.test")])
async def test_a_proxy_is_told_no_login_of_what_runs_on_this_machine(host, asked, monkeypatch):
    with HTTPServer(("127.0.0.1", 0), Admin) as server:
        answering = threading.Thread(target=server.handle_request, daemon=True)
        answering.start()
        proxy = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("http_proxy", proxy)
        port = f":{server.server_port}" if host == "127.0.0.1" else ""
        async with PrefectClient(f"http://{host}{port}/api", lambda: SecretStr(LOGIN), seconds=5) as http:
            await http.get("version")
        answering.join()

    assert server.asked.startswith(asked)


async def test_many_reads_and_writes_ask_for_one_token():
    prefect = Prefect()
    async with client_of(prefect) as http:
        verbs = ("GET", "POST", "PATCH", "DELETE", "POST")
        statuses = {(await http.request(verb, "variables/")).status_code for verb in verbs}

    assert (statuses, prefect.asked_for_tokens) == ({200}, 1)


async def test_a_token_that_has_expired_is_replaced_once():
    prefect = Prefect()
    async with client_of(prefect) as http:
        await http.post("variables/")
        prefect.forget()

        assert (await http.post("variables/")).status_code == 200
    assert prefect.asked_for_tokens == 2


async def test_writes_at_the_same_time_do_not_take_each_others_token_away():
    prefect = Prefect()
    async with client_of(prefect) as http:
        for _ in range(3):
            answers = await asyncio.gather(*(http.post("variables/") for _ in range(20)))
            prefect.forget()

            assert {answer.status_code for answer in answers} == {200}


async def test_what_is_refused_for_good_is_tried_twice_and_no_more():
    prefect, seen = Prefect(), []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return prefect(request) if request.method == "GET" else answer(403)

    async with client_of(refuse) as http:
        assert (await http.post("variables/")).status_code == 403
    assert seen == ["GET", "POST", "GET", "POST"]


@pytest.mark.parametrize("without", [404, 422])
async def test_a_server_without_tokens_is_written_to_without(without):
    async with client_of(Prefect(tokens=without)) as http:
        assert (await http.post("variables/")).status_code == 200


@pytest.mark.parametrize("busy", [429, 500, 503])
async def test_a_server_that_gives_no_token_now_is_busy_and_nothing_is_written(busy):
    async with client_of(Prefect(tokens=busy)) as http:
        assert (await http.post("variables/")).status_code == busy


@pytest.mark.parametrize("login", [None, "admin:wrong"])
async def test_a_wrong_login_is_a_refused_login_for_writes_as_well(login):
    async with client_of(Prefect(), login) as http:
        answers = [await http.get("variables/"), await http.post("variables/")]

    assert {answer.status_code for answer in answers} == {401}


@pytest.mark.parametrize("page", [b"<html>", b"[]", b"{}", b"\xff"])
async def test_something_else_in_the_place_of_prefect_is_no_crash(page):
    async with client_of(lambda _request: answer(200, page)) as http:
        assert (await http.post("variables/")).status_code == 200
