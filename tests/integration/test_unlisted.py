"""An account that Docebo listed before and leaves out now may be that of somebody who joins: it is asked for first."""

from dataclasses import replace

import pytest

from slack_docebo.clients import docebo_requests
from slack_docebo.domain.operations import UNLISTED, Kind, Outcome
from slack_docebo.engine.importing import apply_saved
from slack_docebo.errors import IncompleteRead
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.store import Store
from tests.between import Call, between, showing
from tests.importing import ON, mapped, run_import, settings_for
from tests.integration.realtime_world import world

ROWS = {**ON, "TARGET_MAY_SHRINK": "50"}
CUSTOMERS = 30


@pytest.fixture
def sandbox(small_sandbox):
    small_sandbox.reset()
    for number in range(CUSTOMERS):
        small_sandbox.docebo.accounts.add(f"customer{number}", email=f"customer{number}@client.example")
    small_sandbox.slack.add("Eva", "Lovelace", "eva@example.com")
    small_sandbox.docebo.accounts.add("jdoe", email="jane@example.com", firstname="Jane", lastname="Doe")
    return small_sandbox


@pytest.fixture
def left_out():
    """The accounts that Docebo's list leaves out."""
    return set()


@pytest.fixture
def docebo(sandbox, left_out):
    """A Docebo whose list, and no search, leaves out some accounts, with a count that fits."""

    def without(call: Call, answer):
        if not call.path.startswith("/manage/v1/user?") or "search_text" in call.path:
            return None
        return showing(answer, lambda item: int(item["user_id"]) not in left_out)

    with between(sandbox.docebo_url, changed=without) as url:
        yield url


@pytest.fixture
def settings(sandbox, docebo, sqlite_url):
    return settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)


def jane(sandbox):
    """The account that Jane has had for years."""
    return sandbox.docebo.accounts.by_username("jdoe").user_id


def joins(sandbox):
    return sandbox.slack.add("Jane", "Doe", "jane@example.com")["id"]


def delete_customers(sandbox, count):
    for number in range(count):
        sandbox.docebo.delete(sandbox.docebo.accounts.by_username(f"customer{number}").user_id)


@pytest.mark.parametrize("deleted", [0, 12])
@pytest.mark.variants(1)
async def test_nobody_gets_a_second_account_because_a_list_leaves_out_the_first(
    sandbox, settings, left_out, sqlite_url, deleted
):
    await run_import(settings, rows=ROWS)
    delete_customers(sandbox, deleted)
    left_out.add(jane(sandbox))
    slack_id = joins(sandbox)

    await run_import(settings, rows=ROWS)
    without = mapped(sqlite_url, sandbox.slack.team.id)
    left_out.clear()
    await run_import(settings, rows=ROWS)

    assert sandbox.docebo.accounts.by_username("jane@example.com") is None
    assert slack_id not in without
    assert mapped(sqlite_url, sandbox.slack.team.id)[slack_id] == jane(sandbox)


async def test_the_first_list_of_all_that_leaves_out_an_account_makes_nobody_a_second_one(
    sandbox, settings, left_out, sqlite_url
):
    left_out.add(jane(sandbox))
    slack_id = joins(sandbox)

    with pytest.raises(IncompleteRead, match=rf"search finds account {jane(sandbox)}, which is not among them"):
        await run_import(settings, rows=ROWS)
    made = [account.username for account in sandbox.docebo.accounts if account.provisioned_by]
    left_out.clear()
    await run_import(settings, rows=ROWS)

    assert made == []
    assert sandbox.docebo.accounts.by_username("jane@example.com") is None
    assert mapped(sqlite_url, sandbox.slack.team.id)[slack_id] == jane(sandbox)


async def test_of_five_newcomers_each_is_searched_for_before_the_first_list_of_all_is_believed(
    sandbox, settings, left_out
):
    left_out.add(jane(sandbox))
    ids = [
        sandbox.slack.add(name, "Lovelace", f"{name}@example.com")["id"]
        for name in ("ada", "jane", "ivy", "bea", "kim")
    ]

    with pytest.raises(IncompleteRead, match=rf"search finds account {jane(sandbox)}, which is not among them"):
        await run_import(settings, rows={**ROWS, "SCOPE_INCLUDE": ", ".join(ids)})


@pytest.mark.long
async def test_somebody_may_take_the_first_list_as_it_is(sandbox, settings, left_out):
    left_out.add(jane(sandbox))
    joins(sandbox)

    done = await run_import(settings, rows={**ROWS, "TARGET_MAY_SHRINK": "100"})

    assert done.count(Kind.CREATE, outcome=Outcome.APPLIED) == 2


@pytest.mark.long
async def test_many_who_join_before_the_first_import_get_no_second_account_by_a_list_that_leaves_out_the_first(
    sandbox, docebo, left_out, sqlite_url, tmp_path
):
    left_out.add(jane(sandbox))
    people = [joins(sandbox)]
    people += [sandbox.slack.add("Ada", f"Lovelace {n}", f"ada{n}@example.com")["id"] for n in range(6)]

    async with world(sandbox, sqlite_url, tmp_path, addresses={"DOCEBO_URL": docebo}) as here:
        here.put(*(here.event(slack_id) for slack_id in people))
        await here.serve()
        accounts = [here.docebo_id(slack_id) for slack_id in people]

    assert all(accounts)
    assert accounts[0] == jane(sandbox)


