"""Who is told of the end of a run when the one before has ended in the same words."""

import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect.client.schemas import FlowRun
from prefect.client.schemas.objects import StateType
from prefect.states import State

from slack_docebo.clients.notifier import Delivery, Notifier
from slack_docebo.engine.reporting.incidents import Incident, Trouble
from tasks import notifications
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
        self.mails.append(title)
        return Delivery([PLACE], [])


class Runs:
    """As much of Prefect as it takes to ask for two runs of one deployment."""

    def __init__(self, before: FlowRun, run: FlowRun) -> None:
        self._before, self._run = before, run

    async def read_flow_run(self, _flow_run_id):
        return self._run

    async def read_flow_runs(self, **_which):
        return [self._before]

    async def update_flow_run_labels(self, _flow_run_id, labels):
        self._run.labels |= labels


@pytest.mark.parametrize(("trouble", "mails"), [(Trouble.UNDECIDED, 1), (Trouble.REFUSED, 0)])
async def test_of_others_who_wait_for_a_decision_people_are_told_and_of_the_same_trouble_not_again(
    monkeypatch, trouble, mails
):
    def ended(number: int, **labels: str) -> FlowRun:
        state = State(type=StateType.FAILED, name=trouble, message=f"Look: plan {number}abc: 1 left alone")
        return FlowRun(id=uuid4(), flow_id=uuid4(), deployment_id=uuid4(), state=state, labels=labels)

    run = ended(2)
    runs = Runs(ended(1, **{f"{LABEL}.{trouble}.{PLACE}": datetime.now(UTC).isoformat()}), run)
    mailbox = Mailbox()

    @asynccontextmanager
    async def client():
        yield runs

    async def no_mail_id():
        return ""

    async def incident(*_about):
        return Incident(trouble, "slack-events", "Look")

    monkeypatch.setattr(notifications, "get_client", client)
    monkeypatch.setattr(notifications, "notifier", lambda *_: mailbox)
    monkeypatch.setattr(notifications, "_mail_id", no_mail_id)
    monkeypatch.setattr(notifications, "_incident", incident)
    for _ in range(2):  # Prefect may call a hook again
        await tell_once(run.id, "realtime-sync", trouble, "Look", logging.getLogger(), state=run.state)

    assert len(mailbox.mails) == mails
