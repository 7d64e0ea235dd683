"""How a program signs in to Prefect: the login with each request, a token with each write."""

import asyncio
import base64

import httpx
import pytest
from pydantic import SecretStr

from slack_docebo.clients.prefect_login import PrefectLogin

API = "http://prefect.test/api"
LOGIN = "admin:tryme"


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
            return httpx.Response(401)
        if request.url.path == "/api/csrf-token":
            self.asked_for_tokens += 1
            client = request.url.params["client"]
            self._good[client] = f"token-{self.asked_for_tokens}"
            return httpx.Response(self.tokens, json={"token": self._good[client]} if self.tokens == 200 else {})
        given = request.headers.get("prefect-csrf-client", ""), request.headers.get("prefect-csrf-token", "")
        is_protected = self.tokens not in {404, 422}
        if request.method != "GET" and is_protected and given not in self._good.items():
            return httpx.Response(403)
        return httpx.Response(200, json={})


def client_of(prefect: Prefect, login: str | None = LOGIN) -> httpx.Client:
    auth = PrefectLogin(API, SecretStr(login) if login else None)
    return httpx.Client(base_url=API, auth=auth, transport=httpx.MockTransport(prefect))


def test_many_reads_and_writes_ask_for_one_token():
    prefect = Prefect()
    with client_of(prefect) as http:
        statuses = {http.request(verb, "variables/").status_code for verb in ("GET", "POST", "PATCH", "DELETE", "POST")}

    assert (statuses, prefect.asked_for_tokens) == ({200}, 1)


def test_a_token_that_has_expired_is_replaced_once():
    prefect = Prefect()
    with client_of(prefect) as http:
        http.post("variables/")
        prefect.forget()

        assert http.post("variables/").status_code == 200
    assert prefect.asked_for_tokens == 2


async def test_writes_at_the_same_time_do_not_take_each_others_token_away():
    prefect = Prefect()
    auth = PrefectLogin(API, SecretStr(LOGIN))
    async with httpx.AsyncClient(base_url=API, auth=auth, transport=httpx.MockTransport(prefect)) as http:
        for _ in range(3):
            answers = await asyncio.gather(*(http.post("variables/") for _ in range(20)))
            prefect.forget()

            assert {answer.status_code for answer in answers} == {200}


def test_what_is_refused_for_good_is_tried_twice_and_no_more():
    prefect = Prefect()
    seen = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return prefect(request) if request.method == "GET" else httpx.Response(403)

    auth = PrefectLogin(API, SecretStr(LOGIN))
    with httpx.Client(base_url=API, auth=auth, transport=httpx.MockTransport(refuse)) as http:
        assert http.post("variables/").status_code == 403
    assert seen == ["GET", "POST", "GET", "POST"]


@pytest.mark.parametrize("without", [404, 422])
def test_a_server_without_tokens_is_written_to_without(without):
    with client_of(Prefect(tokens=without)) as http:
        assert http.post("variables/").status_code == 200


@pytest.mark.parametrize("busy", [429, 500, 503])
def test_a_server_that_gives_no_token_now_is_busy_and_nothing_is_written(busy):
    with client_of(Prefect(tokens=busy)) as http:
        assert http.post("variables/").status_code == busy


@pytest.mark.parametrize("login", [None, "admin:wrong"])
def test_a_wrong_login_is_a_refused_login_for_writes_as_well(login):
    with client_of(Prefect(), login) as http:
        assert {http.get("variables/").status_code, http.post("variables/").status_code} == {401}


@pytest.mark.parametrize("page", [b"<html>", b"[]", b"{}", b"\xff"])
def test_something_else_in_the_place_of_prefect_is_no_crash(page):
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, content=page))
    with httpx.Client(base_url=API, auth=PrefectLogin(API, None), transport=transport) as http:
        assert http.post("variables/").status_code == 200
