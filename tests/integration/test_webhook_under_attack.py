"""The webhook directly as it listens, with nothing in front, before whoever can reach its port."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvloop
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from bench import slack_events as bench
from bench.siege import Attackers, siege
from deployments.connections import PATIENCE, Connections
from deployments.listener import LARGEST_HEAD, LARGEST_RAW_BODY, MOST_HEADERS, server
from deployments.local import free_port, process
from sandbox.slack.events import APP_ID
from slack_docebo.current_settings import Current
from slack_docebo.storage.store import Store
from slack_docebo.webhook import reception
from slack_docebo.webhook.app import LARGEST_BODY, webhook_app
from slack_docebo.webhook.metrics import Metrics
from slack_docebo.webhook.reception import open_reception
from tests.examples import examples
from tests.waiting import PATIENCE_SECONDS, until
from tests.webhook import TEAM, Webhook, envelope, running_webhook, settings, signed, webhook_process

PROBE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
EVENTS = b"POST /slack/events HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def webhook(tmp_path_factory) -> Iterator[Webhook]:
    with (
        Store.open(f"sqlite:///{tmp_path_factory.mktemp('attacked') / 'store.db'}") as store,
        running_webhook(store) as it,
    ):
        yield it


def connect(webhook: Webhook) -> socket.socket:
    host, port = webhook.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)


def everything(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received


def answer(webhook: Webhook, request: bytes) -> bytes:
    with connect(webhook) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        return everything(connection)


def status(webhook: Webhook, request: bytes) -> int:
    """Return the status of the first answer; 0 if the connection was closed without one."""
    head = answer(webhook, request).split(None, 2)
    return int(head[1]) if head else 0


def post(body: bytes, *more: str, without: str = "", at: float | None = None) -> bytes:
    """Return a request that Slack signed, with *more* lines in its head and without one of its headers."""
    headers = {**signed(body, at=at), "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"{name}: {value}" for name, value in headers.items() if name != without]
    return EVENTS + "\r\n".join([*lines, *more, "", ""]).encode() + body


def event(number: int = 1) -> bytes:
    return json.dumps(envelope(number)).encode()


def is_well(webhook: Webhook) -> bool:
    return status(webhook, post(b"{}")) == 200


def closed(*connections: socket.socket) -> list[bool]:
    """Tell which are closed by the other side, whatever it sent before."""
    found = []
    for connection in connections:
        connection.setblocking(False)
        try:
            while connection.recv(65536):
                pass
            found.append(True)
        except BlockingIOError:
            found.append(False)
        except ConnectionError:
            found.append(True)
    return found


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(EVENTS + b"X-A: " + b"a" * 300_000, id="a header"),
        pytest.param(b"GET /" + b"a" * 300_000, id="an address"),
        pytest.param(EVENTS + b"a" * 300_000, id="a header's name"),
        pytest.param(EVENTS + b"X-A: y\r\n" * 40_000, id="headers"),
    ],
)
def test_a_head_without_end_is_cut_off(webhook, head):
    assert status(webhook, head) == 431
    assert answer(webhook, PROBE + b"\r\n" + head).count(b"HTTP/1.1 ") == 1  # what came before it is answered
    assert is_well(webhook)


def test_a_head_is_measured_and_not_what_follows_it(webhook):
    padded = post(b" " * 500_000 + b"{}", "X-Padding: " + "a" * (LARGEST_HEAD // 2))

    assert status(webhook, padded) == 200
    assert status(webhook, post(b"{}", *(f"X-{number}: a" for number in range(MOST_HEADERS)))) == 431


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(post(event(), "Content-Length: 1"), 400, id="two lengths"),
        pytest.param(post(event(), "Transfer-Encoding: chunked"), 400, id="a length and chunks"),
        pytest.param(
            post(event(), "Content-Length: 1", without="Content-Length"), 401, id="a length that is too short"
        ),
        pytest.param(post(event(), "Content-Length: -1", without="Content-Length"), 400, id="a negative length"),
        pytest.param(post(event(), "Content-Length: 9" + "9" * 30, without="Content-Length"), 400, id="a huge length"),
        pytest.param(
            post(b"0\r\n\r\n", "Transfer-Encoding: gzip, chunked", without="Content-Length"),
            501,
            id="compressed chunks",
        ),
        pytest.param(post(b"zz\r\n", "Transfer-Encoding: chunked", without="Content-Length"), 400, id="no chunk"),
        pytest.param(post(event(), "X-Slack-Signature: v0=" + "0" * 64), 400, id="two signatures"),
        pytest.param(post(event(), "x-slack-request-timestamp: 1"), 400, id="two timestamps"),
        pytest.param(post(event(), "Content-Type: text/plain"), 400, id="two types"),
        pytest.param(post(event(), "Host: evil.example"), 400, id="two hosts"),
        pytest.param(post(event()).replace(b"Host: localhost\r\n", b""), 400, id="no host"),
        pytest.param(post(event()).replace(b"HTTP/1.1", b"HTTP/2.0"), 505, id="another version"),
        pytest.param(post(event()).replace(b" /slack", b" http://evil.example/slack"), 400, id="an absolute address"),
        pytest.param(post(event(), "Content-Encoding: gzip"), 415, id="a compressed body"),
        pytest.param(PROBE + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400, id="a websocket"),
        pytest.param(PROBE + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400, id="an upgrade to HTTP/2"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2 at once"),
        pytest.param(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400, id="a tunnel"),
        pytest.param(PROBE + b"X A: b\r\n\r\n", 400, id="a blank in a header's name"),
        pytest.param(PROBE + b"X-A: b\0c\r\n\r\n", 400, id="a NUL in a header"),
        pytest.param(PROBE + b"X-A: b\r\n c\r\n\r\n", 400, id="a folded header"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS"),
        pytest.param(
            PROBE.replace(b"/healthz", b"/slack/events//") + b"Connection: close\r\n\r\n", 404, id="two slashes more"
        ),
    ],
)
def test_what_a_proxy_could_read_in_another_way_is_refused(webhook, request_, expected):
    assert status(webhook, request_) == expected
    assert webhook.entries() == []


def test_an_old_proxy_that_speaks_http_1_0_is_served(webhook):
    assert status(webhook, post(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0")) == 200
    assert status(webhook, b"GET /healthz HTTP/1.0\r\n\r\n") == 200


def chunked(chunks: bytes) -> bytes:
    return post(b"", "Transfer-Encoding: chunked", without="Content-Length") + chunks


def test_a_body_may_come_in_chunks(webhook):
    body = json.dumps({"type": "url_verification", "challenge": "in pieces"}).encode()
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = post(body, "Transfer-Encoding: chunked", without="Content-Length").removesuffix(body)

    assert answer(webhook, head + pieces).endswith(b"in pieces")


@pytest.mark.parametrize("lacking", ["x-slack-signature", "x-slack-request-timestamp", "content-type"])
async def test_the_body_is_taken_before_a_request_is_refused_for_its_head(sqlite_url, lacking):
    # The refusal closes the connection, and what is then still on its way would reset it before the answer is read.
    happened = []

    async def receive():
        happened.append("body taken")
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        happened.append(message.get("status", "answered"))

    headers = [(name.lower().encode(), value.encode()) for name, value in signed(b"{}").items()]
    scope = {"type": "http", "method": "POST", "path": "/slack/events", "root_path": "", "query_string": b""}
    scope["headers"] = [(name, value) for name, value in headers if name != lacking.encode()]
    current = Current(settings())
    with Store.open(sqlite_url) as store:
        async with open_reception(current, store) as reception:
            await webhook_app(current, reception)(scope, receive, send)

    assert happened == ["body taken", 415 if lacking == "content-type" else 401, "answered"]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(b"1\r\na\r\n" * (LARGEST_RAW_BODY // 5), id="of one byte"),
        pytest.param(b"1;" + b"a" * (LARGEST_RAW_BODY + 100_000), id="with an extension without end"),
        pytest.param(b"1;a=b\r\na\r\n" * (LARGEST_RAW_BODY // 9), id="with many extensions"),
    ],
)
def test_chunks_are_measured_as_they_are_sent(webhook, chunks):
    assert status(webhook, chunked(chunks)) in {0, 413}  # 0: we were still sending
    assert is_well(webhook)


@pytest.mark.parametrize(
    "trailers",
    [
        pytest.param(b"X-A: b\r\n\r\n", id="one"),
        pytest.param(b"X-A: b\r\nX-Slack-Signature: v0=0\r\n\r\n", id="two"),
    ],
)
def test_no_header_comes_after_the_body(webhook, trailers):
    assert status(webhook, chunked(b"2\r\n{}\r\n0\r\n" + trailers)) == 400
    assert status(webhook, PROBE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + trailers + post(b"{}")) == 400


def test_requests_that_are_sent_ahead_are_answered_in_turn(webhook):
    bodies = [json.dumps({"type": "url_verification", "challenge": f"<{number}>"}).encode() for number in range(300)]
    ahead = b"".join(post(body, without="Connection") for body in bodies) + PROBE + b"Connection: close\r\n\r\n"

    answers = answer(webhook, ahead)
    assert answers.count(b"HTTP/1.1 200 OK") == 301
    places = [answers.index(f"<{number}>".encode()) for number in range(300)]
    assert places == sorted(places)


@pytest.mark.parametrize("requests", [1, 2])
def test_whoever_is_sent_away_while_an_answer_is_made_is_no_fault_to_log(caplog, requests):
    async def send_away() -> None:
        at_work, gone, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            at_work.set()
            await gone.wait()
            try:
                await PlainTextResponse("ok")(scope, receive, send)
            finally:
                answered.set()

        listener = server(app, Connections(Metrics()))
        with socket.create_server(("127.0.0.1", 0)) as bound:
            serving = asyncio.create_task(listener.serve(sockets=[bound]))
            with socket.create_connection(bound.getsockname()) as client:
                client.sendall((PROBE + b"\r\n") * requests)
                await at_work.wait()
                for connection in list(listener.server_state.connections):
                    connection.abort()
                gone.set()
                await answered.wait()
            listener.should_exit = True
            await serving

    uvloop.run(asyncio.wait_for(send_away(), PATIENCE_SECONDS))

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_what_came_before_garbage_is_answered(webhook):
    answers = answer(webhook, post(b"{}", without="Connection") * 3 + b"garbage\r\n\r\n" + PROBE)

    assert answers.count(b"HTTP/1.1 ") == answers.count(b"HTTP/1.1 200 OK") == 3


@pytest.fixture
def impatient(monkeypatch) -> None:
    for stage in PATIENCE:
        monkeypatch.setitem(PATIENCE, stage, 0.5)


def test_whoever_does_not_send_a_head_is_closed(impatient, sqlite_url):
    with Store.open(sqlite_url) as store, running_webhook(store) as webhook:
        silent, half, blank, idle, second, dripping = (connect(webhook) for _ in range(6))
        half.sendall(EVENTS)
        idle.sendall(PROBE + b"\r\n")
        second.sendall(PROBE + b"\r\n" + EVENTS)

        def all_are_closed() -> bool:
            for connection, drop in ((blank, b"\r\n"), (dripping, b"G")):
                with contextlib.suppress(OSError):
                    connection.send(drop)
            return all(closed(silent, half, blank, idle, second, dripping))

        until(all_are_closed)
        for connection in (silent, half, blank, idle, second, dripping):
            connection.close()


@pytest.mark.long
def test_whoever_does_not_take_the_answers_is_closed(impatient, sqlite_url):
    with Store.open(sqlite_url) as store, running_webhook(store) as webhook, socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(0.2)
        greedy.connect(connect(webhook).getpeername())

        def is_closed() -> bool:
            try:
                greedy.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
            except TimeoutError:
                return False
            except ConnectionError:
                return True
            return False

        until(is_closed)
        until(lambda: is_well(webhook))  # whom a busy machine makes slow, this webhook sends away too


def test_idle_connections_make_room_for_honest_ones(sqlite_url):
    with Store.open(sqlite_url) as store, running_webhook(store, bounds={"most": 20}) as webhook:
        idle = [connect(webhook) for _ in range(60)]
        assert [webhook.post(envelope(number)).status_code for number in range(5)] == [200] * 5

        assert sum(closed(*idle)) >= 40
        assert len(webhook.entries()) == 5
        page = webhook.get("/metrics").text
        assert 'slack_docebo_webhook_connections_closed_total{reason="too many"}' in page
        for connection in idle:
            connection.close()


def test_many_large_bodies_make_room_for_one_another(sqlite_url):
    with Store.open(sqlite_url) as store, running_webhook(store, bounds={"most_held": 2_000_000}) as webhook:
        half = post(b"a" * (LARGEST_BODY - 1))[:-100_000]
        large = [connect(webhook) for _ in range(10)]
        for connection in large:
            with contextlib.suppress(OSError):
                connection.sendall(half)
        assert is_well(webhook)
        until(lambda: sum(closed(*large)) >= 8)

        assert sum(closed(*large)) == 8  # two of them are less than is kept together
        for connection in large:
            connection.close()


@pytest.mark.parametrize(
    "challenge", ["\ud800", "a\udfff", "é", "\0", "\r\nX-A: b", "<script>", "", "a" * 100_000, 7, None, []]
)
def test_whatever_a_signed_challenge_holds_is_no_fault_of_ours(webhook, challenge):
    answer = webhook.post(json.dumps({"type": "url_verification", "challenge": challenge}).encode())

    assert answer.status_code == 200
    assert "x-a" not in answer.headers
    assert answer.headers["content-type"].startswith("text/plain")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["\ud800", "\0", "\u202e", "A0SANDBOX", TEAM, "U000000001", "event_callback", "team_join"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
USER = ("id", "updated", "team_id", "name", "profile", "enterprise_user", "deleted", "tz")
PROFILE = ("email", "first_name", "last_name", "real_name", "title", "fields")


@st.composite
def odd_events(draw) -> bytes:
    """An event of our own app whose every part may be of another kind."""
    payload = envelope(draw(st.integers(1, 99)))
    user = payload["event"]["user"]
    for holder, names in (
        (payload, ("team_id", "event_id", "authorizations")),
        (user, USER),
        (user["profile"], PROFILE),
    ):
        for name in draw(st.sets(st.sampled_from(names), max_size=3)):
            holder[name] = draw(json_values)
        if not isinstance(user.get("profile"), dict):
            break
    return json.dumps(payload).encode()


@pytest.mark.variants(1)
@examples(20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=odd_events() | json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50))
def test_a_signed_request_is_never_told_a_fault_for_what_it_holds(hostile_store, body):
    assert hostile_store.post(body).status_code in {200, 401}  # 401: not UTF-8, so Slack did not sign it


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def hostile_store(request) -> Iterator[Webhook]:
    with Store.open(request.getfixturevalue(request.param)) as store, running_webhook(store) as it:
        yield it


@pytest.mark.parametrize("depth", [10, 100, 500, 900, 990, 2_000, 150_000])
def test_what_is_nested_deeply_is_no_fault_of_ours(webhook, depth):
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    wrapped = event().replace(
        b'"profile": {', b'"profile": {"fields": {"Xf1": {"value": ' + nested + b'}}, "title": "", '
    )

    assert webhook.post(nested).status_code == webhook.post(wrapped).status_code == 200


def test_of_a_name_that_is_there_twice_the_signed_body_decides_alone(webhook):
    body = event(50).replace(b'"event_id": "Ev50"', b'"event_id": "Ev51", "event_id": "Ev50"')

    assert webhook.post(body).status_code == 200
    assert "Ev50" in {entry.event.event_id for entry in webhook.entries()}


def test_a_replay_changes_nothing_and_is_refused_after_five_minutes(sqlite_url):
    with Store.open(sqlite_url) as store, running_webhook(store) as webhook:
        recorded = post(event(), at=time.time() - 290)
        assert [status(webhook, recorded) for _ in range(20)] == [200] * 20
        assert status(webhook, post(event(2), at=time.time() - 301)) == 401
        assert status(webhook, post(event(3), at=time.time() + 310)) == 401

        assert [entry.event.event_id for entry in webhook.entries()] == ["Ev1"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/slack/events"])
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Host: evil.example", 421),
        ("Host: 127.0.0.1.evil.example:8400", 421),
        ("Host: localhost\r\nOrigin: https://evil.example", 403),
        ("Host: localhost\r\nOrigin: null", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site", 403),
    ],
)
def test_a_page_of_somebody_elses_reads_nothing(named, path, header, expected):
    verb = "POST" if path == "/slack/events" else "GET"
    request = f"{verb} {path} HTTP/1.1\r\n{header}\r\nConnection: close\r\n\r\n".encode()
    plain = httpx.request(verb, f"{named.url}{path}", headers={"Host": "hooks.acme.com"})

    assert status(named, request) == expected
    assert plain.status_code in {200, 415}


@pytest.fixture(scope="module")
def named(tmp_path_factory) -> Iterator[Webhook]:
    """A webhook that knows its public name."""
    with (
        Store.open(f"sqlite:///{tmp_path_factory.mktemp('named') / 'store.db'}") as store,
        running_webhook(store, webhook_public_url="https://hooks.acme.com/slack/events") as it,
    ):
        yield it


def test_while_the_public_name_is_unknown_the_signature_alone_counts(webhook):
    foreign = b"Host: hooks.acme.com"

    assert status(webhook, post(b"{}").replace(b"Host: localhost", foreign)) == 200
    assert status(webhook, post(b"{}", "X-Slack-Signature: v0=" + "0" * 64, without="X-Slack-Signature")) == 401
    for path in (b"/healthz", b"/readyz", b"/metrics"):
        assert status(webhook, PROBE.replace(b"/healthz", path).replace(b"Host: localhost", foreign) + b"\r\n") == 421


def test_a_signature_does_not_make_a_foreign_name_ours(named):
    assert status(named, post(event()).replace(b"Host: localhost", b"Host: evil.example")) == 421
    assert named.entries() == []


@contextlib.contextmanager
def hanging_prefect() -> Iterator[tuple[str, list[socket.socket]]]:
    """A server that takes connections and says nothing; yield its API's address, and whom it keeps waiting."""
    waiting: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    waiting.append(listener.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api", waiting
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_SECONDS)
    for connection in waiting:
        connection.close()


