"""Real time on a real Prefect server: the flow by event, by name, and the sweep."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect import tags

from deployments.local import connection_settings
from sandbox.server import Sandbox
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.safe_points import tell_to_end
from slack_docebo.storage.events import Event, EventState
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.store import Store
from tasks.status_page import KEY
from tests.e2e.prefect_http import artifacts_of, asked_for_by, is_done, prefect_http, set_table
from tests.ending import a_process_that_ends
from tests.integration.realtime_world import ON
from tests.smtp import Mailbox
from tests.waiting import until


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=12, rate_limits=False) as running:
        yield running


@pytest.fixture
async def store(sandbox, prefect_api, empty_database, tmp_path, monkeypatch) -> AsyncIterator[Store]:
    """The store of an installation on the sandbox, with everything switched on."""
    sandbox.reset()
    monkeypatch.chdir(tmp_path)
    for name, value in connection_settings(sandbox.facts(), tmp_path).items():
        monkeypatch.setenv(name, value)
    await set_table(ON)
    with Store.open(empty_database) as opened:
        yield opened


def joined(sandbox: Sandbox, store: Store, address: str) -> Event:
    """The stored event of somebody who has just joined."""
    user = source_user(sandbox.slack.add("Ada", "Lovelace", address))
    now = datetime.now(UTC)
    event = Event(
        f"Ev{user.slack_id}",
        user.team,
        user.slack_id,
        updated=user.updated,
        kind="team_join",
        received_at=now,
        profile=asdict(user),
    )
    with store.transaction() as tables:
        tables.inbox.put([event])
    return event


def state_of(store: Store, event: Event) -> EventState:
    with store.reading() as tables:
        return tables.inbox.get(event.event_id).state


async def sync(**parameters):
    from flows.realtime_sync import realtime_sync

    return await realtime_sync(**parameters, return_state=True)


def artifacts(state) -> dict[str, dict]:
    with prefect_http() as http:
        return {artifact["key"]: artifact for artifact in artifacts_of(http, str(state.state_details.flow_run_id))}


async def test_a_waiting_event_is_brought_into_docebo_and_shown(sandbox, store):
    event = joined(sandbox, store, "ada@example.com")

    state = await sync(linger_seconds=0)

    assert state.is_completed()
    assert state.message == "1 event: 1 created"
    assert len(sandbox.docebo.accounts.by_email("ada@example.com")) == 1
    assert state_of(store, event) is EventState.APPLIED
    assert "| write |" in artifacts(state)["summary-realtime-sync"]["data"]


@pytest.mark.long
async def test_what_events_have_changed_is_undone_by_the_form_that_the_runs_page_links_to(sandbox, store, deployed):
    from flows.undo import undo

    joined(sandbox, store, "ada@example.com")
    done = await sync(linger_seconds=0)
    page = artifacts(done)["summary-realtime-sync"]["data"]
    shown = await undo(**asked_for_by(deployed, page, "Show what undoing this would do"), return_state=True)

    assert "1 round." in page
    assert (shown.name, "1 left alone" in shown.message) == ("Completed", True)


@pytest.mark.long
async def test_a_run_without_events_says_so(store):
    assert (await sync(linger_seconds=0)).message == "no event was waiting"


async def test_a_second_run_ends_at_once(sandbox, store):
    event = joined(sandbox, store, "ada@example.com")
    with RunLock(store, sandbox.docebo_url, "realtime-sync", holder="the run before"):
        state = await sync()

    assert (state.name, state.is_completed()) == ("AlreadyRunning", True)
    assert "another run is at work and will see to the waiting events: the run before (process " in state.message
    assert state_of(store, event) is EventState.WAITING


@pytest.mark.long
async def test_named_users_are_not_synchronised_while_an_import_or_a_forgetting_is_at_work(sandbox, store):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    with RunLock(store, sandbox.docebo_url, "bulk-import", holder="slack-docebo forget"):
        state = await sync(slack_ids=[ada["id"]])

    assert (state.name, state.is_failed()) == ("AlreadyRunning", True)
    assert "slack-docebo forget (process " in state.message
    assert not sandbox.docebo.accounts.by_email("ada@example.com")


@pytest.mark.long
async def test_named_users_can_be_tried_and_then_synchronised(sandbox, store):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    grace = sandbox.slack.add("Grace", "Hopper", "grace@example.com")

    tried = await sync(slack_ids=[ada["id"]], emails=["grace@example.com"], dry_run=True)

    assert "2 to create" in tried.message
    assert not sandbox.docebo.accounts.by_email("ada@example.com")

    done = await sync(slack_ids=[ada["id"], grace["id"]])

    assert "2 created" in done.message
    assert len(sandbox.docebo.accounts.by_email("grace@example.com")) == 1


@pytest.mark.long
async def test_named_users_get_their_managers_once_they_have_accounts(sandbox, store):
    await set_table({**ON, "ATTRIBUTES": "first_name, last_name, email, manager = title"})
    grace = sandbox.slack.add("Grace", "Hopper", "grace@example.com")
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com", {"profile": {"title": "grace@example.com"}})

    tried = await sync(slack_ids=[ada["id"], grace["id"]], dry_run=True)
    assert not sandbox.docebo.accounts.by_email("ada@example.com")
    done = await sync(slack_ids=[ada["id"], grace["id"]])

    [manager], [account] = map(sandbox.docebo.accounts.by_email, ("grace@example.com", "ada@example.com"))
    assert list(account.managers.values()) == [manager.user_id]
    assert (tried.is_completed(), done.is_completed()) == (True, True)
    assert "2 created" in done.message
    again = await sync(slack_ids=[ada["id"]])
    assert again.is_completed()
    assert "another manager" not in str(artifacts(again))


@pytest.mark.long
async def test_a_name_slack_does_not_know_stops_the_run_without_quoting_it(store):
    state = await sync(emails=["nobody@example.com"])

    assert state.is_failed()
    assert "nobody@example.com" not in state.message


async def test_what_a_run_does_is_shown_and_who_is_parked_told_while_it_lingers(sandbox, store, mails, monkeypatch):
    server, port = mails
    for name, value in {"HOST": "127.0.0.1", "PORT": str(port), "STARTTLS": "false"}.items():
        monkeypatch.setenv(f"SMTP_{name}", value)
    await set_table({**ON, "NOTIFICATION_MAIL_ID": "parked@example.com"})
    ada, eve = (joined(sandbox, store, f"{name}@example.com") for name in ("ada", "eve"))
    sandbox.docebo_gate.faults.add(
        "POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=["ada@example.com"], message="no room"
    )
    mark = uuid4().hex  # others may have left runs that are at work
    with prefect_http() as http, a_process_that_ends(), tags(mark):
        run = asyncio.create_task(sync(linger_seconds=300))
        try:
            mail = await asyncio.to_thread(Mailbox(server, "parked@example.com").next_mail)
            ours = {"flow_runs": {"tags": {"all_": [mark]}}}
            (at_work,) = http.post("flow_runs/filter", json=ours).raise_for_status().json()
            of_status = {"artifacts": {"key": {"any_": [KEY]}}}
            (page,) = http.post("artifacts/filter", json=of_status).raise_for_status().json()

            def shown():
                rows = [
                    json.loads(one["data"])
                    for one in artifacts_of(http, at_work["id"])
                    if one["key"] == "events-served"
                ]
                return rows and {row["Slack user"]: row["what"] for row in rows[0]}

            became = {ada.slack_id: "parked", eve.slack_id: "created"}
            await asyncio.to_thread(until, lambda: shown() == became, lambda: str(shown()))
            still_at_work = not run.done()
        finally:
            tell_to_end()
            ended = await run

    assert "parked events" in mail["Subject"]
    assert "1 event is parked: look at why" in page["data"]
    assert still_at_work
    assert (ended.name, ended.is_completed()) == ("Parked", False)
    assert [row["event"] for row in json.loads(artifacts(ended)["parked-events"]["data"])] == [ada.event_id]
    assert Mailbox(server, "parked@example.com").is_empty()  # it was told


async def test_events_over_a_limit_are_held_and_the_form_lets_them_through(sandbox, store):
    await set_table({**ON, "LIMIT_CREATIONS": "1"})
    events = [joined(sandbox, store, f"{name}@example.com") for name in ("ada", "bea")]

    held = await sync(linger_seconds=0)

    assert (held.name, held.is_completed()) == ("Held", False)
    assert "2 held back by a limit, as incident " in held.message
    incident = held.message.partition("as incident ")[2].split(",")[0]

    through = await sync(linger_seconds=0, let_through=incident)

    assert (through.name, through.message) == ("Completed", "2 events: 2 created")
    assert {state_of(store, event) for event in events} == {EventState.APPLIED}


async def test_while_everything_is_stopped_events_wait_and_their_runs_are_green(sandbox, store):
    from flows.stop import go, stop
    from flows.sweep import sweep

    def may_ask() -> bool:
        with store.transaction() as tables:
            return tables.wake_ups.may_ask(datetime.now(UTC) + timedelta(minutes=59), patience=timedelta())

    await stop(reason="audit")
    event = joined(sandbox, store, "ada@example.com")

    for state in (await sync(linger_seconds=0), await sweep(return_state=True)):
        assert (state.name, state.is_completed()) == ("Stopped", True)
        assert state.message.startswith("Nothing is to be done: everything is stopped since ")
    assert state_of(store, event) is EventState.WAITING
    assert not may_ask()

    await go()

    assert may_ask()
    assert is_done(await sync(linger_seconds=0))
    assert state_of(store, event) is EventState.APPLIED


@pytest.mark.long
async def test_who_lets_an_incident_through_while_a_run_lingers_sees_it_done(sandbox, store):
    await set_table({**ON, "LIMIT_CREATIONS": "1"})
    events = [joined(sandbox, store, f"{name}@example.com") for name in ("ada", "bea")]
    incident = (await sync(linger_seconds=0)).message.partition("as incident ")[2].split(",")[0]
    with a_process_that_ends():
        lingering = asyncio.create_task(sync(linger_seconds=300))
        await asyncio.to_thread(until, lambda: not store.lock(f"run realtime-sync {sandbox.docebo_url}").try_acquire())
        try:
            through = await sync(let_through=incident)
        finally:
            tell_to_end()
            await lingering

    assert through.name == "Completed"
    assert through.message.startswith("2 events: 2 applied; seen to by the run that is at work: ")
    assert {state_of(store, event) for event in events} == {EventState.APPLIED}


async def test_the_sweep_serves_what_a_dead_run_left_and_purges_what_is_old(sandbox, store):
    from flows.sweep import sweep

    event = joined(sandbox, store, "ada@example.com")
    old = datetime.now(UTC) - timedelta(days=31)
    done = Event("EvOld", "T1", "U1", updated=1, kind="user_change", received_at=old)
    with store.transaction() as tables:
        inbox = tables.inbox
        inbox.put([done])
        inbox.finish([done.event_id], EventState.APPLIED, old, run="")
        inbox.claim("dead", 10, datetime.now(UTC))

    state = await sweep(return_state=True)

    assert state.is_completed()
    assert state_of(store, event) is EventState.APPLIED
    with store.reading() as tables:
        assert tables.inbox.get("EvOld") is None
