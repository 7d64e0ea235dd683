"""A leaver is seen at once and acted on after LEAVERS_AFTER_DAYS; who returns in time is untouched."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.storage.store import Store
from tests.importing import run_import, settings_for
from tests.integration.after_an_import import apply_by_id
from tests.integration.realtime_world import world

ROWS = {"LEAVERS": "deactivate", "LEAVERS_AFTER_DAYS": "7", "LIMIT_DEACTIVATIONS": "none"}


@pytest.fixture
def company(shared_sandbox):
    shared_sandbox.reset()
    return shared_sandbox


class Nights:
    """Imports, each some days after the first."""

    def __init__(self, company, database_url: str) -> None:
        self._settings = settings_for(company.facts(), database_url)
        self._begun = datetime.now(UTC)

    async def run(self, days: int, *, dry_run: bool = False, **rows: str):
        with time_machine.travel(self._begun + timedelta(days=days)):
            return await run_import(self._settings, rows={**ROWS, **rows}, dry_run=dry_run)

    async def apply(self, days: int, plan_id: str, **rows: str):
        with time_machine.travel(self._begun + timedelta(days=days)):
            return await apply_by_id(self._settings, {**ROWS, **rows}, plan_id)


@pytest.fixture
async def nights(company, sqlite_url):
    company.slack.add("Ada", "Lovelace", "ada@example.com")
    made = Nights(company, sqlite_url)
    await made.run(0)
    return made


def ada(company) -> str:
    return str(company.slack.by_email("ada@example.com")["id"])


def is_active(company) -> bool:
    [account] = company.docebo.accounts.by_email("ada@example.com")
    return bool(account.active)


@pytest.mark.long
async def test_the_plan_says_when_and_then_it_happens_once(company, nights):
    company.slack.deactivate(ada(company))

    seen = await nights.run(1)
    assert is_active(company)
    assert any("acted on from " in reason for _, reason, _, _ in seen.tally)
    assert (await nights.run(5)).count(Kind.DEACTIVATE) == 0
    acted = await nights.run(9)

    assert not is_active(company)
    assert acted.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1
    assert (await nights.run(20)).count(outcome=Outcome.APPLIED) == 0


async def test_a_clock_that_was_far_behind_takes_no_days_from_a_leaver(company, nights):
    company.slack.deactivate(ada(company))
    await nights.run(-2000)

    waited = await nights.run(5)
    assert is_active(company)
    assert waited.count(Kind.DEACTIVATE) == 0
    await nights.run(9)
    assert not is_active(company)


@pytest.mark.long
async def test_a_dry_run_sees_leavers_as_well(company, nights):
    company.slack.deactivate(ada(company))
    await nights.run(1, dry_run=True)
    await nights.run(9)
    assert not is_active(company)


async def test_who_returns_in_time_is_untouched_and_has_all_days_again(company, nights, sqlite_url):
    leaver = ada(company)
    company.slack.deactivate(leaver)
    await nights.run(1)
    company.slack.reactivate(leaver)
    back = await nights.run(6)
    company.slack.deactivate(leaver)
    await nights.run(9)

    assert is_active(company)
    assert back.count(outcome=Outcome.APPLIED) == 0
    with Store.open(sqlite_url) as store, store.reading() as tables:
        assert set(tables.leavers.since(company.slack.team.id, [leaver])) == {leaver}


@pytest.mark.long
async def test_an_event_of_a_leaver_begins_the_days(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, **ROWS) as here:
        await here.settle()
        slack_id = next(i for i in here.slack_ids if here.docebo_id(i) and here.account(i).level == "user")
        shared_sandbox.slack.deactivate(slack_id)
        here.put(here.event(slack_id))

        await here.serve()

        assert here.account(slack_id).active
        with here.runtime.store.reading() as tables:
            assert set(tables.leavers.since(here.workspace.team, [slack_id])) == {slack_id}


@pytest.mark.long
async def test_a_saved_plan_leaves_alone_who_was_back_and_has_left_anew(company, nights):
    leaver = ada(company)
    company.slack.deactivate(leaver)
    await nights.run(1)
    saved = await nights.run(9, dry_run=True)
    company.slack.reactivate(leaver)
    await nights.run(10, dry_run=True)
    company.slack.deactivate(leaver)
    await nights.run(11, dry_run=True)

    done = await nights.apply(12, saved.plan.id)

    assert saved.count(Kind.DEACTIVATE) == 1
    assert done.count(Kind.DEACTIVATE, outcome=Outcome.SKIPPED) == 1
    assert is_active(company)


@pytest.mark.long
async def test_a_saved_plan_waits_for_the_days_that_the_settings_of_today_want(company, nights):
    company.slack.deactivate(ada(company))
    saved = await nights.run(1, dry_run=True, LEAVERS_AFTER_DAYS="0")

    done = await nights.apply(2, saved.plan.id)

    assert done.count(Kind.DEACTIVATE, outcome=Outcome.SKIPPED) == 1
    assert is_active(company)


@pytest.mark.long
async def test_who_was_back_while_no_days_were_set_has_all_days_later(company, nights):
    leaver = ada(company)
    company.slack.deactivate(leaver)
    await nights.run(1)
    company.slack.reactivate(leaver)
    await nights.run(3, LEAVERS_AFTER_DAYS="0")
    company.slack.deactivate(leaver)

    await nights.run(20)

    assert is_active(company)


@pytest.mark.long
async def test_a_night_in_which_nothing_could_be_done_does_not_begin_the_days_anew(company, nights):
    company.slack.deactivate(ada(company))
    await nights.run(1)
    await nights.run(4, PROVISION_SLACK_USER_DATA="false")

    await nights.run(9)

    assert not is_active(company)


@pytest.mark.long
async def test_an_event_of_somebody_who_is_back_ends_the_days(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, **ROWS) as here:
        await here.settle()
        slack_id = here.members()[0]
        shared_sandbox.slack.deactivate(slack_id)
        here.put(here.event(slack_id))
        await here.serve()
        shared_sandbox.slack.reactivate(slack_id)
        here.put(here.event(slack_id))
        await here.serve()

        with here.runtime.store.reading() as tables:
            assert tables.leavers.since(here.workspace.team, [slack_id]) == {}
