"""How things stand: what the page says after an import, an event, a stop, a limit."""

import base64
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sandbox.docebo.switches import switched
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.setting_change import SettingChange
from slack_docebo.domain.texts import markdown
from slack_docebo.engine.mappings.resetting import back_up, delete_planned, plan_reset
from slack_docebo.engine.planning.moving import plan_moves
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reporting.bars import bars
from slack_docebo.engine.reporting.status import FailedRun, status
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.engine.writing.applying import begin
from slack_docebo.errors import AccessDenied, ChangeLimitExceeded
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.storage.events import EventState
from slack_docebo.storage.milestones import Milestone
from tests.both_databases import ON_BOTH
from tests.importing import run_import
from tests.integration.after_an_import import apply_by_id, import_then
from tests.integration.realtime_world import ON, World, world

NOBODY_NEXT = {"next_import": None, "forms": {}, "shown": lambda step: f"[{step.words}]({step.flow})"}


@pytest.fixture
async def here(shared_sandbox, usual_database_url, tmp_path) -> AsyncIterator[World]:
    shared_sandbox.reset()
    async with world(shared_sandbox, usual_database_url, tmp_path, **ON) as opened:
        yield opened


async def imported(here: World, **rows: str):
    return await run_import(here.runtime.settings.model_copy(update={"docebo_timeout_seconds": 3}), rows={**ON, **rows})


def shown(here: World, **more) -> str:
    return status(here.runtime).page(**{**NOBODY_NEXT, **more})


async def test_before_the_first_import_there_is_a_dry_run_to_do(here):
    found = status(here.runtime)

    assert [(step.words, step.flow) for step in found.to_do] == [
        ("Nobody was imported yet: see what an import would do, and to whom.", "bulk-import")
    ]
    assert found.line == "1 to do"
    assert "| Last import | none yet |" in shown(here)


@pytest.mark.long
async def test_a_dry_run_is_a_click_away_until_something_is_imported(here):
    planned = await run_import(here.runtime.settings, rows=ON, dry_run=True)
    page = shown(here, summaries={planned.plan.id: "/v2/dry"})
    with_others = await run_import(here.runtime.settings, rows={**ON, "SCOPE_GUESTS": "all"}, dry_run=True)
    assert not {planned.plan.id, with_others.plan.id} & status(here.runtime).plans_told_of
    await imported(here)

    [to_do] = re.findall(r"- \[Nobody was imported yet: .*", page)
    assert to_do.endswith(
        f"look at plan {planned.plan.id}, and apply it if it is right.](bulk-import) See: [the plan](/v2/dry)"
    )
    assert f"| Last dry run | [plan {planned.plan.id} " in page
    assert planned.plan.id not in shown(here)


async def test_where_everything_is_switched_off_the_page_says_that_nothing_is_written(here):
    here.runtime.behaviour = read_rows(table({**ON, "PROVISION_SLACK_USER_DATA": "", "MAP_SLACK_USER_DATA": "false"}))

    [step] = status(here.runtime).to_do
    assert step.words.startswith("Provisioning and mapping are switched off")
    assert step.flow == "settings"
    assert "| Writing to Docebo | switched off in the settings |" in shown(here)
    here.runtime.behaviour = read_rows(table({**ON, "PROVISION_SLACK_USER_DATA": ""}))
    assert "| Writing to Docebo | allowed |" in shown(here)


async def test_a_switch_that_is_mistyped_is_to_be_corrected(here):
    here.runtime.behaviour = read_rows(table({**ON, "MAP_SLACK_USER_DATA": "WAHR"}))

    assert ("MAP_SLACK_USER_DATA says 'WAHR' and is off: only true switches it on: say true or false.", "settings") in [
        (step.words, step.flow) for step in status(here.runtime).to_do
    ]