@pytest.mark.long
async def test_what_one_night_has_not_asked_for_is_missed_by_the_next(sandbox, settings, left_out):
    await run_import(settings, rows=ROWS)
    delete_customers(sandbox, 12)
    left_out.add(jane(sandbox))
    await run_import(settings, rows=ROWS)  # nobody new: a few are asked for
    joins(sandbox)

    await run_import(settings, rows=ROWS)

    assert sandbox.docebo.accounts.by_username("jane@example.com") is None


@pytest.mark.long
async def test_who_is_new_gets_an_account_once_those_that_were_deleted_were_asked_for(sandbox, settings):
    await run_import(settings, rows=ROWS)
    delete_customers(sandbox, 12)
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")

    refused = await run_import(settings, rows={**ROWS, "EVIDENCE_CALLS": "5"})
    with Store.of(settings) as store, store.reading() as tables:
        reasons = [entry.operation.reason for entry in tables.operations.rows(refused.plan.id)]
    await run_import(settings, rows=ROWS)
    sandbox.docebo_gate.counters.reset()
    await run_import(settings, rows=ROWS)

    assert UNLISTED in reasons
    assert refused.count(Kind.CREATE) == 0
    assert refused.undecided == 1
    assert sandbox.docebo.accounts.by_username("ada@example.com")
    assert sandbox.docebo_gate.counters.calls["user"] == 0  # who is gone is asked for once


async def test_where_docebo_does_not_say_that_an_account_is_gone_the_newcomers_address_is_searched_for(
    sandbox, settings, left_out, sqlite_url
):
    sandbox.docebo.switches = replace(sandbox.docebo.switches, not_found_as_400=True)
    await run_import(settings, rows=ROWS)
    delete_customers(sandbox, 3)
    left_out.add(jane(sandbox))
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    slack_id = joins(sandbox)

    summary = await run_import(settings, rows=ROWS)

    assert summary.count(Kind.CREATE, outcome=Outcome.APPLIED) == 1
    assert sandbox.docebo.accounts.by_username("ada@example.com")
    assert slack_id not in mapped(sqlite_url, sandbox.slack.team.id)
    assert sandbox.docebo.accounts.by_username("jane@example.com") is None


@pytest.mark.long
async def test_a_saved_plan_makes_no_second_account_because_a_list_leaves_out_whose_address_was_corrected_since(
    sandbox, settings, left_out
):
    sandbox.docebo.edit(jane(sandbox), {"email": "jane@client.example"})
    joins(sandbox)
    saved = await run_import(settings, rows=ROWS, dry_run=True)
    sandbox.docebo.edit(jane(sandbox), {"email": "jane@example.com"})
    left_out.add(jane(sandbox))

    async with open_runtime(settings, read_rows(table(ROWS)), run_id="later") as runtime:
        summary = await apply_saved(runtime, saved.plan.id, lambda _: None)

    assert summary.count(Kind.CREATE, outcome=Outcome.SKIPPED) == 1
    assert sandbox.docebo.accounts.by_username("jane@example.com") is None


@pytest.mark.long
async def test_many_who_join_at_once_get_no_second_account_by_the_list_of_real_time(
    sandbox, docebo, settings, left_out, sqlite_url, tmp_path
):
    await run_import(settings, rows=ROWS)
    delete_customers(sandbox, 3)
    left_out.add(jane(sandbox))
    people = [sandbox.slack.add("Ada", f"Lovelace {n}", f"ada{n}@example.com")["id"] for n in range(6)]
    people.append(joins(sandbox))

    async with world(sandbox, sqlite_url, tmp_path, addresses={"DOCEBO_URL": docebo}) as here:
        here.put(*(here.event(slack_id) for slack_id in people))
        await here.serve()
        accounts = [here.docebo_id(slack_id) for slack_id in people]

    assert all(accounts[:-1])
    assert accounts[-1] is None
    assert sandbox.docebo.accounts.by_username("jane@example.com") is None


@pytest.mark.parametrize("place", ["customer0", "customer9"], ids=["read already", "not read yet"])
@pytest.mark.variants(1)
async def test_a_list_during_which_an_account_is_deleted_is_begun_anew(sandbox, sqlite_url, monkeypatch, place):
    monkeypatch.setattr(docebo_requests, "PAGE_SIZE", 20)
    to_delete: list[int] = []

    def meanwhile(call: Call, _answer):
        if call.path.startswith("/manage/v1/user?") and "page=1&" in call.path and to_delete:
            sandbox.docebo.delete(to_delete.pop())

    with between(sandbox.docebo_url, changed=meanwhile) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=ROWS)
        slack_id = joins(sandbox)
        to_delete.append(sandbox.docebo.accounts.by_username(place).user_id)
        done = await run_import(settings, rows=ROWS)

    assert to_delete == []
    assert mapped(sqlite_url, sandbox.slack.team.id)[slack_id] == jane(sandbox)
    assert done.count(Kind.CREATE) == 0
