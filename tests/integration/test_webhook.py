"""The webhook as Slack meets it: a real server, a real store, the sandbox's deliveries."""

import asyncio
import http.client
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from deployments.local import free_port
from sandbox.server import Sandbox
from slack_docebo.domain.decisions import Decision, Verdict
from slack_docebo.domain.profiles import Profile
from slack_docebo.storage.budget import CallBudget
from slack_docebo.storage.events import EventState
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.reads import ProvenRead
from slack_docebo.storage.refusals import Refusal, RefusalKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp
from slack_docebo.webhook import writer
from slack_docebo.webhook.app import LARGEST_BODY
from slack_docebo.webhook.refusals import Refusals
from tests.examples import examples
from tests.postgresql import PostgresServer
from tests.waiting import PATIENCE_SECONDS, until
from tests.webhook import TEAM, Webhook, entries, envelope, running_webhook, signed, webhook_process

QUICK = examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def webhook(store: Store) -> Iterator[Webhook]:
    with running_webhook(store) as running:
        yield running


@pytest.fixture(scope="module")
def besieged(tmp_path_factory) -> Iterator[Webhook]:
    """One webhook for many hostile requests."""
    with (
        Store.open(f"sqlite:///{tmp_path_factory.mktemp('besieged') / 'store.db'}") as store,
        running_webhook(store) as it,
    ):
        yield it


def counted(webhook: Webhook, name: str, **labels: str) -> float:
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    found = [
        float(line.rpartition(" ")[2])
        for line in webhook.get("metrics").text.splitlines()
        if re.split("[ {]", line)[0] == f"slack_docebo_{name}" and wanted <= set(re.findall(r'\w+="[^"]*"', line))
    ]
    assert found, f"{name} is not exposed for {labels}"
    return sum(found)


def test_an_acknowledged_event_is_committed(webhook):
    answer = webhook.post(envelope())

    assert (answer.status_code, answer.text) == (200, "")
    [entry] = webhook.entries()
    assert (entry.event.event_id, entry.event.slack_id, entry.state) == ("Ev1", "U000000001", EventState.WAITING)
    assert entry.event.profile["email"] == "p1@example.com"


def test_an_event_wakes_a_run_up_in_the_same_transaction(webhook):
    webhook.post(envelope())

    with webhook.store.reading() as tables:
        assert tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC)


def test_a_repeated_event_is_acknowledged_and_stored_once(webhook):
    retry = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}

    assert [webhook.post(envelope()).status_code, webhook.post(envelope(), **retry).status_code] == [200, 200]
    assert len(webhook.entries()) == 1


def test_a_retry_whose_first_try_never_arrived_is_stored(webhook):
    assert webhook.post(envelope(), **{"X-Slack-Retry-Num": "3"}).status_code == 200
    assert len(webhook.entries()) == 1


@pytest.mark.long
async def test_what_comes_at_once_is_stored_completely(webhook):
    bodies = [json.dumps(envelope(number % 60)).encode() for number in range(120)]
    async with httpx.AsyncClient() as client:
        answers = await asyncio.gather(
            *(client.post(f"{webhook.url}/slack/events", content=body, headers=signed(body)) for body in bodies)
        )

    assert {answer.status_code for answer in answers} == {200}
    assert {entry.event.event_id for entry in webhook.entries()} == {f"Ev{number}" for number in range(60)}
    shared = counted(webhook, "webhook_events_per_commit_count")
    assert shared < counted(webhook, "webhook_events_per_commit_sum") == 120


def test_the_sandboxs_slack_is_served(webhook):
    with Sandbox(users=50, request_url=f"{webhook.url}/slack/events") as sandbox:
        joined = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
        sandbox.slack.change(joined["id"], {"profile": {"last_name": "King"}})
        sandbox.slack.deactivate(joined["id"])
        assert sandbox.events.settle()
        report = sandbox.events.report()

    assert report["delivered"] == report["total"] == len(webhook.entries())
    assert {entry.event.kind for entry in webhook.entries()} == {"team_join", "user_change", "user_profile_changed"}
    assert any(entry.event.profile["deactivated"] for entry in webhook.entries())


def test_a_slash_at_the_end_of_the_request_url_makes_no_difference(webhook):
    body = json.dumps(envelope()).encode()

    assert httpx.post(f"{webhook.url}/slack/events/", content=body, headers=signed(body)).status_code == 200
    assert len(webhook.entries()) == 1