@pytest.mark.long
@ON_BOTH
async def test_days_begin_by_the_clock_of_the_administrator(here):
    done = await imported(here)
    zone = "Etc/GMT+12" if datetime.now(UTC).hour < 12 else "Etc/GMT-14"  # where it is another day
    here.runtime.behaviour = read_rows(table({**ON, "TIME_ZONE": zone}))

    found = status(here.runtime)

    today = datetime.now(ZoneInfo(zone)).date()
    assert today != datetime.now(UTC).date()
    assert {day for day, _ in found.by_day} == {today}
    assert found.by_day[today, "created"] > 0
    assert done.count() > 0


@pytest.mark.long
@ON_BOTH
async def test_after_an_import_the_page_says_what_it_did_and_who_waits(here):
    done = await imported(here)
    found = status(here.runtime)

    today = datetime.now(UTC).date()
    assert found.by_day[today, "created"] == done.count() - done.count(*(k for k, *_ in done.tally if k != "create"))
    assert len(found.undecided) == done.undecided > 0
    assert found.to_do[0].values == {"slack_ids": sorted(found.undecided)}
    assert found.mapped > 0
    assert found.slack_read
    assert found.docebo_read
    assert "waiting for somebody's decision" in found.to_do[0].words
    assert done.plan.id in shown(here)
    assert re.search(
        rf"\| Last import \| \[plan {done.plan.id} .*\]\(/v2/summary\) \|",
        shown(here, summaries={done.plan.id: "/v2/summary"}),
    )
    assert f"| People | {done.plan.looked_after:,} looked after in the last import, {found.mapped:,} mapped, " in shown(
        here
    )


@pytest.mark.long
async def test_after_a_reset_only_those_count_as_in_line_who_are_mapped(here):
    await imported(here)
    before = status(here.runtime)
    with here.runtime.store.reading() as tables:
        theirs = [one.slack_id for one in tables.mappings(before.docebo).all(here.workspace.team)][1:]
    plan_id = plan_reset(here.runtime, here.workspace, Accounts(), theirs)
    back_up(here.runtime, here.workspace, plan_id, theirs)
    begin(here.runtime, plan_id)
    delete_planned(here.runtime, here.workspace, plan_id)

    after = status(here.runtime)
    assert before.in_line > 1
    assert (after.mapped, after.in_line) == (1, 1)


async def test_the_page_says_whose_credentials_worked_and_when(here):
    workspace = await validate(here.runtime)

    page = shown(here)
    worked = r"worked last at \d{4}-\d\d-\d\d \d\d:\d\d UTC \|"
    assert re.search(
        rf"\| Slack \| {re.escape(markdown(f'{workspace.name} ({workspace.team})'))}; our token: {worked}", page
    )
    assert re.search(
        rf"\| Docebo \| {re.escape(markdown(here.runtime.settings.docebo_url))}; our API credentials: {worked}", page
    )


async def test_credentials_that_are_refused_are_to_be_looked_at_until_they_work(here):
    here.sandbox.slack_gate.faults.add("auth.test", "ok_false", error="token_revoked")
    with pytest.raises(AccessDenied):
        await validate(here.runtime)
    refused = status(here.runtime).to_do

    await validate(here.runtime)

    step = refused[0]
    assert step.words.startswith("Slack did not take our token, or did not answer, at ")
    assert step.flow == "doctor"
    assert "doctor" not in {step.flow for step in status(here.runtime).to_do}


async def test_a_side_that_refuses_us_does_not_hide_that_the_other_took_us(here):
    await validate(here.runtime)
    here.sandbox.docebo.switches = switched(here.sandbox.docebo.switches, {"session_level": "user"})
    with pytest.raises(AccessDenied):
        await validate(here.runtime)

    page = shown(here)
    assert page.count(", but not at ") == 1
    assert re.search(r"\| Docebo \| .*: worked last at .*, but not at ", page)


