"""Usernames by a rule, and expiration dates, as an import and real time write them, and as limits count them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from sandbox.server import Sandbox
from slack_docebo.engine.importing import apply_saved, plan_import
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.errors import PlanNotApplicable
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from tests.between import Call, between
from tests.importing import ON, carry_out, run_import, settings_for
from tests.integration.realtime_world import world

USERS = 20
PLAIN = "first_name, last_name, email"
BY_HANDLE = f"{PLAIN}, username = lower(handle)"


@pytest.fixture
def settings(shared_sandbox: Sandbox, sqlite_url: str):
    shared_sandbox.reset()
    return settings_for(shared_sandbox.facts(), sqlite_url)


def usernames(sandbox: Sandbox) -> dict[int, str]:
    return {one.user_id: one.username for one in sandbox.docebo.accounts}


def named(sandbox: Sandbox) -> set[str]:
    return {one.username for one in sandbox.docebo.accounts if one.provisioned_by}


@pytest.mark.long
async def test_new_accounts_are_called_as_the_rule_says_and_the_next_run_writes_nothing(shared_sandbox, settings):
    done = await run_import(settings, rows={"ATTRIBUTES": BY_HANDLE, "LIMIT_RENAMES": "none"})
    again = await run_import(settings, rows={"ATTRIBUTES": BY_HANDLE, "LIMIT_RENAMES": "none"})

    assert done.count("create", outcome="applied") == len(named(shared_sandbox)) > 5
    assert not any("@" in username for username in named(shared_sandbox))
    assert again.count(outcome="applied") == 0


async def test_more_changes_of_usernames_than_the_limit_stop_before_the_first_and_are_undone(shared_sandbox, settings):
    await run_import(settings, rows={"ATTRIBUTES": PLAIN})
    before = usernames(shared_sandbox)

    refused = await run_import(settings, rows={"ATTRIBUTES": BY_HANDLE, "LIMIT_RENAMES": "2"}, dry_run=True)
    done = await run_import(settings, rows={"ATTRIBUTES": BY_HANDLE, "LIMIT_RENAMES": "none"})
    renamed = usernames(shared_sandbox)
    async with open_runtime(settings, read_rows(table({**ON, "LIMIT_RENAMES": "none"})), run_id="undo") as runtime:
        undo = plan_undo(runtime, done.plan.id)
        begin(runtime, undo)
        await apply_accounts(runtime, undo, lambda _rows: None)

    changed = sum(before[user_id] != username for user_id, username in renamed.items())
    assert refused.plan.over_limit == [f"{changed} to give another username, the limit is 2"]
    assert changed == done.count("update", outcome="applied") > 5
    assert usernames(shared_sandbox) == before


async def test_an_account_that_a_list_shows_as_before_we_have_changed_all_of_it_is_not_disputed(
    shared_sandbox, sqlite_url
):
    shared_sandbox.reset()
    listed: dict[str, Any] = {}
    is_behind: list[bool] = []

    def as_before(call: Call, answer: Any) -> Any:
        if not (is_behind and call.path.startswith("/manage/v1/user?")):
            return None
        for place, item in enumerate(answer["data"]["items"]):
            answer["data"]["items"][place] = listed.setdefault(item["user_id"], item)
        return answer

    rows = {"ATTRIBUTES": BY_HANDLE, "LIMIT_RENAMES": "none"}
    slack_id = str(shared_sandbox.slack.add("Ada", "Lovelace", "ada@example.com", {"name": "ada"})["id"])
    with between(shared_sandbox.docebo_url, changed=as_before) as url:
        settings = settings_for({**shared_sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=rows)
        is_behind.append(True)
        await run_import(settings, rows=rows)
        names = {"first_name": "Augusta", "last_name": "King", "email": "king@example.com"}
        shared_sandbox.slack.change(slack_id, {"name": "king", "profile": names})
        await run_import(settings, rows=rows)

        again = await run_import(settings, rows=rows)
        shared_sandbox.slack.change(slack_id, {"profile": {"last_name": "Noel"}})
        then = await run_import(settings, rows=rows)

    account = next(one for one in shared_sandbox.docebo.accounts if one.username == "king")
    assert (account.lastname, account.email) == ("Noel", "king@example.com")
    assert (again.count(outcome="applied"), then.count(outcome="applied")) == (0, 1)


BY_FIRST_NAME = {"ATTRIBUTES": f"{PLAIN}, username = lower(first_name)", "LIMIT_RENAMES": "none"}


async def renamed(sandbox: Sandbox, settings: Settings, *, taken: bool = False) -> tuple[Any, str]:
    """Let an import rename Ada to Bea, whose username is perhaps *taken* by then; return her account and the plan."""
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    rows = {**BY_FIRST_NAME, "SCOPE_INCLUDE": ada}
    await run_import(settings, rows=rows)
    sandbox.slack.change(ada, {"profile": {"first_name": "Bea"}})
    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        if taken:
            somebody_gets(sandbox, "bea")
        await carry_out(runtime, plan_id)
    [account] = sandbox.docebo.accounts.by_email("ada@example.com")
    return account, plan_id


def somebody_gets(sandbox: Sandbox, username: str) -> Any:
    """Let somebody make an account with this username by hand."""
    return sandbox.docebo.accounts.add(username, email="joan@example.com", firstname="Joan", lastname="Bell")


async def undo(settings: Settings, of: str) -> str:
    async with open_runtime(settings, read_rows(table({**ON, **BY_FIRST_NAME})), run_id=f"undo-{of}") as runtime:
        plan_id = plan_undo(runtime, of)
        await apply_saved(runtime, plan_id, lambda _rows: None)
        return plan_id


@pytest.mark.long
async def test_a_username_that_somebody_else_got_meanwhile_is_given_by_the_next_import_once_it_is_free(
    shared_sandbox, settings
):
    account, _ = await renamed(shared_sandbox, settings, taken=True)
    assert (account.firstname, account.username) == ("Bea", "ada")
    shared_sandbox.docebo.accounts.delete(shared_sandbox.docebo.accounts.by_username("bea").user_id)

    await run_import(settings, rows={**BY_FIRST_NAME, "SCOPE_INCLUDE": "ada@example.com"})

    assert account.username == "bea"


@pytest.mark.long
async def test_of_who_went_without_a_username_that_was_taken_all_else_is_undone(shared_sandbox, settings):
    account, done = await renamed(shared_sandbox, settings, taken=True)
    assert (account.firstname, account.username) == ("Bea", "ada")

    await undo(settings, done)

    assert (account.firstname, account.username) == ("Ada", "ada")


async def test_a_username_that_an_undo_could_not_give_back_is_given_back_by_a_later_one(shared_sandbox, settings):
    account, done = await renamed(shared_sandbox, settings)
    other = somebody_gets(shared_sandbox, "ada")
    halved = await undo(settings, done)
    assert (account.firstname, account.username) == ("Ada", "bea")
    shared_sandbox.docebo.accounts.delete(other.user_id)

    await undo(settings, done)

    assert (account.firstname, account.username) == ("Ada", "ada")
    with pytest.raises(PlanNotApplicable, match="was undone before"):
        await undo(settings, done)
    await undo(settings, halved)
    assert (account.firstname, account.username) == ("Bea", "ada")


@pytest.mark.long
async def test_what_expires_at_once_or_within_the_hours_that_limits_count_counts_as_a_deactivation(
    shared_sandbox, settings
):
    await run_import(settings, rows={"ATTRIBUTES": PLAIN})
    today = datetime.now(UTC).date()

    async def over_limit(day: date, hours: int = 24) -> list[str]:
        limits = {"LIMIT_DEACTIVATIONS": "3", "LIMIT_WINDOW_HOURS": str(hours)}
        rows = {"ATTRIBUTES": f'{PLAIN}, expiration_date = "{day}"', **limits}
        planned = await run_import(settings, rows=rows, dry_run=True)
        return [sentence.split(", ")[1] for sentence in planned.plan.over_limit]

    for day in (date(2020, 1, 1), today, today + timedelta(days=1)):
        assert await over_limit(day) == ["the limit is 3"]
    assert await over_limit(today + timedelta(days=5)) == []
    assert await over_limit(today + timedelta(days=5), hours=24 * 7) == ["the limit is 3"]
    assert await over_limit(date(2099, 1, 1)) == []


@pytest.mark.long
async def test_in_real_time_what_expires_within_the_hours_that_limits_count_is_held(
    shared_sandbox, sqlite_url, tmp_path
):
    shared_sandbox.reset()
    soon = datetime.now(UTC).date() + timedelta(days=1)
    rows = {"ATTRIBUTES": f'{PLAIN}, expiration_date = title == "" ? "2099-01-01" : "{soon}"'}
    async with world(shared_sandbox, sqlite_url, tmp_path, **rows, LIMIT_DEACTIVATIONS="0") as here:
        await here.settle()
        one = here.members()[0]
        shared_sandbox.slack.change(one, {"profile": {"title": "Temp"}})
        here.put(here.event(one))

        served = await here.serve()

        assert served.held == 1
        assert not str(here.account(one).expiration).startswith(str(soon))


async def test_in_real_time_a_username_that_somebody_has_is_not_asked_for(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, ATTRIBUTES=BY_HANDLE, LIMIT_RENAMES="none") as here:
        await here.settle()
        one, other = here.members()[:2]
        taken = here.account(other).username
        shared_sandbox.slack.change(one, {"name": taken, "profile": {"last_name": "Newname"}})
        here.put(here.event(one))

        served = await here.serve()

        assert (here.account(one).lastname, here.account(one).username != taken) == ("Newname", True)
        assert (served.parked, shared_sandbox.docebo_gate.counters.rows["failed"]) == (0, 0)


async def test_who_gets_another_address_that_docebo_makes_the_username_is_shut_out_on_leaving(
    shared_sandbox, settings, sqlite_url, tmp_path
):
    shared_sandbox.docebo.switches = replace(shared_sandbox.docebo.switches, email_as_username=True)
    ada = str(shared_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    async with world(shared_sandbox, sqlite_url, tmp_path) as here:
        await here.settle([ada])
        for number in (1, 2):
            names = {"first_name": f"Ada {number}", "email": f"ada{number}@example.com"}
            shared_sandbox.slack.change(ada, {"profile": names})
            here.put(here.event(ada))
            await here.serve()
        assert (here.account(ada).username, here.account(ada).firstname) == ("ada2@example.com", "Ada 2")

        shared_sandbox.slack.deactivate(ada)
        here.put(here.event(ada))
        await here.serve()

        assert not here.account(ada).active
