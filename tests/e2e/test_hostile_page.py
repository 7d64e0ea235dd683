"""A page of somebody else in the browser of an administrator: it reads nothing, starts nothing, and nobody outside is asked."""

import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, async_playwright

from deployments.local import free_port
from deployments.prefect_ui import CHROMIUM, OPTIONS, PATIENCE, PrefectUI
from slack_docebo.storage.store import Store
from tests.e2e.prefect_http import deployment
from tests.waiting import PATIENCE_SECONDS, until
from tests.webhook import entries, running_webhook

PAGE = (Path(__file__).parent / "hostile_page.html").read_bytes()
EVIL = "evil.example"  # leads to this machine, as its owner can make it do
RULES = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"
# Chromium has begun to ask people whether a page may reach their own machine. Other browsers do not.
LIKE_OTHERS = "--disable-features=LocalNetworkAccessChecks"
ATTACKERS = ["another site", "another port of this machine", "a page without origin", "a name that is led here"]
OFTEN = {"another site"}  # played by `make test`; the others by `make test-long`
REFUSAL = "This server is not called"
# What sends and hears nothing, or what every page hears of the frames it has; what arrived is seen at the other end.
UNHEARD = {
    "write a blob",
    "write a beacon",
    "write when leaving",
    "write a form",
    "write an ordinary form",
    "write a slack event",
    "send an event",
    "show it in a frame",
}


def kinds_of_page(*kinds):
    return [pytest.param(kind, marks=[] if kind in OFTEN else pytest.mark.long) for kind in kinds]


PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


class Handler(BaseHTTPRequestHandler):
    """The attacker's own server: its page under every path."""

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture(scope="module")
def attacker() -> Iterator[ThreadingHTTPServer]:
    with attackers_server() as server:
        yield server


@contextmanager
def attackers_server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as started:
        yield started


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        options = [*OPTIONS[:-1], RULES, LIKE_OTHERS]
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=options, timeout=PATIENCE)
        yield started
        await started.close()


@pytest.fixture(scope="module")
async def stranger(browser) -> AsyncIterator[BrowserContext]:
    """The browser of somebody who has not signed in."""
    async with browser_window(browser) as context:
        yield context


@pytest.fixture(scope="module")
async def administrator(browser, prefect_api) -> AsyncIterator[BrowserContext]:
    """The browser of somebody who has, and has Prefect's UI open."""
    async with browser_window(browser) as context:
        ui = PrefectUI(await context.new_page(), prefect_api.removesuffix("/api"))
        await ui.sign_in(os.environ["PREFECT_API_AUTH_STRING"])
        yield context


@pytest.fixture
def victims(stranger, administrator) -> dict[str, BrowserContext]:
    return {"stranger": stranger, "administrator": administrator}


@asynccontextmanager
async def browser_window(browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE)
    yield context
    await context.close()


@dataclass
class Attack:
    """What one visit to the hostile page brought."""

    mark: str
    got: dict[str, str]
    statuses: set[int] = field(default_factory=set)
    framed: list[str] = field(default_factory=list)

    @property
    def heard(self) -> dict[str, str]:
        """What the page got to know, but that a server is not called by the name that was led to it."""
        return {way: what for way, what in self.got.items() if what and not what.startswith(REFUSAL)}