def test_slack_can_verify_the_request_url(webhook):
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB", "token": "t"}).encode()

    assert webhook.post(body).text == "3eZbrw1aB"
    unsigned = httpx.post(f"{webhook.url}/slack/events", content=body, headers={"Content-Type": "application/json"})
    assert unsigned.status_code == 401


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(envelope(kind="message"), "unknown_type", id="unknown type"),
        pytest.param(envelope(api_app_id="A0OTHER"), "foreign_app", id="another app"),
        pytest.param(b"[1, 2", "malformed", id="no JSON"),
        pytest.param(b"[" * 100_000, "malformed", id="too deep"),
    ],
)
def test_what_is_not_for_us_is_acknowledged_and_counted(besieged, payload, reason):
    before = counted(besieged, "webhook_events_dropped_total", reason=reason)

    assert besieged.post(payload).status_code == 200
    assert counted(besieged, "webhook_events_dropped_total", reason=reason) == before + 1
    assert besieged.entries() == []


@pytest.mark.variants(2)
@pytest.mark.parametrize(
    "unreadable",
    [{"event_id": None}, {"event_id": 7}, {"event": {"type": "team_join", "user": {"name": "ada"}}}],
    ids=["no id", "a number for an id", "nobody"],
)
def test_an_event_about_somebody_that_cannot_be_kept_asks_for_a_reconciliation(webhook, unreadable):
    before = counted(webhook, "webhook_events_missing_total", reason="unreadable")
    assert webhook.post(envelope(**unreadable)).status_code == 200

    assert counted(webhook, "webhook_events_missing_total", reason="unreadable") == before + 1
    with webhook.store.reading() as tables:
        assert tables.wake_ups.is_due(WakeUp.RECONCILIATION, datetime.now(UTC), pause=timedelta())


def test_an_event_about_nobody_that_cannot_be_read_asks_for_nothing(webhook):
    webhook.post(envelope(event=[]))
    webhook.post(envelope(kind="message", event_id=None))

    assert counted(webhook, "webhook_events_missing_total", reason="unreadable") == 0
    with webhook.store.reading() as tables:
        assert not tables.wake_ups.is_due(WakeUp.RECONCILIATION, datetime.now(UTC), pause=timedelta())


@pytest.mark.variants(2)
@pytest.mark.parametrize(
    ("pinned", "docebo_url"),
    [(False, "https://acme.docebosaas.com"), (True, "https://acme.docebosaas.com"), (True, None)],
    ids=["by the settings", "by the first validated run", "by the only link there is"],
)
def test_another_workspaces_event_is_acknowledged_and_dropped(store, pinned, docebo_url):
    if pinned:
        with store.transaction() as tables:
            tables.links.pin("https://acme.docebosaas.com", TEAM, "Acme", now=datetime.now(UTC))
    with running_webhook(store, slack_team_id="" if pinned else TEAM, docebo_url=docebo_url) as webhook:
        while pinned and webhook.post(envelope(7, team_id="T0OTHER")) and len(webhook.entries()):
            with store.transaction() as tables:  # came before the link was read
                tables.inbox.forget("U000000007")
        assert webhook.post(envelope(1, team_id="T0OTHER")).status_code == 200
        assert webhook.post(envelope(2)).status_code == 200

        assert [entry.event.event_id for entry in webhook.entries()] == ["Ev2"]


def test_of_custom_fields_in_events_those_are_kept_that_runs_have_read(store):
    with store.transaction() as tables:
        tables.profiles.keep(TEAM, "U1", Profile({"Xf0HOME": "Rome"}, 0, datetime.now(UTC) - timedelta(days=1)))
        tables.profiles.keep(TEAM, "U2", Profile({"Xf0DEPARTMT": ""}, 0, datetime.now(UTC)))
    shown = {"Xf0DEPARTMT": {"value": "Law"}, "Xf0HOME": {"value": "12 Hill Road"}}

    def posted(number: int) -> object:
        event = envelope(number)
        event["event"]["user"]["profile"]["fields"] = shown
        webhook.post(event)
        return webhook.entries()[-1].event.profile["custom"]

    with running_webhook(store, slack_team_id=TEAM) as webhook:
        numbers = count(1)
        until(lambda: posted(next(numbers)))  # the first ones may come before it was read what runs read

        kept = [entry.event.profile["custom"] for entry in webhook.entries()]

    assert kept[-1] == {"Xf0DEPARTMT": "Law"}
    assert not any(kept[:-1])


