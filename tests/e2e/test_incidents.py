"""Runs that end badly: what their operators are told, and how often."""

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.prefect_http import finished, logged, set_rows, start, state
from tests.smtp import text

MAIL = "lms@example.com"


@pytest.fixture
def mailbox(mails, company):
    server, _ = mails
    assert server.is_empty()
    yield server
    server.refusing = ""
    company.slack_gate.faults.clear()
    company.slack.token_errors[company.facts()["slack_token"]] = None


def test_a_refused_run_is_told_once_however_often_it_is_repeated(deployed, at_work, mailbox):
    set_rows(deployed, NOTIFICATION_MAIL_ID=MAIL, LIMIT_CREATIONS="1")

    first = finished(deployed, start(deployed, "bulk-import/manual", dry_run=False))
    again = finished(deployed, start(deployed, "bulk-import/manual", dry_run=False))

    assert (first["state"]["name"], again["state"]["name"]) == ("Refused", "Refused")
    mail = mailbox.next_mail()
    assert mail["Subject"] == "slack-docebo: bulk-import was refused before its first write"
    assert mail["To"] == MAIL
    assert f"What happened: {first['state']['message']}" in text(mail).replace("\n", " ")
    assert "to create" in text(mail)
    assert f"/runs/flow-run/{first['id']}" in text(mail)
    logged(deployed, again["id"], "No notification: the run before ended the same way")
    assert mailbox.is_empty()


def test_a_failed_run_is_told_and_a_notification_that_fails_changes_nothing_about_it(
    deployed, at_work, mailbox, company
):
    set_rows(deployed, NOTIFICATION_MAIL_ID=MAIL)
    company.slack.token_errors[company.facts()["slack_token"]] = "token_revoked"
    mailbox.refusing = "451 not now"

    ended = finished(deployed, start(deployed, "bulk-import/manual", dry_run=True))

    assert ended["state"]["name"] == "Failed"
    assert "revoked" in ended["state"]["message"]
    assert MAIL not in logged(deployed, ended["id"], "The notification was not delivered")


def test_a_run_whose_process_is_killed_is_told(deployed, at_work, mailbox, company):
    set_rows(deployed, NOTIFICATION_MAIL_ID=MAIL)
    company.slack_gate.faults.add("users.list", "slow", times=-1, seconds=30)
    run_id = start(deployed, "bulk-import/manual", dry_run=True)
    state(deployed, run_id, "RUNNING")

    (process,) = Path(f"/proc/{at_work.pid}/task/{at_work.pid}/children").read_text().split()
    os.kill(int(process), signal.SIGKILL)

    assert finished(deployed, run_id)["state_type"] == "CRASHED"
    mail = mailbox.next_mail()
    assert mail["Subject"] == "slack-docebo: bulk-import crashed"
    assert "Start it again" in text(mail)


def test_a_cancelled_run_is_told(deployed, at_work, mailbox, company):
    set_rows(deployed, NOTIFICATION_MAIL_ID=MAIL)
    company.slack_gate.faults.add("users.list", "slow", times=-1, seconds=30)
    run_id = start(deployed, "bulk-import/manual", dry_run=True)
    state(deployed, run_id, "RUNNING")

    cancelling = {"state": {"type": "CANCELLING"}, "force": False}
    deployed.post(f"flow_runs/{run_id}/set_state", json=cancelling).raise_for_status()

    assert state(deployed, run_id, "CANCELLED")
    assert mailbox.next_mail()["Subject"] == "slack-docebo: bulk-import was cancelled"


def test_a_run_that_could_not_do_everybody_says_so(deployed, at_work, mailbox, company):
    set_rows(deployed, NOTIFICATION_MAIL_ID=MAIL)
    names = [user["profile"].get("email", "") for user in company.slack if user["profile"].get("email")]
    company.docebo_gate.faults.add("POST /manage/v1/user/batch", "rows_refused", usernames=names[20:22], message="no")

    ended = finished(deployed, start(deployed, "bulk-import/manual", dry_run=False))

    assert ended["state"]["name"] == "PartlyFailed", ended["state"]
    assert mailbox.next_mail()["Subject"] == "slack-docebo: bulk-import could not do everybody"