async def attack(
    context: BrowserContext, attacker, kind: str, target: str, deployment_id: str = "none", *, patience: int = 0
) -> Attack:
    """Visit the hostile page of this *kind*, which does all it can to the server at *target*.

    With *patience*, milliseconds, it waits for each answer as long as a busy machine may need.
    """
    mark = f"hostile-{uuid4().hex[:8]}"
    host = "127.0.0.1" if kind == "another port of this machine" else EVIL
    port = attacker.server_port
    page = await context.new_page()
    done = Attack(mark, {})
    if kind == "a name that is led here":
        # The page came from the attacker's server; since then the name leads to this one.
        port = urlsplit(target).port
        target = f"http://{EVIL}:{port}"
        await page.route(f"{target}/page?*", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    query = urlencode({"target": target, "deployment": deployment_id, "mark": mark, "patience": patience})
    await page.goto(f"http://{host}:{port}/page?{query}")
    page.on("response", lambda answer: done.statuses.add(answer.status) if answer.url.startswith(target) else None)
    done.got = await page.evaluate("playSandboxed()" if kind == "a page without origin" else "play()")
    done.framed = [frame.url for frame in page.frames if frame.url.startswith(f"{target}/v2")]
    await page.close()
    return done


@contextmanager
def open_server() -> Iterator[tuple[str, list[str]]]:
    """Run a server that lets everybody do everything; yield its address, and what people sent."""
    sent: list[str] = []

    async def app(scope, receive, send):
        headers = {name.decode(): value.decode() for name, value in scope.get("headers", [])}
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept", "subprotocol": "prefect"})
            while (message := await receive())["type"] == "websocket.receive":
                sent.append(message["text"])
                await send({"type": "websocket.send", "text": "everything"})
        if scope["type"] != "http":
            return
        while (message := await receive()).get("more_body") or message.get("body"):
            sent.append(f"{scope['path']} {message['body'].decode()}")
            if not message.get("more_body"):
                break
        is_picture = scope["path"].endswith(".svg")
        kind = (
            "image/svg+xml" if is_picture else "text/css" if headers.get("sec-fetch-dest") == "style" else "text/html"
        )
        allowed = {
            "content-type": kind,
            "access-control-allow-origin": headers.get("origin", "*"),
            "access-control-allow-credentials": "true",
            "access-control-allow-headers": "authorization, content-type",
        }
        raw = [(name.encode(), value.encode()) for name, value in allowed.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": PICTURE if is_picture else b"0"})

    config = uvicorn.Config(app, port=free_port(), log_level="critical", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{config.port}", sent
    server.should_exit = True
    thread.join(PATIENCE_SECONDS)


@pytest.mark.parametrize("kind", kinds_of_page(*ATTACKERS))
async def test_a_server_that_keeps_nobody_away_is_read_and_written_in_every_way(stranger, attacker, kind):
    """Else the other tests would show nothing."""
    with open_server() as (address, sent):
        done = await attack(stranger, attacker, kind, address, patience=PATIENCE)
        for way in ("json", "text", "blob", "beacon", "keepalive", "form", "ordinary", "slack", "socket"):
            until(lambda way=way: f"{done.mark}-{way}" in " ".join(sent), lambda way=way: way)

    assert {way for way, what in done.got.items() if not what} <= UNHEARD
    assert done.statuses == {200}


@pytest.mark.parametrize("victim", [pytest.param("stranger", marks=pytest.mark.long), "administrator"])
@pytest.mark.parametrize("kind", kinds_of_page(*ATTACKERS))
async def test_nothing_is_read_from_prefect_and_nothing_started(victims, deployed, attacker, prefect_api, kind, victim):
    context = victims[victim]
    assert ("prefect-password" in json.dumps(await context.storage_state())) == (victim == "administrator")
    target = deployment(deployed, "doctor/is-everything-in-place")["id"]

    done = await attack(context, attacker, kind, prefect_api.removesuffix("/api"), target)

    assert done.heard == {}
    assert done.framed == []
    assert done.statuses <= {403, 421}
    assert runs_named(deployed, done.mark) == []
    assert events_named(deployed, done.mark) == []


@pytest.mark.parametrize("kind", kinds_of_page(*ATTACKERS[:-1]))
async def test_nothing_is_read_from_the_webhook_and_nothing_stored(stranger, attacker, sqlite_url, kind):
    with Store.open(sqlite_url) as store, running_webhook(store) as webhook:
        done = await attack(stranger, attacker, kind, webhook.url)

        assert done.heard == {}
        assert entries(store) == []


@pytest.mark.long
async def test_a_link_into_prefect_starts_nothing_by_itself(deployed, administrator, stranger, attacker, prefect_api):
    prefect, mark = prefect_api.removesuffix("/api"), f"hostile-{uuid4().hex[:8]}"
    wanted = {"job_variables": {"command": f"touch {mark}"}}
    query = urlencode({"parameters": "{}", "additionalOptions": json.dumps(wanted), "flow_run_name": mark})
    path = (
        f"{prefect}/v2/deployments/deployment/{deployment(deployed, 'doctor/is-everything-in-place')['id']}/run?{query}"
    )

    for context, shown in ((stranger, "Login"), (administrator, "Submit")):
        before = len(run_ids(deployed))
        page = await context.new_page()
        await page.goto(f"http://{EVIL}:{attacker.server_port}/")
        async with context.expect_page() as opening:
            await page.evaluate("address => { window.opened = window.open(address) }", path)
        opened = await opening.value
        await opened.get_by_role("button", name=shown).wait_for()

        assert await page.evaluate("opened.closed")  # a page of another origin holds nothing of ours in its hand
        assert len(run_ids(deployed)) == before
        await opened.close()
        await page.close()


@pytest.mark.long
async def test_prefects_pages_ask_nobody_outside(deployed, administrator, attacker, prefect_api):
    """Neither for what Prefect's makers would like to know, nor for a picture that somebody has put into a report."""
    prefect, asked = prefect_api.removesuffix("/api"), []
    picture = f"http://{EVIL}:{attacker.server_port}/picture.png"
    text = f"# A report\n\n![picture]({picture}) <img src='{picture}'>"
    report = {"key": "hostile-report", "type": "markdown", "data": text}
    made = deployed.post("artifacts/", json=report).raise_for_status().json()
    page = await administrator.new_page()
    page.on("request", lambda one: asked.append(one))
    for path in ("/", "/v2/runs", "/variables", "/v2/deployments", f"/v2/artifacts/artifact/{made['id']}"):
        await page.goto(prefect + path)
        if path != "/variables":  # a page of the older interface
            await PrefectUI(page, prefect).settle()
        await page.wait_for_load_state("networkidle")
    await page.get_by_alt_text("picture").wait_for()
    await page.close()

    outside = [one for one in asked if urlsplit(one.url).netloc not in {"", urlsplit(prefect).netloc}]
    assert {one.failure for one in outside} == {"csp"}  # wanted, and not sent
    assert "/picture.png" not in attacker.seen


def run_ids(http) -> set[str]:
    """The runs that somebody has asked for: schedules make theirs all the time."""
    query = {"flow_runs": {"deployment_id": {"any_": [deployment(http, "doctor/is-everything-in-place")["id"]]}}}
    return {run["id"] for run in http.post("flow_runs/filter", json=query).raise_for_status().json()}


def runs_named(http, mark: str) -> list:
    query = {"flow_runs": {"name": {"like_": mark}}}
    return http.post("flow_runs/filter", json=query).raise_for_status().json()


def events_named(http, mark: str) -> list:
    query = {"filter": {"event": {"prefix": [mark]}}}
    return http.post("events/filter", json=query).raise_for_status().json()["events"]