def test_the_end_of_the_app_alerts(webhook):
    assert webhook.post(envelope(event={"type": "app_uninstalled"})).status_code == 200
    assert counted(webhook, "webhook_alerts_total", kind="app_uninstalled") == 1


def test_during_rotation_both_secrets_are_accepted(sqlite_url):
    body = json.dumps(envelope()).encode()

    with (
        Store.open(sqlite_url) as store,
        running_webhook(store, slack_signing_secret="new", slack_signing_secret_previous="old") as webhook,
    ):
        statuses = [
            httpx.post(f"{webhook.url}/slack/events", content=body, headers=signed(body, secret=secret)).status_code
            for secret in ("new", "old", "older")
        ]

    assert statuses == [200, 200, 401]


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_another_method_is_refused(besieged, verb):
    assert httpx.request(verb, f"{besieged.url}/slack/events").status_code == 405


@pytest.mark.parametrize("type_", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
def test_another_content_type_is_refused(besieged, type_):
    assert besieged.post(envelope(), **{"Content-Type": type_}).status_code == 415


def test_a_content_type_with_parameters_is_json_too(webhook):
    assert webhook.post(envelope(), **{"Content-Type": "Application/JSON; charset=utf-8"}).status_code == 200


def test_a_body_of_the_largest_size_is_taken(besieged):
    assert besieged.post(b" " * (LARGEST_BODY - 2) + b"{}").status_code == 200


def test_a_larger_body_is_refused_before_it_is_read(besieged):
    connection = http.client.HTTPConnection(besieged.url.removeprefix("http://"), timeout=PATIENCE_SECONDS)
    connection.putrequest("POST", "/slack/events")
    for name, value in {**signed(b""), "Content-Length": str(LARGEST_BODY + 1)}.items():
        connection.putheader(name, value)
    connection.endheaders()

    assert connection.getresponse().status == 413
    connection.close()


def test_a_larger_body_that_hides_its_length_is_refused(besieged):
    def endless() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // 1024 + 64):
            yield b" " * 1024

    try:
        answer = httpx.post(f"{besieged.url}/slack/events", content=endless(), headers=signed(b""))
    except httpx.WriteError:
        return  # closed while we were still sending
    assert answer.status_code == 413


def test_a_connection_that_breaks_off_harms_nobody(besieged):
    with socket.create_connection(
        tuple(besieged.url.removeprefix("http://").split(":")), timeout=PATIENCE_SECONDS
    ) as raw:
        head = "".join(f"{name}: {value}\r\n" for name, value in {**signed(b"{}"), "Content-Length": "99"}.items())
        raw.sendall(f"POST /slack/events HTTP/1.1\r\nHost: x\r\n{head}\r\n{{".encode())

    assert besieged.get("healthz").status_code == 200


header_text = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"), max_size=90)


@pytest.mark.long
@QUICK
@given(
    body=st.binary(max_size=300) | st.builds(lambda: json.dumps(envelope()).encode()),
    timestamp=header_text | st.integers().map(str) | st.builds(lambda: str(int(time.time()))),
    signature=header_text | header_text.map(lambda text: f"v0={text}") | st.just("v0=" + "0" * 64),
    type_=st.just("application/json") | header_text,
)
def test_hostile_requests_are_no_fault_of_ours_and_leave_nothing(besieged, body, timestamp, signature, type_):
    headers = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature, "Content-Type": type_}
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = besieged.http.post("/slack/events", content=body, headers=encoded)

    assert answer.status_code in {400, 401, 415}
    assert besieged.entries() == []


