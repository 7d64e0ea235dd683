"""What the sweep lets go: tried by moving the clock."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from sandbox.server import Sandbox
from slack_docebo.engine.looking.checks.installation import regular_runs
from slack_docebo.engine.looking.checks.seen import Seen
from slack_docebo.engine.looking.diagnosis import Level
from slack_docebo.engine.realtime.upkeep import PLANS_AT_ONCE, tidy
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.storage.events import Event, EventState
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.reads import ProvenRead
from slack_docebo.storage.schema import person_share
from tests.importing import reset, run_import, settings_for
from tests.integration.after_an_import import apply_by_id
from tests.integration.realtime_world import world

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    with Sandbox(users=30, docebo_users=5, rate_limits=False) as sandbox:
        yield sandbox


def later(days: float) -> time_machine.travel:
    return time_machine.travel(datetime.now(UTC) + days * DAY)


def plans_of(runtime) -> list[str]:
    with runtime.store.reading() as tables:
        return [plan.id for plan in tables.plans.recent(100)]


@pytest.mark.long
async def test_plans_outcomes_and_reports_are_kept_for_as_long_as_the_settings_say(company, database_url, tmp_path):
    first, second = [
        (await run_import(settings_for(company.facts(), database_url, report_dir=tmp_path), dry_run=True)).plan.id
        for _ in range(2)
    ]
    async with world(company, database_url, tmp_path, JOURNAL_KEEP_DAYS="90") as here:
        reports = here.runtime.settings.report_dir
        for plan_id in (first, second):
            write_files(here.runtime.store, plan_id, reports)
        with later(89):
            kept = tidy(here.runtime)
        assert (kept.plans, kept.files) == (0, 0)
        with later(91):
            gone = tidy(here.runtime)

        assert (gone.plans, gone.files) == (1, 4)
        assert plans_of(here.runtime) == [second]  # the newest serves the command line while Prefect is down
        with here.runtime.store.reading() as tables:
            assert list(tables.operations.rows(first)) == []


async def test_plans_are_kept_for_as_long_as_limits_count_whom_they_have_changed(company, sqlite_url, tmp_path):
    settings = settings_for(company.facts(), sqlite_url, report_dir=tmp_path)
    first = await run_import(settings)
    await run_import(settings)
    async with world(company, sqlite_url, tmp_path, JOURNAL_KEEP_DAYS="1", LIMIT_WINDOW_HOURS="72") as here:
        with later(2):
            tidy(here.runtime)
        assert first.plan.id in plans_of(here.runtime)
        with later(4):
            tidy(here.runtime)
        assert first.plan.id not in plans_of(here.runtime)


@pytest.mark.long
async def test_a_plan_that_was_applied_late_is_kept_from_then_on(company, sqlite_url, tmp_path):
    company.reset()
    settings = settings_for(company.facts(), sqlite_url, report_dir=tmp_path)
    saved = (await run_import(settings, dry_run=True)).plan.id
    with later(91):
        await apply_by_id(settings, {}, saved)
        await run_import(settings)
        async with world(company, sqlite_url, tmp_path, JOURNAL_KEEP_DAYS="90") as here:
            tidy(here.runtime)
            assert saved in plans_of(here.runtime)


async def test_a_plan_is_kept_for_what_was_sent_late_and_may_have_been_done(company, sqlite_url, tmp_path):
    company.reset()
    settings = settings_for(company.facts(), sqlite_url, report_dir=tmp_path)
    saved = (await run_import(settings, dry_run=True)).plan.id
    with later(91):
        async with world(company, sqlite_url, tmp_path, JOURNAL_KEEP_DAYS="90") as here:
            with here.runtime.store.transaction() as tables:
                tables.intents.note(saved, [0], flow_run="died", now=here.runtime.now())
                tables.intents.give_up(saved, [0])
            await run_import(settings)
            tidy(here.runtime)
            assert saved in plans_of(here.runtime)


async def test_events_that_are_done_and_backups_are_kept_for_as_long_as_the_settings_say(company, sqlite_url, tmp_path):
    kept = {"INBOX_KEEP_DAYS": "7", "JOURNAL_KEEP_DAYS": "90"}
    async with world(company, sqlite_url, tmp_path, **kept) as here:
        now = datetime.now(UTC)
        with here.runtime.store.transaction() as tables:
            tables.inbox.put(
                [Event(f"Ev-{one}", "", one, updated=0, kind="user_change", received_at=now) for one in ("U1", "U2")]
            )
            tables.inbox.finish(["Ev-U1"], EventState.APPLIED, now, run="")
        await reset(here.runtime)
        with later(6):
            young = tidy(here.runtime)
        assert (young.purged, young.files) == (0, 0)
        with later(8):
            assert tidy(here.runtime).purged == 1
        with later(89):
            assert tidy(here.runtime).files == 0
        with later(91):
            gone = tidy(here.runtime)

        assert (gone.purged, gone.files) == (0, 1)
        assert gone.status.waiting == 1  # what waits is never too old
        assert list(here.runtime.settings.report_dir.glob("mappings-*")) == []


async def test_a_clock_that_is_set_far_ahead_for_a_moment_takes_nothing_away(company, sqlite_url, tmp_path):
    first = await run_import(settings_for(company.facts(), sqlite_url, report_dir=tmp_path))
    await run_import(settings_for(company.facts(), sqlite_url, report_dir=tmp_path))
    async with world(company, sqlite_url, tmp_path) as here:
        now = datetime.now(UTC)
        with here.runtime.store.transaction() as tables:
            tables.inbox.put([Event("Ev-1", "", "U1", updated=0, kind="user_change", received_at=now)])
            tables.inbox.finish(["Ev-1"], EventState.APPLIED, now, run="")
        await reset(here.runtime)
        tidy(here.runtime)
        with later(4000):
            ahead = tidy(here.runtime)
        right_again = tidy(here.runtime)

        assert [(one.purged, one.plans, one.files) for one in (ahead, right_again)] == [(0, 0, 0)] * 2
        assert first.plan.id in plans_of(here.runtime)


async def test_after_days_without_a_sweep_the_second_one_takes_away_what_is_too_old(company, sqlite_url, tmp_path):
    async with world(company, sqlite_url, tmp_path) as here:
        await reset(here.runtime)
        tidy(here.runtime)
        with later(200):
            swept = [tidy(here.runtime), tidy(here.runtime)]

        assert [one.files for one in swept] == [0, 1]


@pytest.mark.long
async def test_an_import_for_real_and_a_sweep_are_milestones_and_neither_a_dry_run_nor_a_saved_plan_is(
    company, sqlite_url, tmp_path
):
    async with world(company, sqlite_url, tmp_path) as here:

        def reached():
            with here.runtime.store.reading() as tables:
                return tables.milestones.last(here.runtime.settings.docebo_url, now=here.runtime.now())

        saved = await run_import(here.runtime.settings, dry_run=True)
        await apply_by_id(here.runtime.settings, {}, saved.plan.id)
        assert reached() == {}
        await run_import(here.runtime.settings)
        assert set(reached()) == {Milestone.IMPORT}
        tidy(here.runtime)
        assert set(reached()) == {Milestone.IMPORT, Milestone.SWEEP}


async def test_that_no_import_comes_on_days_of_freeze_is_no_trouble(company, sqlite_url, tmp_path):
    now = datetime.now(UTC)
    async with world(company, sqlite_url, tmp_path, FREEZE=f"{now.date()} to {(now + DAY).date()}") as here:
        settings, behaviour = here.runtime.settings, here.runtime.behaviour
        with here.runtime.store.transaction() as tables:
            tables.milestones.reach(settings.docebo_url, Milestone.IMPORT, now=now - 2 * DAY)
        tidy(here.runtime)
        during = await regular_runs("runs", Seen(settings, behaviour=behaviour))
        with here.runtime.store.transaction() as tables:
            assert Milestone.FREEZE in tables.milestones.last(settings.docebo_url, now=now)
            tables.milestones.reach(settings.docebo_url, Milestone.FREEZE, now=now - 1.2 * DAY)
        afterwards = await regular_runs("runs", Seen(settings, behaviour=behaviour))

    assert (during.level, afterwards.level) == (Level.OK, Level.WARN)


async def test_that_an_import_is_late_is_told_though_a_clock_that_was_ahead_noted_days_of_freeze(
    company, sqlite_url, tmp_path
):
    now = datetime.now(UTC)
    async with world(company, sqlite_url, tmp_path) as here:
        settings, behaviour = here.runtime.settings, here.runtime.behaviour
        with here.runtime.store.transaction() as tables:
            tables.milestones.reach(settings.docebo_url, Milestone.IMPORT, now=now - 2 * DAY)
            tables.milestones.reach(settings.docebo_url, Milestone.FREEZE, now=now + 9 * DAY)
        found = await regular_runs("runs", Seen(settings, behaviour=behaviour))

    assert found.level is Level.WARN


async def test_only_reports_and_backups_of_ours_are_removed(company, sqlite_url, tmp_path):
    async with world(company, sqlite_url, tmp_path) as here:
        reports = here.runtime.settings.report_dir
        reports.mkdir(exist_ok=True)
        elsewhere = tmp_path / "elsewhere.csv"
        elsewhere.write_text("precious")
        for name in ("1abcdefg.csv", "mappings-1abcdefg.csv", "1abcdefg-orphans.csv", "notes.csv", "1abcdefg.txt"):
            (reports / name).write_text("x")
        (reports / "2abcdefg.csv").symlink_to(elsewhere)
        for path in reports.iterdir():
            os.utime(path, (0, 0), follow_symlinks=False)

        assert tidy(here.runtime).files == 3
        assert {path.name for path in reports.iterdir()} == {"notes.csv", "1abcdefg.txt", "2abcdefg.csv"}
        assert elsewhere.read_text() == "precious"


async def test_what_a_killed_writer_left_goes_with_the_reports_of_its_time(company, sqlite_url, tmp_path):
    async with world(company, sqlite_url, tmp_path) as here:
        reports = here.runtime.settings.report_dir
        reports.mkdir(exist_ok=True)
        old, at_work, named = (reports / f".slack-docebo-{name}.part" for name in ("01", "23", "45"))
        for draft in (old, at_work, named):
            draft.write_text("slack_id,email\nU1,ada@example.com\n")
        for draft in (old, named):
            os.utime(draft, (0, 0))
        (reports / "1abcdefg.csv").hardlink_to(named)  # killed when it had given the file its name

        tidy(here.runtime)
        tidy(here.runtime)

        assert list(reports.iterdir()) == [at_work]


async def test_what_failed_by_a_clock_that_was_ahead_does_not_wait_for_that_time(company, sqlite_url, tmp_path):
    async with world(company, sqlite_url, tmp_path, REALTIME_RETRY_DELAYS="30, 3600") as here:
        now = datetime.now(UTC)
        ids = ["Ev-ahead", "Ev-last-delay"]
        with here.runtime.store.transaction() as tables:
            tables.inbox.put([Event(one, "", one, updated=0, kind="user_change", received_at=now) for one in ids])
            tables.inbox.retry_later(ids[:1], "no answer", now + DAY + timedelta(seconds=30), run="")
            tables.inbox.retry_later(ids[1:], "no answer", now + timedelta(hours=1), run="")
            tables.shares.spend(["U1"], now + DAY)

        assert tidy(here.runtime).due == 1
        with here.runtime.store.reading() as tables:
            assert tables.connection.execute(select(person_share)).all() == []


async def test_reads_are_purged_but_for_the_latest_of_each_source(company, database_url, tmp_path):
    async with world(company, database_url, tmp_path) as here:
        long_ago = datetime.now(UTC) - 200 * DAY
        with here.runtime.store.transaction() as tables:
            reads = tables.reads
            for people in (1, 2, 3):
                reads.record(ProvenRead("slack:T1", people, 1, long_ago))
            reads.record(ProvenRead("docebo:old", 9, 1, long_ago))
            tidied = reads.purge(datetime.now(UTC) - 90 * DAY)
        assert tidied == 2
        with here.runtime.store.reading() as tables:
            reads = tables.reads
            last = reads.last("slack:T1"), reads.last("docebo:old")
        assert [read.people for read in last if read] == [3, 9]


@pytest.mark.long
async def test_however_many_plans_are_too_old_one_sweep_deletes_them(company, database_url, tmp_path):
    settings = settings_for(company.facts(), database_url, report_dir=tmp_path)
    newest = (await run_import(settings, dry_run=True)).plan
    async with world(company, database_url, tmp_path) as here:
        with here.runtime.store.transaction() as tables:
            for number in range(2 * PLANS_AT_ONCE + 5):
                old = newest.created_at - (100 + number) * DAY
                tables.plans.create(replace(newest, id=f"9{number:07}", created_at=old))

        assert [tidy(here.runtime).plans for _ in range(2)] == [2 * PLANS_AT_ONCE + 5, 0]
        assert plans_of(here.runtime) == [newest.id]
