"""Who is told of the end of a run when one before has ended in the same words."""

import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prefect.client.schemas import FlowRun
from prefect.client.schemas.objects import StateType
from prefect.states import State

from slack_docebo.clients.notifier import Delivery, Notifier
from slack_docebo.engine.realtime.serve_result import Became, ServedEvent
from slack_docebo.engine.reporting.troubles import Notice, Trouble
from tasks import notifications, process_events, served_events
from tasks.notifications import LABEL, tell_once

PLACE = "mailbox"


class Mailbox(Notifier):
    """A place that takes every message."""

    def __init__(self, told=()) -> None:
        self.mails: list[str] = []
        self._told = told

    def __bool__(self) -> bool:
        return PLACE not in self._told

    def without(self, told):
        return Mailbox(told) if PLACE in told else self

    async def deliver(self, title, body, markdown="") -> Delivery:
        self.mails.append(body)
        return Delivery([PLACE], [])


class Runs:
    """As much of Prefect as it takes to ask for a run and for those *before* it, the newest first, of one deployment."""

    def __init__(self, run: FlowRun, *before: FlowRun) -> None:
        self._run, self._before = run, before

    async def read_flow_run(self, _flow_run_id):
        return self._run

    async def read_flow_runs(self, *, limit: int | None = None, **_which):
        return list(self._before[:limit])

    async def update_flow_run_labels(self, _flow_run_id, labels):
        self._run.labels |= labels


def ended(trouble: Trouble, number: int, *, told: str = "left alone", **labels: str) -> FlowRun:
    state = State(type=StateType.FAILED, name=trouble, message=f"Look: plan {number}abc: 1 {told}")
    return FlowRun(id=uuid4(), flow_id=uuid4(), deployment_id=uuid4(), state=state, labels=labels)


def told_now(trouble: Trouble) -> dict[str, str]:
    """Return the label of a run with which people were just told of *trouble*."""
    return {f"{LABEL}.{trouble}.{PLACE}": datetime.now(UTC).isoformat()}


def told_of(monkeypatch, runs: Runs) -> Mailbox:
    """Let *runs* be those that Prefect knows, and return where people are told."""
    mailbox = Mailbox()

    @asynccontextmanager
    async def client():
        yield runs

    async def no_mail_id():
        return ""

    async def notice(_client, _run, _flow, trouble, message, _settings):
        return Notice(trouble, "slack-events", message)

    monkeypatch.setattr(notifications, "get_client", client)
    monkeypatch.setattr(notifications, "notifier", lambda *_: mailbox)
    monkeypatch.setattr(notifications, "_mail_id", no_mail_id)
    monkeypatch.setattr(notifications, "_notice", notice)
    return mailbox


@pytest.mark.parametrize(("trouble", "mails"), [(Trouble.UNDECIDED, 1), (Trouble.REFUSED, 0)])
async def test_of_others_who_wait_for_a_decision_people_are_told_and_of_the_same_trouble_not_again(
    monkeypatch, trouble, mails
):
    run = ended(trouble, 2)
    mailbox = told_of(monkeypatch, Runs(run, ended(trouble, 1, **told_now(trouble))))
    for _ in range(2):  # Prefect may call a hook again
        await tell_once(run.id, "realtime-sync", trouble, "Look", logging.getLogger(), state=run.state)

    assert len(mailbox.mails) == mails


@pytest.mark.parametrize("went_well", [False, True])
async def test_an_outage_that_shows_in_several_ways_by_turns_is_told_once_for_each_until_a_run_goes_well(
    monkeypatch, went_well
):
    run = ended(Trouble.FAILED, 3, told="TimeoutError")
    before = [
        ended(Trouble.FAILED, 2, told="ServerDisconnectedError", **told_now(Trouble.FAILED)),
        ended(Trouble.FAILED, 1, told="TimeoutError", **told_now(Trouble.FAILED)),
    ]
    if went_well:
        before[0].state = State(type=StateType.COMPLETED)
    mailbox = told_of(monkeypatch, Runs(run, *before))

    await tell_once(run.id, "realtime-sync", Trouble.FAILED, "Look", logging.getLogger(), state=run.state)

    assert len(mailbox.mails) == int(went_well)


async def test_who_is_parked_after_that_was_told_is_told_when_the_run_ends(monkeypatch):
    run = ended(Trouble.PARKED, 2)
    mailbox = told_of(monkeypatch, Runs(run, ended(Trouble.REFUSED, 1)))
    monkeypatch.setattr(served_events, "get_run_logger", logging.getLogger)
    at_work: list[str] = []

    async def serve(_runtime, _workspace, _lease, served, *, after_round, **_options) -> None:
        for event_ids in (["Ev1"], ["Ev2", "Ev3"]):
            for one in event_ids:
                served.served[one] = ServedEvent("U1", datetime.now(UTC), Became.PARKED)
            await after_round()

    async def publish(*_about) -> None:
        at_work.extend(mailbox.mails)

    monkeypatch.setattr(process_events, "serve", serve)
    monkeypatch.setattr(process_events, "_publish", publish)
    runtime, workspace = SimpleNamespace(run_id=str(run.id)), SimpleNamespace(team="T1")
    await process_events.process_events.fn(runtime, workspace, None, linger_seconds=0)
    await tell_once(run.id, "realtime-sync", Trouble.PARKED, "Look", logging.getLogger(), state=run.state)

    assert len(at_work) == 1
    assert [("1 parked so far" in mail, "3 parked" in mail) for mail in mailbox.mails] == [(True, False), (False, True)]
