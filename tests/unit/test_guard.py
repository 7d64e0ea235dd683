"""Who is let through to Prefect's server, by what a browser says of where a request comes from."""

import asyncio
import base64
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.guard import Guard

PUBLIC = "https://prefect.acme.com"
OUR_HOSTS = [
    "127.0.0.1:4200",
    "localhost",
    "LOCALHOST:4200",
    "localhost.",
    "[::1]:4200",
    "10.1.2.3:4200",  # how Kubernetes asks whether we are alive
    "server:4200",
    "prefect.acme.com",
    "Prefect.Acme.com.:443",
]
FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:4200",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.localhost",
    "evil@127.0.0.1",
    "127.0.0.1@evil.example",
    "127.0.0.1:4200,evil.example",
    "127.1",
    "2130706433",
    "0x7f000001",
    "[::1",
    "[]:4200",
    "localhost:4200:4200",
    "localhost:port",
    "localhost/evil",
    "",
    " ",
]
FOREIGN_ORIGINS = [
    "null",
    "",
    "http://evil.example",
    "http://127.0.0.1:8400",  # our own webhook is another origin
    "http://localhost:4200",
    "http://127.0.0.1:4200.evil.example",
    "http://127.0.0.1:42000",
    "http://127.0.0.1:4200/",
    "file://127.0.0.1:4200",
    "chrome-extension://127.0.0.1:4200",
    "http://prefect.acme.com",
    "https://prefect.acme.com:8443",
    "http://127.0.0.1:4200 http://evil.example",
]


async def application(scope, receive, send):
    """Serves whatever comes through."""
    await receive()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"served"})


GUARDED = Guard(application, names=["server", "prefect.acme.com"], origins=[PUBLIC])


@dataclass
class Answer:
    """What the client is told."""

    status: int
    headers: dict[str, str]


def ask(method: str = "GET", path: str = "/api/health", *hosts: str, kind: str = "http", **headers: str) -> Answer:
    """Send a request, or open a websocket, to 127.0.0.1:4200 or the *hosts* that the client names instead."""
    named = [(b"host", host.encode()) for host in hosts or ("127.0.0.1:4200",)]
    named += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "path": path, "headers": named, "http_version": "1.1"}
    sent = []

    async def receive():
        return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

    async def send(message):
        sent.append(message)

    asyncio.run(GUARDED({**scope, **({"method": method} if kind == "http" else {})}, receive, send))
    first = sent[0]
    status = {"websocket.accept": 101, "websocket.close": 403}.get(first["type"]) or first["status"]
    return Answer(status, {name.decode(): value.decode() for name, value in first.get("headers", [])})


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", OUR_HOSTS)
def test_it_answers_to_its_own_names_and_to_addresses(kind, host):
    assert ask("GET", "/api", host, kind=kind).status in {200, 101}


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_it_answers_to_no_other_name(host):
    assert ask("GET", "/api/health", host).status == 421
    assert ask("GET", "/api/events/out", host, kind="websocket").status == 403


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30))
def test_no_text_before_a_foreign_name_makes_it_ours(text):
    assert ask("GET", "/api/health", f"{text}.example").status == 421


def test_a_request_that_names_two_hosts_is_refused():
    assert ask("GET", "/api/health", "localhost", "evil.example").status == 421


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("origin", ["http://127.0.0.1:4200", PUBLIC])
def test_its_own_pages_may_read_write_and_listen(kind, origin):
    assert {ask(method, origin=origin, kind=kind).status for method in ("GET", "POST")} <= {200, 101}


def test_a_port_that_was_forwarded_has_pages_of_its_own():
    assert ask("POST", "/api", "localhost:9000", origin="http://localhost:9000").status == 200


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_pages_of_another_origin_may_do_nothing(origin):
    assert {ask(method, origin=origin).status for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS")} == {403}
    assert ask(kind="websocket", origin=origin).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("what", ["image", "script", "iframe", "object", "empty", "style"])
def test_what_another_page_includes_is_refused(site, what):
    mode = "navigate" if what in {"iframe", "object"} else "no-cors"

    assert ask(sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest=what).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_link_can_be_followed_but_not_a_foreign_form(site):
    following = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}

    assert ask(path="/v2/runs", **following).status == 200
    assert ask("POST", **{**following, "sec_fetch_site": "cross-site"}).status == 403


@pytest.mark.parametrize(
    ("login", "status"),
    [("admin:sécret", 401), ("\N{PILE OF POO}:\N{PILE OF POO}", 401), ("admin:wrong", 200), ("", 200)],
)
@pytest.mark.parametrize("blank", [" ", "\t", "  "])
def test_a_login_that_prefect_would_stumble_over_is_a_wrong_one(login, status, blank):
    authorization = f"Basic{blank}{base64.b64encode(login.encode()).decode()}"

    assert ask(authorization=authorization).status == status


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc"])
def test_the_schema_is_not_shown_without_a_login(path):
    assert ask(path=path).status == 404


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_every_answer_forbids_frames_other_origins_and_anything_from_outside(host):
    headers = ask("GET", "/v2", host).headers

    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not [source for source in policy.values() if "http" in source or "*" in source]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
