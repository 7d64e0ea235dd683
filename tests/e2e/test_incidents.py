"""Runs that end badly: what their operators are told, and how often."""

import os
import signal
import sys
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from deployments.local import process
from slack_docebo.engine.reporting.troubles import cause_in
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.store import Store
from tests.e2e.prefect_http import (
    ON_CHANGED_SETTINGS,
    finished,
    let_automation,
    logged,
    process_of,
    set_rows,
    start,
    state,
)
from tests.smtp import Mailbox, text
from tests.waiting import until


@pytest.fixture
def mailbox(mails, company):
    """An address that only this test is told at: what another has brought about may come late."""
    server, _ = mails
    yield Mailbox(server, f"{uuid4().hex}@example.com")
    server.refusing = ""
    company.slack_gate.faults.clear()
    company.docebo_gate.faults.clear()
    company.slack.token_errors[company.facts()["slack_token"]] = None


def subject(company, what: str) -> str:
    return f"slack-docebo {urlsplit(company.docebo_url).netloc}: {what}"


def over_the_limit(company) -> dict[str, str]:
    """Let two people join Slack, whoever has an account by now, and return a limit that they are over."""
    for name in ("Ada", "Grace"):
        company.slack.add(name, "New", f"{uuid4().hex}@example.com")
    return {"LIMIT_CREATIONS": "1"}


@pytest.mark.long
def test_a_refused_run_is_told_once_however_often_it_is_repeated(deployed, at_work, mailbox, company):
    set_rows(deployed, NOTIFICATION_MAIL_ID=mailbox.address, **over_the_limit(company))

    first = finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=False))
    logged(deployed, first["id"], "Hook 'notify_operators' finished")  # a moment after the run has ended
    again = finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=False))

    assert (first["state"]["name"], again["state"]["name"]) == ("Refused", "Refused")
    mail = mailbox.next_mail()
    assert mail["Subject"].startswith(subject(company, "import-everybody was refused: "))
    assert "Who, and why: http://127.0.0.1:" in text(mail)
    assert "/v2/artifacts/artifact/" in text(mail)
    assert f"What happened: {cause_in(first['state']['message'])}" in text(mail).replace("\n", " ")
    assert "to create" in text(mail)
    assert f"/v2/runs/flow-run/{first['id']}" in text(mail)
    logged(deployed, again["id"], "No notification: everybody was told of the same before")
    assert mailbox.is_empty()


@pytest.mark.long
def test_a_failed_run_is_told_and_a_notification_that_fails_changes_nothing_about_it(
    deployed, at_work, mailbox, company
):
    set_rows(deployed, NOTIFICATION_MAIL_ID=mailbox.address)
    company.slack.token_errors[company.facts()["slack_token"]] = "token_revoked"
    mailbox.server.refusing = "451 not now"

    ended = finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=True))

    assert ended["state"]["name"] == "Failed"
    assert "revoked" in ended["state"]["message"]
    assert mailbox.address not in logged(deployed, ended["id"], "The notification was not delivered")

    mailbox.server.refusing = ""
    finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=True))

    assert "import-everybody failed" in mailbox.next_mail()["Subject"]  # it counts as told only now


@pytest.mark.long
def test_somebody_new_is_told_of_the_trouble_there_is(deployed, at_work, mailbox, company):
    limit = over_the_limit(company)
    set_rows(deployed, NOTIFICATION_MAIL_ID=f"former-{mailbox.address}", **limit)
    finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=False))
    set_rows(deployed, NOTIFICATION_MAIL_ID=mailbox.address, **limit)

    finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=False))

    assert "was refused" in mailbox.next_mail()["Subject"]


@pytest.mark.long
def test_a_nightly_run_that_finds_its_place_taken_is_told(deployed, at_work, mailbox, company, environment):
    set_rows(deployed, NOTIFICATION_MAIL_ID=mailbox.address)
    with (
        Store.open(environment["DATABASE_URL"]) as store,
        RunLock(store, company.docebo_url, "bulk-import", holder="plan apply"),
    ):
        ended = finished(deployed, start(deployed, "bulk-import/reconcile"))

    assert (ended["state_name"], ended["state_type"]) == ("AlreadyRunning", "FAILED")
    mail = mailbox.next_mail()
    assert mail["Subject"] == subject(company, "reconcile was not done: its place was taken")
    assert "plan apply (process " in text(mail).replace("\n", " ")


@pytest.mark.long
def test_a_wrong_row_is_told_as_soon_as_it_is_saved_by_hand(deployed, at_work, mailbox):
    set_rows(deployed)
    let_automation(deployed, ON_CHANGED_SETTINGS, enabled=True)
    try:
        set_rows(deployed, NOTIFICATION_MAIL_ID=mailbox.address, LEAVERS="delete")
        mail = mailbox.next_mail()
    finally:
        let_automation(deployed, ON_CHANGED_SETTINGS, enabled=False)
        set_rows(deployed)

    assert "row SLACK | LEAVERS" in text(mail).replace("\n", " ")