@pytest.mark.long
async def test_an_event_shows_how_long_it_took(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    event = here.event(ada["id"], received_at=datetime.now(UTC) - timedelta(seconds=7))
    here.put(event)
    await here.serve()

    assert here.state(event) is EventState.APPLIED
    [seconds] = status(here.runtime).seconds
    assert seconds >= 7
    assert re.search(r"\| From event to account, last day \| \d+\.\d s, one event \|", shown(here))


async def test_what_is_parked_is_to_be_looked_at(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    here.refuse("ada@example.com")
    here.put(here.event(ada["id"]))
    for _ in range(4):
        await here.serve()

    step = status(here.runtime).to_do[-1]
    assert step == Step(
        "1 event is parked: look at why, and replay it.", "parked-events", {"action": "replay", "everything": True}
    )
    assert f"- [{step.words}](parked-events) See: [which, and why](parked-events)" in shown(here)


async def test_what_a_limit_holds_back_can_be_looked_at_before_it_is_let_through(here):
    event = here.event(here.slack_ids[0])
    here.put(event)
    with here.runtime.store.transaction() as tables:
        tables.inbox.claim("run", 10, here.runtime.now())
        tables.inbox.hold([event.event_id], "1incid3n", "over a limit", here.runtime.now(), run="run")

    assert "look at the plan, and let it through if it is right.](realtime-sync) See: [the plan](bulk-import)" in shown(
        here
    )


async def test_a_stop_comes_first(here):
    with here.runtime.store.transaction() as tables:
        tables.halts.stop(here.runtime.settings.docebo_url, "audit", now=datetime.now(UTC))

    first = status(here.runtime).to_do[0]
    assert first.words.startswith("Nothing is written: stopped since ")
    assert first.flow == "go"
    assert "(audit)" in shown(here)


async def test_why_everything_stands_still_is_text_on_the_page(here):
    with here.runtime.store.transaction() as tables:
        said = "a | b <b>c</b> ![d](https://e.example/f.png)"
        tables.halts.stop(here.runtime.settings.docebo_url, said, now=datetime.now(UTC))

    [row] = re.findall(r"^\| Writing to Docebo \| (.*) \|$", shown(here), re.MULTILINE)
    assert row.endswith(markdown(f"({said})"))


async def test_a_plan_that_a_limit_refused_is_to_be_looked_at_until_one_is_applied(here):
    with pytest.raises(ChangeLimitExceeded):
        await imported(here, LIMIT_CREATIONS="1")
    refused = status(here.runtime).to_do

    page = shown(here, summaries=dict.fromkeys(status(here.runtime).over_limit, "/v2/refused"))
    await imported(here)

    assert "and apply it if it is right.](bulk-import) See: [the plan](/v2/refused)" in page
    [over] = [step for step in refused if step.words.startswith("A limit has refused plan ")]
    assert str(over.values["plan_id"]) in over.words
    assert not status(here.runtime).over_limit


@pytest.mark.long
async def test_moves_that_a_limit_refused_are_to_be_looked_at_until_the_next_import(here):
    rows = {**ON, "ATTRIBUTES": "first_name, last_name, email, branch = title", "BRANCH_MOVES": "true"}
    here.sandbox.docebo.add_branch("EU", "Europe")
    here.sandbox.docebo.add_branch("US", "America")
    ada = str(here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com", {"profile": {"title": "EU"}})["id"])
    settings = here.runtime.settings.model_copy(update={"docebo_timeout_seconds": 3})
    await import_then(settings, rows, plan_moves)
    here.sandbox.slack.change(ada, {"profile": {"title": "US"}})

    with pytest.raises(ChangeLimitExceeded) as refusal:
        await import_then(settings, {**rows, "LIMIT_BRANCH_MOVES": "0"}, plan_moves)
    over = status(here.runtime)
    await imported(here)

    assert [plan_id for plan_id in over.over_limit if plan_id in str(refusal.value)] == list(over.over_limit) != []
    assert [step.values["plan_id"] for step in over.to_do if "A limit has refused" in step.words] == over.over_limit
    assert status(here.runtime).over_limit == []


async def test_the_page_names_nobody(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    here.put(here.event(ada["id"]))
    await here.serve()
    await imported(here)

    page = shown(here, next_import=datetime(2099, 3, 5, 2, 30, tzinfo=UTC), forms={"Stop": "/v2/x"})
    assert "| Next reconciliation | 2099-03-05 02:30 UTC |" in page
    assert "- [Stop](/v2/x)" in page
    assert not [word for word in ("Ada", "Lovelace", "ada@example.com", ada["id"]) if word in page]


def test_every_day_with_work_is_a_bar_that_can_be_read():
    monday = date(2026, 3, 2)
    days = [monday + timedelta(days=place) for place in range(3)]
    image = bars(days, {(monday, "created"): 10, (days[2], "created"): 5, (days[2], "failed"): 5})

    svg = base64.b64decode(image.partition("base64,")[2].removesuffix(")")).decode()
    assert svg.count("<title>") == 3
    assert "<title>2026-03-04: 5 failed</title>" in svg
    assert "at most 10 people a day" in svg


@pytest.mark.parametrize(("number", "told"), [(0, "at most 0 people a day"), (1, "at most 1 person a day")])
def test_the_bars_say_how_many_people_there_were_at_most_also_where_it_was_one_or_nobody(number, told):
    monday = date(2026, 3, 2)
    image = bars([monday], {(monday, "created"): number})

    assert told in base64.b64decode(image.partition("base64,")[2].removesuffix(")")).decode()


@pytest.mark.long
async def test_a_saved_plan_that_is_applied_does_not_make_up_for_a_reconciliation_that_failed(here):
    planned = await run_import(here.runtime.settings, rows=ON, dry_run=True)
    failed = FailedRun(datetime.now(UTC), "90 of 100 people", "/v2/run")

    def is_told() -> bool:
        return "The last reconciliation failed" in replace(status(here.runtime), failed_run=failed).page(**NOBODY_NEXT)

    await apply_by_id(here.runtime.settings, {}, planned.plan.id)
    assert is_told()
    await imported(here)
    assert not is_told()


async def test_a_reconciliation_that_failed_is_told_though_a_clock_that_was_ahead_noted_the_import_before_it(here):
    failed = FailedRun(datetime.now(UTC), "90 of 100 people", "/v2/run")
    with here.runtime.store.transaction() as tables:
        ahead = here.runtime.now() + timedelta(days=9)
        tables.milestones.reach(here.runtime.settings.docebo_url, Milestone.IMPORT, now=ahead)

    page = replace(status(here.runtime), failed_run=failed).page(**NOBODY_NEXT)

    assert "The last reconciliation failed" in page


def test_that_no_reconciliation_is_scheduled_is_said_with_what_to_switch_on(here):
    assert "| Next reconciliation | **not scheduled**: switch the schedule" in shown(here)


def test_a_reconciliation_that_should_have_begun_is_not_told_as_one_to_come(here):
    due = status(here.runtime).now - timedelta(hours=1)
    assert "| Next reconciliation | **late**: due since " in shown(here, next_import=due)


def test_the_next_reconciliation_is_told_by_the_clock_by_which_it_was_set(here):
    at = datetime(2099, 11, 28, 1, 30, tzinfo=UTC)
    in_rome = replace(status(here.runtime), time_zone="Europe/Rome")

    assert "| Next reconciliation | 2099-11-28 01:30 UTC |" in shown(here, next_import=at)
    assert "| Next reconciliation | 2099-11-28 02:30 CET |" in in_rome.page(**{**NOBODY_NEXT, "next_import": at})


def test_a_month_without_work_is_drawn_all_the_same():
    assert bars([date(2026, 3, 2)], {}).startswith("![People by day](data:image/svg+xml;base64,")


def test_what_was_changed_in_the_settings_is_shown_and_names_none_of_the_people(here):
    changes = [SettingChange("LEAVERS", "keep", "unmap|"), SettingChange("SCOPE_EXCLUDE", "", "ada@example.com")]
    with here.runtime.store.transaction() as tables:
        tables.setting_changes.add(changes, by="Bob *B*", run_id="", now=datetime(2026, 3, 1, 12, 30, tzinfo=UTC))

    page = shown(here)

    assert "- 2026-03-01 12:30 UTC, Bob \\*B\\*: LEAVERS from keep to unmap\\|" in page
    assert "SCOPE_EXCLUDE" in page
    assert "ada@example.com" not in page