@pytest.mark.long
def test_while_prefect_hangs_readiness_is_told_to_hundreds_at_once(sqlite_url, monkeypatch):
    monkeypatch.setattr(reception, "PREFECT_SECONDS", 0.5)
    with (
        hanging_prefect() as (api, waiting),
        Store.open(sqlite_url) as store,
        running_webhook(store, prefect_api_url=api) as webhook,
        contextlib.ExitStack() as opened,
    ):
        asking = [opened.enter_context(connect(webhook)) for _ in range(400)]
        for connection, path in zip(asking, [b"/readyz", b"/metrics"] * 200, strict=True):
            connection.sendall(PROBE.replace(b"/healthz", path) + b"Connection: close\r\n\r\n")
        taken = webhook.post(envelope())
        answers = [everything(connection) for connection in asking]

    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert all(b'"prefect":"down' in answer for answer in answers[::2])
    assert taken.status_code == 200
    assert len(waiting) < 20


@pytest.mark.long
def test_health_and_metrics_are_served_elsewhere_if_asked_for(sqlite_url, tmp_path):
    port, other = free_port(), free_port()
    log = tmp_path / "log"
    with webhook_process(log, environment(sqlite_url, port, WEBHOOK_OBSERVATION_PORT=str(other))):
        observed = httpx.Client(base_url=f"http://127.0.0.1:{other}")
        assert [observed.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3
        assert observed.post("/slack/events").status_code == 404

        public = httpx.Client(base_url=f"http://127.0.0.1:{port}")
        assert [public.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [404] * 3
        assert public.post("/slack/events").status_code == 415


@pytest.mark.long
def test_slow_clients_do_not_keep_the_process_from_ending_and_nothing_of_theirs_is_logged(sqlite_url, tmp_path):
    port = free_port()
    log = tmp_path / "log"
    with webhook_process(log, environment(sqlite_url, port)) as child:
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(9)]
        for number, client in enumerate(clients):
            match number % 3:
                case 0:
                    client.sendall(EVENTS + b"X-A: in the log\x1b[31m")
                case 1:
                    client.sendall(post(b"in the log\r\n")[:-1])
                case _:
                    client.sendall(b"GET /in the log\r\nHost: in\x1bthe log\r\n\r\n")
        time.sleep(0.2)
        child.send_signal(signal.SIGTERM)

        assert child.wait(PATIENCE_SECONDS) == 0
        for client in clients:
            client.close()
    assert "the log" not in log.read_text()


@pytest.mark.long
def test_an_address_that_is_taken_is_said_in_one_line(sqlite_url, tmp_path):
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with process(
            [sys.executable, "-m", "deployments.webhook"], log=log, env=environment(sqlite_url, port)
        ) as child:
            assert child.wait(PATIENCE_SECONDS) == 2
    assert f"127.0.0.1:{port} cannot be listened on" in log.read_text().splitlines()[-1]


def environment(database_url: str, port: int, **more: str) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": "xoxb-planted",
        "SLACK_SIGNING_SECRET": "planted",
        "SLACK_APP_ID": APP_ID,
        "DOCEBO_URL": "https://acme.docebosaas.com",
        "DOCEBO_CLIENT_ID": "sync",
        "DOCEBO_CLIENT_SECRET": "planted",
        "DATABASE_URL": database_url,
        "WEBHOOK_PORT": str(port),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        **more,
    }


async def test_under_siege_honest_events_are_taken_and_nobody_elses(sqlite_url):
    attackers = Attackers(fuzzed=600, slow=20, idle=60, endless=3)
    app = {"slack_signing_secret": bench.SECRET, "slack_app_id": bench.APP, "slack_team_id": bench.TEAM}
    with Store.open(sqlite_url) as store, running_webhook(store, bounds={"most": 50}, **app) as webhook:
        outcome = await siege(int(webhook.url.rpartition(":")[2]), attackers)
        rows = len(webhook.entries())

    assert set(outcome.honest) == {"200"}
    assert rows == outcome.honest["200"]
    assert set(outcome.signed) <= {"0", "200", "401"}  # 0: sent on a connection that was idle, and had to make room
    assert set(outcome.unsigned) <= {"0", "400", "401", "405", "413", "415"}