def test_a_run_whose_process_is_killed_is_told(deployed, at_work, mailbox, company):
    set_rows(deployed, NOTIFICATION_MAIL_ID=mailbox.address)
    company.slack_gate.faults.add("users.list", "slow", times=-1, seconds=300)
    run_id = start(deployed, "bulk-import/import-everybody", dry_run=True)
    state(deployed, run_id, "RUNNING")

    os.kill(process_of(deployed, run_id), signal.SIGKILL)

    ended = finished(deployed, run_id)
    assert ended["state_type"] == "CRASHED"
    assert ended["state"]["message"].startswith(
        "Start it again, unless it begins again by itself: its process was killed, most often because the machine"
    )
    mail = mailbox.next_mail()
    assert mail["Subject"] == subject(company, "import-everybody crashed")
    assert "Start anything else again" in text(mail)


@pytest.mark.long
def test_a_cancelled_run_is_told(deployed, at_work, mailbox, company):
    set_rows(deployed, NOTIFICATION_MAIL_ID=mailbox.address)
    company.slack_gate.faults.add("users.list", "slow", times=-1, seconds=300)
    run_id = start(deployed, "bulk-import/import-everybody", dry_run=True)
    state(deployed, run_id, "RUNNING")

    cancelling = {"state": {"type": "CANCELLING"}, "force": False}
    deployed.post(f"flow_runs/{run_id}/set_state", json=cancelling).raise_for_status()

    assert state(deployed, run_id, "CANCELLED")
    assert mailbox.next_mail()["Subject"] == subject(company, "import-everybody was cancelled")


@pytest.mark.long
def test_a_run_that_could_not_do_everybody_says_so_and_is_reported_where_that_is_wanted(
    deployed, at_work, mailbox, company
):
    set_rows(deployed, NOTIFICATION_MAIL_ID=mailbox.address, REPORT_MAIL="when-changed")
    nobody_knows = [f"{first}@refused.example" for first in ("ada", "grace", "joan")]
    for address in nobody_knows:
        company.slack.add(address.split("@")[0].title(), "Refused", address)
    company.docebo_gate.faults.add(
        "POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=nobody_knows[:2], message="no"
    )

    ended = finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=False))

    assert ended["state"]["name"] == "PartlyFailed", ended["state"]
    report = mailbox.next_mail()
    assert report["Subject"].endswith("2 failed")
    assert "- 2 people: no. Correct what Docebo says, there or in Slack: the next run tries again." in text(report)
    assert mailbox.next_mail()["Subject"].startswith(subject(company, "import-everybody could not do everybody: "))


@pytest.mark.long
def test_what_the_library_waits_for_is_told_on_the_page_of_the_run(deployed, at_work, mailbox, company):
    set_rows(deployed)
    company.slack_gate.faults.add("users.list", "rate_limited", times=1, retry_after=1)

    ended = finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=True))

    assert ended["state_type"] == "COMPLETED"
    assert "attempt 2 follows in 1.0 s" in logged(deployed, ended["id"], "users.list: HTTP 429")


UNWATCHED = """
import asyncio, sys
from prefect import tags
from flows.bulk_import import bulk_import
with tags("slack-docebo", sys.argv[1]):
    asyncio.run(bulk_import())
"""


def silent(http, automation_id: str) -> set[str]:
    """The runs for which the automation has fired."""
    fired = {
        "event": {"name": ["prefect.automation.triggered"]},
        "resource": {"id": [f"prefect.automation.{automation_id}"]},
    }
    events = http.post("events/filter", json={"filter": fired}).raise_for_status().json()["events"]
    return {event["payload"]["triggering_labels"]["prefect.resource.id"] for event in events}


@pytest.mark.long
def test_a_run_is_shown_as_crashed_when_its_process_is_gone_and_no_worker_saw_it(
    deployed, at_work, environment, clone, mailbox, company, tmp_path
):
    """In ten minutes; here within seconds, by a copy of the same automation."""
    from deployments.automations import automations  # Prefect is imported with its settings in place

    set_rows(deployed)
    (automation,) = automations(silence_seconds=10)
    automation.name = "in a hurry"
    made = deployed.post("automations/", json=automation.model_dump(mode="json")).raise_for_status().json()
    company.slack_gate.faults.add("users.list", "slow", times=-1, seconds=300)
    mark = uuid4().hex
    running = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}, "tags": {"all_": [mark]}}}
    try:
        for _ in range(4):  # they are at an end before Prefect has sent their first sign of life
            finished(deployed, start(deployed, "go/go-on-writing"))
        with process(
            [sys.executable, "-c", UNWATCHED, mark], log=tmp_path / "run.log", env=environment, cwd=clone
        ) as child:

            def at_work():
                assert child.poll() is None, (tmp_path / "run.log").read_text()
                return deployed.post("flow_runs/filter", json=running).raise_for_status().json()

            runs = until(at_work)
            logged(deployed, runs[0]["id"], "Docebo:")
            child.kill()

            assert finished(deployed, runs[0]["id"])["state_type"] == "CRASHED"
        whom = until(lambda: silent(deployed, made["id"]))
        assert whom == {f"prefect.flow-run.{runs[0]['id']}"}
    finally:
        deployed.delete(f"automations/{made['id']}").raise_for_status()
