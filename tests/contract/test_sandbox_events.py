import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier

from sandbox.server import Sandbox
from sandbox.slack import events
from tests.waiting import PATIENCE_SECONDS

INVENTORIES = Path(__file__).parent / "slack_inventories"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
# A minute lasts 60 ms.
SCALE = 0.001


@dataclass
class RequestUrl:
    """An app's request URL: it keeps what it is sent, and answers with the statuses given to it before it says 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    answer_headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.received.append(({name.lower(): value for name, value in handler.headers.items()}, body))
        time.sleep(self.delay)
        content = json.loads(body).get("challenge", "").encode()
        handler.send_response(self.statuses.pop(0) if self.statuses else 200)
        for name, value in {**self.answer_headers, "Content-Length": str(len(content))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    def types(self) -> list[str]:
        return sorted(payload["event"]["type"] for payload in self.payloads())


@pytest.fixture
def app() -> Iterator[RequestUrl]:
    request_url = RequestUrl()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request_url.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    request_url.url = f"http://127.0.0.1:{server.server_port}/slack/events"
    yield request_url
    server.shutdown()
    thread.join(PATIENCE_SECONDS)
    server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(50, time_scale=SCALE, signing_secret=SECRET) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, app: RequestUrl) -> Sandbox:
    running.events.settle()
    running.reset()
    running.events.configure(app.url)
    return running


@pytest.fixture
def ada(sandbox: Sandbox, app: RequestUrl) -> str:
    """The id of somebody who has joined and been announced."""
    user_id: str = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    assert sandbox.events.settle()
    app.received.clear()
    sandbox.events.deliveries.clear()
    return user_id


def test_a_join_is_announced_once_with_the_whole_user(sandbox: Sandbox, app: RequestUrl) -> None:
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    assert sandbox.events.settle()

    assert app.types() == ["team_join"]
    assert app.payloads()[0]["event"]["user"] == ada
    assert app.payloads()[0]["team_id"] == sandbox.slack.team.id


def test_an_invitation_is_announced_by_no_event(sandbox: Sandbox, app: RequestUrl) -> None:
    sandbox.slack.add("", "", "ada@example.com", {"is_invited_user": True})
    assert sandbox.events.settle()

    assert app.received == []


def test_a_sandbox_that_is_started_anew_gives_no_event_the_id_of_one_before(app: RequestUrl) -> None:
    for name in ("ada", "bea"):
        with Sandbox(users=1, rate_limits=False) as sandbox:
            sandbox.events.configure(app.url, SECRET)
            sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")
            assert sandbox.events.settle()

    first, second = (payload["event_id"] for payload in app.payloads())
    assert first != second


def test_a_profile_change_comes_twice_with_one_user_and_two_ids(sandbox: Sandbox, app: RequestUrl, ada: str) -> None:
    sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    assert sandbox.events.settle()
    first, second = app.payloads()

    assert app.types() == ["user_change", "user_profile_changed"]
    assert first["event_id"] != second["event_id"]
    assert {**first["event"], "type": ""} == {**second["event"], "type": ""}
    assert first["event"]["user"]["real_name"] == "Ada King"


def test_a_status_change_comes_as_user_change_only_to_an_app_not_subscribed_to_statuses(
    sandbox: Sandbox, app: RequestUrl, ada: str
) -> None:
    sandbox.slack.set_status(ada, "In a meeting")
    assert sandbox.events.settle()
    assert app.types() == ["user_change"]

    sandbox.events.configure(subscriptions=["user_status_changed"])
    sandbox.slack.set_status(ada, "Back")
    assert sandbox.events.settle()
    assert app.types() == ["user_change", "user_status_changed"]


def test_a_deactivation_is_announced_with_what_is_left_of_the_user(sandbox: Sandbox, app: RequestUrl, ada: str) -> None:
    sandbox.slack.deactivate(ada)
    assert sandbox.events.settle()

    assert app.types() == ["user_change", "user_profile_changed"]
    assert all(payload["event"]["user"]["deleted"] for payload in app.payloads())
    assert "real_name" not in app.payloads()[0]["event"]["user"]


def test_a_custom_field_alone_is_announced_by_no_event(sandbox: Sandbox, app: RequestUrl, ada: str) -> None:
    sandbox.slack.change(ada, {"profile": {"fields": {"Xf0DEPARTMT": {"value": "Sales", "alt": ""}}}})
    assert sandbox.events.settle()

    assert app.received == []


def test_addresses_can_be_missing_from_events(sandbox: Sandbox, app: RequestUrl, ada: str) -> None:
    sandbox.events.configure(with_email=False)
    sandbox.slack.change(ada, {"profile": {"title": "Countess"}})
    assert sandbox.events.settle()

    assert "email" not in app.payloads()[0]["event"]["user"]["profile"]
    assert sandbox.slack.get(ada)["profile"]["email"] == "ada@example.com"


def test_deliveries_carry_slacks_signature(sandbox: Sandbox, app: RequestUrl, ada: str) -> None:
    sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    assert sandbox.events.settle()

    for headers, body in app.received:
        assert SignatureVerifier(SECRET).is_valid_request(body, headers)
        assert not SignatureVerifier("another secret").is_valid_request(body, headers)


@pytest.mark.parametrize("type_", ["TeamJoin", "UserChange", "UserProfileChanged", "UserStatusChanged"])
def test_an_event_has_only_keys_of_slacks_own_inventory(sandbox: Sandbox, app: RequestUrl, type_: str) -> None:
    known = json.loads((INVENTORIES / f"{type_}Payload.json").read_text())
    users = json.loads((INVENTORIES / "users.list.json").read_text())["members"][0]
    sandbox.events.configure(subscriptions=[known["event"]["type"]])
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    sandbox.slack.set_status(ada, "Away")
    assert sandbox.events.settle()
    payload = app.payloads()[0]

    assert set(payload) <= set(known)
    assert set(payload["authorizations"][0]) <= set(known["authorizations"][0])
    # A team_join has an event_ts on the wire, though no typing has it.
    assert set(payload["event"]) <= set(known["event"]) | {"event_ts"}
    assert set(payload["event"]["user"]) <= set(known["event"]["user"])
    assert set(payload["event"]["user"]["profile"]) <= set(known["event"]["user"]["profile"]) | set(users["profile"])


def test_a_failed_delivery_is_retried_three_times_with_the_same_id(sandbox: Sandbox, app: RequestUrl, ada: str) -> None:
    sandbox.events.configure(subscriptions=["user_change"])
    app.statuses = [500, 404, 302, 200]
    began = time.monotonic()
    sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    assert sandbox.events.settle()

    assert [headers.get("x-slack-retry-num") for headers, _ in app.received] == [None, "1", "2", "3"]
    assert {headers.get("x-slack-retry-reason") for headers, _ in app.received[1:]} == {"http_error"}
    assert len({body for _, body in app.received}) == 1
    assert time.monotonic() - began >= 360 * SCALE
    assert all(SignatureVerifier(SECRET).is_valid_request(body, headers) for headers, body in app.received)
    report = httpx.get(sandbox.slack_control_url + "events", trust_env=False).json()
    assert (report["total"], report["delivered"]) == (1, 1)
    assert [attempt["status"] for attempt in report["deliveries"][0]["attempts"]] == [500, 404, 302, 200]


def test_after_the_third_retry_an_event_is_lost(sandbox: Sandbox, app: RequestUrl, ada: str) -> None:
    sandbox.events.configure(subscriptions=["user_change"])
    app.statuses = [500] * 10
    sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    assert sandbox.events.settle()

    assert len(app.received) == 4
    assert [delivery.result for delivery in sandbox.events.deliveries] == ["failed"]


def test_an_app_can_decline_retries(sandbox: Sandbox, app: RequestUrl, ada: str) -> None:
    sandbox.events.configure(subscriptions=["user_change"])
    app.statuses, app.answer_headers = [500], {"X-Slack-No-Retry": "1"}
    sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    assert sandbox.events.settle()

    assert len(app.received) == 1


def test_an_answer_that_takes_too_long_is_a_failure(
    sandbox: Sandbox, app: RequestUrl, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ACKNOWLEDGED_WITHIN", 0.05)
    app.delay = 0.1
    sandbox.slack.set_status(ada, "Away")
    assert sandbox.events.settle()

    assert [attempt.reason for attempt in sandbox.events.deliveries[0].attempts] == ["http_timeout"] * 4


def test_nobody_listening_is_a_failed_connection(sandbox: Sandbox, ada: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        sandbox.events.configure(f"http://127.0.0.1:{unused.getsockname()[1]}/")
        sandbox.slack.set_status(ada, "Away")
        assert sandbox.events.settle()

    assert [attempt.reason for attempt in sandbox.events.deliveries[0].attempts] == ["connection_failed"] * 4


def test_the_request_url_proves_itself_by_the_challenge(sandbox: Sandbox, app: RequestUrl) -> None:
    verification = httpx.post(sandbox.slack_control_url + "events/url-verification", trust_env=False).json()

    assert verification == {"status": 200, "verified": True}
    headers, body = app.received[0]
    assert SignatureVerifier(SECRET).is_valid_request(body, headers)
    app.statuses = [401]
    assert not httpx.post(sandbox.slack_control_url + "events/url-verification", trust_env=False).json()["verified"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_left_out_deliveries_are_announced_flat_or_wrapped(sandbox: Sandbox, app: RequestUrl, wrapped: bool) -> None:
    known = json.loads((INVENTORIES / "AppRateLimitedPayload.json").read_text())
    httpx.post(sandbox.slack_control_url + "events/app-rate-limited", json={"wrapped": wrapped}, trust_env=False)
    assert sandbox.events.settle()
    payload = app.payloads()[0]
    notice = payload["event"] if wrapped else payload

    assert ("event_id" in payload) is wrapped
    assert set(notice) == set(known["event"])


def test_an_event_can_be_delivered_again(sandbox: Sandbox, app: RequestUrl, ada: str) -> None:
    sandbox.slack.set_status(ada, "Away")
    assert sandbox.events.settle()
    httpx.post(sandbox.slack_control_url + "events", json=app.payloads()[0], trust_env=False)
    settled = httpx.get(sandbox.slack_control_url + "events", params={"settle": 5}, trust_env=False).json()

    assert settled["delivered"] == 2
    assert app.payloads()[0] == app.payloads()[1]


def test_without_a_request_url_nothing_is_delivered(sandbox: Sandbox, app: RequestUrl) -> None:
    sandbox.events.configure("")
    sandbox.slack.add("Ada")

    assert sandbox.events.report()["total"] == 0
    assert app.received == []