@contextmanager
def away(url: str, request: pytest.FixtureRequest) -> Iterator[None]:
    """Take the database at *url* away; afterwards it is there again, on SQLite with what it held."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        hidden = path.rename(path.with_suffix(".away"))
        yield
        hidden.rename(path)
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.drop_database(url.rpartition("/")[2])
        yield
        server._run(f"CREATE DATABASE {url.rpartition('/')[2]}")
        Store.open(url).close()


@pytest.mark.variants(1)
def test_while_the_database_is_gone_slack_is_told_to_come_again(empty_url, request):
    """Whatever is acknowledged must be there afterwards: a file that was removed goes on taking writes."""
    with Store.open(empty_url) as store, running_webhook(store) as webhook:
        assert webhook.post(envelope(1)).status_code == 200
        with away(empty_url, request):
            assert webhook.post(envelope(2)).status_code == 503
            ready = webhook.get("readyz")
            assert (ready.status_code, ready.json()["store"][:4]) == (503, "down")
            assert webhook.get("metrics").status_code == webhook.get("healthz").status_code == 200

        assert webhook.post(envelope(2)).status_code == 200
        assert "Ev2" in {entry.event.event_id for entry in webhook.entries()}


def test_a_locked_database_is_no_reason_to_keep_slack_waiting(sqlite_url, monkeypatch):
    with Store.open(sqlite_url) as store, running_webhook(store) as webhook:
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with monkeypatch.context() as impatient:
                impatient.setattr(writer, "PATIENCE_SECONDS", 0.1)
                assert webhook.post(envelope()).status_code == 503
            holder.rollback()

        assert webhook.post(envelope()).status_code == 200
        assert len(webhook.entries()) == 1


def test_readiness_tells_what_waits(webhook):
    webhook.post(envelope())

    answer = webhook.get("readyz")
    facts = answer.json()
    assert answer.status_code == 200
    assert (facts["store"], facts["waiting"], facts["parked"]) == ("up", 1, 0)
    assert facts["oldest_seconds"] >= 0
    assert facts["prefect"].startswith("down")


@pytest.mark.long
def test_whoever_watches_is_told_how_runs_did(webhook):
    now = datetime.now(UTC)
    with webhook.store.transaction() as tables:
        tables.links.pin("https://acme.docebosaas.com", "T1", "Acme", now=now)
        tables.milestones.reach("https://acme.docebosaas.com", Milestone.IMPORT, now=now - timedelta(hours=30))
        # By a clock that was ahead: no alarm would tell of it that none comes any more.
        tables.milestones.reach("https://acme.docebosaas.com", Milestone.SWEEP, now=now + timedelta(days=9))
        tables.reads.record(ProvenRead("slack:T1", 7, 1, now))
    asyncio.run(spend(CallBudget(webhook.store, "https://acme.docebosaas.com", 100), calls=20))

    facts = webhook.get("readyz").json()
    assert 30 * 3600 <= facts["last_import_seconds"] < 31 * 3600
    assert facts["last_sweep_seconds"] is None
    assert counted(webhook, "last_timestamp_seconds", what="import") == pytest.approx(now.timestamp() - 30 * 3600)
    assert counted(webhook, "last_timestamp_seconds", what="sweep") == 0
    assert counted(webhook, "last_complete_read_timestamp_seconds", side="slack") == pytest.approx(now.timestamp())
    assert counted(webhook, "people_last_day", operation="create", outcome="failed") == 0
    assert counted(webhook, "docebo_calls_left_ratio") == pytest.approx(0.6, abs=0.05)  # 20 of 50 at once are spent


def test_parked_events_are_counted_for_alerts_without_those_that_may_stay_so(webhook):
    now = datetime.now(UTC)
    posted = [envelope(1), envelope(2)]
    for one in posted:
        webhook.post(one)
    with webhook.store.transaction() as tables:
        tables.links.pin("https://acme.docebosaas.com", TEAM, "Acme", now=now)
        tables.inbox.park([one["event_id"] for one in posted], "no room", now, run="")
        who = webhook.entries()[0].event.slack_id
        seen = Decision(who, Verdict.LEAVE_SO, "known", "Kim", now, reasons=("no room",))
        tables.decisions.put(TEAM, seen)

    assert counted(webhook, "inbox_parked") == 2
    assert counted(webhook, "inbox_parked_unacknowledged") == 1


async def spend(budget, *, calls):
    for _ in range(calls):
        await budget.spend()


@pytest.mark.long
def test_what_has_not_happened_yet_is_counted_from_the_start_as_0(webhook):
    assert counted(webhook, "webhook_alerts_total", kind="app_uninstalled") == 0
    assert counted(webhook, "webhook_runs_asked_total", deployment="bulk-import/reconcile", outcome="failed") == 0


@pytest.mark.long
def test_refusals_in_a_row_are_told_until_something_is_taken(webhook, caplog):
    def in_a_row():
        return webhook.get("readyz").json()["refused_in_a_row"]

    for _ in range(5):
        webhook.post(envelope(), **{"X-Slack-Signature": "v0=" + "0" * 64})
    webhook.post({"type": "url_verification", "challenge": "ours"})
    unsigned = in_a_row()
    for _ in range(6):
        webhook.post(envelope(api_app_id="A0OTHER"))
    foreign, measured = in_a_row(), counted(webhook, "webhook_refused_in_a_row", kind="foreign_app")
    webhook.post(envelope())

    assert unsigned == {"unsigned": 5, "foreign_app": 0, "foreign_team": 0}
    assert measured == 6
    assert foreign == {"unsigned": 0, "foreign_app": 6, "foreign_team": 0}
    assert set(in_a_row().values()) == {0}
    told = [record.message.split(" UTC ")[1][:39] for record in caplog.records if "in a row" in record.message]
    assert told == ["5 requests in a row were not signed wit", "5 events in a row were of another Slack"]


def test_refusals_in_a_row_are_a_line_at_the_fifth_and_at_each_tenfold_of_it(store, caplog):
    refusals = Refusals(store)
    for _ in range(6_000):
        refusals.refused(RefusalKind.UNSIGNED)

    assert [int(number) for number in re.findall(r"UTC (\d+) requests in a row", caplog.text)] == [5, 50, 500, 5_000]


async def test_what_was_refused_in_a_row_is_noted_for_those_who_look_from_elsewhere(store):
    refusals = Refusals(store)
    refusals.refused(RefusalKind.UNSIGNED)
    noting = asyncio.create_task(refusals.work())

    def noted():
        with store.reading() as tables:
            return [(one.kind, one.number) for one in tables.refusals.all()]

    await asyncio.to_thread(until, noted)
    noting.cancel()

    assert noted() == [(RefusalKind.UNSIGNED, 1)]


def test_of_two_webhooks_that_refuse_the_one_with_fewer_in_a_row_hides_nothing_of_the_other(store):
    began = datetime.now(UTC)
    many, few = (
        Refusal(RefusalKind.UNSIGNED, began + timedelta(seconds=late), number) for late, number in ((0, 90), (5, 1))
    )
    more = replace(many, number=91)

    def noted(former, refusals):
        with store.transaction() as tables:
            tables.refusals.replace(former, refusals)
            return tables.refusals.all()

    assert noted([], [many]) == noted([], [few]) == [many]
    assert noted([many], [more]) == [more]
    assert noted([few], []) == [more]
    assert noted([more], []) == []


@pytest.mark.long
def test_the_counters_can_be_scraped(webhook):
    webhook.post(envelope())
    webhook.post(envelope(), **{"X-Slack-Signature": "v0=nonsense"})

    assert counted(webhook, "webhook_answers_total", status="200") == 1
    assert counted(webhook, "webhook_answers_total", status="401") == 1
    assert counted(webhook, "webhook_events_stored_total", kind="user_profile_changed") == 1
    assert counted(webhook, "inbox_waiting") == 1


@pytest.mark.long
def test_the_process_answers_what_is_under_way_and_ends(sqlite_url, tmp_path):
    port = free_port()
    body = json.dumps(envelope()).encode()
    environment = {
        name.upper(): value
        for name, value in {
            "slack_bot_token": "xoxb-planted",
            "slack_signing_secret": "planted",
            "docebo_url": "https://acme.docebosaas.com",
            "docebo_client_id": "sync",
            "docebo_client_secret": "planted",
            "database_url": sqlite_url,
            "webhook_port": str(port),
            "prefect_api_url": "http://127.0.0.1:9/api",
        }.items()
    }
    log = tmp_path / "log"
    with webhook_process(log, environment) as child:
        events = f"http://127.0.0.1:{port}/slack/events"
        assert httpx.post(events, content=body, headers=signed(body, secret="planted")).status_code == 200
        child.send_signal(signal.SIGTERM)

        assert child.wait(PATIENCE_SECONDS) == 0
    assert "planted" not in log.read_text()
    with Store.open(sqlite_url) as store:
        assert len(entries(store)) == 1


@pytest.mark.long
def test_the_process_says_what_is_missing(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "deployments.webhook"],
        env={"PATH": "", "PYTHONPATH": str(Path.cwd())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert result.stderr == "deployments.webhook: environment: SLACK_SIGNING_SECRET is not set (see .env.example)\n"
