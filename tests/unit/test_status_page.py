"""By which clock the status page tells times, and what it says first."""

import re
from dataclasses import replace
from datetime import UTC, datetime

from slack_docebo.domain.setting_change import SettingChange
from slack_docebo.engine.reporting.status import FailedRun, Status
from slack_docebo.storage.contacts import Contact, Side
from slack_docebo.storage.halts import Halt
from slack_docebo.storage.inbox import InboxStatus
from slack_docebo.storage.reads import ProvenRead
from slack_docebo.storage.setting_changes import RecordedChange

AT = datetime(2026, 11, 28, 1, 30, tzinfo=UTC)


def status() -> Status:
    read = ProvenRead("of one side", people=3, pages=1, proven_at=AT)
    return Status(
        now=AT,
        docebo="https://acme.docebosaas.com",
        workspace="Acme (T1)",
        contacts={Side.SLACK: Contact(AT, AT), Side.DOCEBO: Contact(AT, None)},
        halt=Halt(AT, "audit"),
        time_zone="Europe/Rome",
        frozen_until=None,
        switched_off=False,
        remarks=(),
        slack_read=read,
        docebo_read=read,
        last_import=None,
        everybody_imported_at=None,
        dry_run=None,
        over_limit=[],
        mapped=0,
        in_line=0,
        undecided=[],
        inbox=InboxStatus(0, None, 0),
        parked_as_acknowledged=0,
        held={},
        seconds=[],
        calls_left=500,
        by_day={},
        setting_changes=[RecordedChange(AT, "Bob", SettingChange("LEAVERS", "keep", "unmap"))],
    )


def test_a_night_that_failed_is_the_first_thing_to_do():
    failed = replace(status(), failed_run=FailedRun(AT, "Correct this, and start again: a row is wrong", "/run"))

    page = failed.page(next_import=AT, forms={}, shown=lambda step: step.words)

    first, second, *_ = re.findall("^- .*", page, re.MULTILINE)
    assert first == "- [The last reconciliation failed. Correct this, and start again: a row is wrong](/run)"
    assert second.startswith("- Nothing is written: stopped since")


def test_who_waits_before_the_first_import_is_looked_for_in_no_import():
    [step] = (step for step in replace(status(), undecided=["U1"]).to_do if step.flow == "decide")

    assert step.words == "1 person is waiting for somebody's decision: decide."


def test_every_time_is_told_by_the_clock_of_the_schedule_which_is_named_once():
    page = status().page(next_import=AT, forms={}, shown=lambda step: step.words)

    times = re.findall(r"2026-11-28 (\d\d:\d\d \w+)", page)
    assert len(times) == 10
    assert set(times) == {"02:30 CET"}
    assert page.count("Europe/Rome") == 1
