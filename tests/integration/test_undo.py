"""Undo and saved plans on the sandbox: both halves or neither, once, and by the settings that a plan was made with."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from sandbox.server import Sandbox
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.observation import Present
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.importing import apply_saved, plan_import
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.roll_call import call_roll
from slack_docebo.engine.realtime.rounds import serve_round
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing.admitting import SERVED_SINCE
from slack_docebo.engine.writing.applying import begin
from slack_docebo.errors import IncompleteRead, PlanNotApplicable
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.events import Event
from slack_docebo.storage.operations import JournalEntry
from slack_docebo.storage.store import Store
from tests.between import Call, between
from tests.importing import ON, carry_out, mapped, reset, run_import, settings_for

BATCH = "POST /manage/v1/user/batch"
LEAVERS = {"LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none"}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(users=12, docebo_users=0, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def settings(sandbox: Sandbox, sqlite_url: str) -> Settings:
    return settings_for(sandbox.facts(), sqlite_url)


async def undo(settings: Settings, of: str, *, deactivate_created: bool = False, **rows: str) -> Summary:
    behaviour = read_rows(table({**ON, **LEAVERS, **rows}))
    async with open_runtime(settings, behaviour, run_id=f"undo-{of}") as runtime:
        plan_id = plan_undo(runtime, of, deactivate_created=deactivate_created)
        return await apply_saved(runtime, plan_id, lambda _: None)


async def apply(settings: Settings, plan_id: str, **rows: str) -> Summary:
    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id=f"later-{plan_id}") as runtime:
        return await apply_saved(runtime, plan_id, lambda _: None)


def entries(settings: Settings, plan_id: str) -> list[JournalEntry]:
    with Store.of(settings) as store, store.reading() as tables:
        return list(tables.operations.rows(plan_id))


def mapping_of(settings: Settings, sandbox: Sandbox, slack_id: str) -> Any:
    with Store.of(settings) as store, store.reading() as tables:
        return tables.mappings().of(sandbox.slack.team.id, [slack_id]).get(slack_id)


async def somebody(sandbox: Sandbox, settings: Settings, rows: Mapping[str, str] = LEAVERS) -> tuple[str, Any]:
    """Ada, by her Slack id, and her account, after an import."""
    ada = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(settings, rows=rows)
    return ada, sandbox.docebo.accounts[mapped(settings.database_url.get_secret_value(), sandbox.slack.team.id)[ada]]


@pytest.mark.long
async def test_a_deactivation_and_its_mark_are_undone_together(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    done = await run_import(settings, rows=LEAVERS)
    assert (account.active, mapping_of(settings, sandbox, ada).deactivated) == (False, True)

    undone = await undo(settings, done.plan.id)

    assert undone.count(outcome=Outcome.APPLIED) == 1
    assert (account.active, mapping_of(settings, sandbox, ada).deactivated) == (True, False)


@pytest.mark.long
async def test_an_account_that_cannot_be_undone_keeps_the_mark_that_we_deactivated_it(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    done = await run_import(settings, rows=LEAVERS)
    sandbox.docebo.edit(account.user_id, {"level": "godadmin"})

    undone = await undo(settings, done.plan.id)

    assert (undone.count(outcome=Outcome.APPLIED), undone.count(outcome=Outcome.SKIPPED)) == (0, 1)
    assert (account.active, mapping_of(settings, sandbox, ada).deactivated) == (False, True)


@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
@pytest.mark.parametrize("maps", ["true", "false"])
@pytest.mark.long
async def test_whom_undoing_shuts_out_again_gets_in_again_though_no_mapping_says_who_has_shut_the_account(
    sandbox, settings, leavers, maps
):
    shutting = {**LEAVERS, "LEAVERS": leavers}
    rows = {**shutting, "MAP_SLACK_USER_DATA": maps}
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    await run_import(settings, rows=shutting)
    async with open_runtime(settings, read_rows(table(ON)), run_id="reset") as runtime:
        await reset(runtime)
    sandbox.slack.reactivate(ada)
    done = await run_import(settings, rows=rows)
    assert (account.active, account.expiration) == (True, None)

    undone = await undo(settings, done.plan.id, **rows)
    assert undone.count(outcome=Outcome.SKIPPED) == 0
    assert (account.active and not account.expiration, mapping_of(settings, sandbox, ada)) == (False, None)
    await run_import(settings, rows=rows)

    assert (account.active, account.expiration) == (True, None)


async def test_without_mappings_who_was_let_in_by_what_was_undone_is_let_in_again(sandbox, settings):
    rows = {**LEAVERS, "MAP_SLACK_USER_DATA": "false"}
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    made = await run_import(settings, rows=rows)
    [account] = sandbox.docebo.accounts.by_email("ada@example.com")
    await undo(settings, made.plan.id, deactivate_created=True, **rows)
    let_in = await run_import(settings, rows=rows)
    await undo(settings, let_in.plan.id, **rows)
    assert not account.active

    await run_import(settings, rows=rows)

    assert account.active


@pytest.mark.long
async def test_an_end_that_somebody_else_has_given_an_account_is_not_taken_for_ours_once_it_was_undone(
    sandbox, settings
):
    rows = {"ATTRIBUTES": "first_name = first_name, expiration_date = title clear"}
    account = sandbox.docebo.accounts.add("ada@example.com", email="ada@example.com", firstname="A.", lastname="L.")
    sandbox.docebo.edit(account.user_id, {"expiration": "2020-01-01"})
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    done = await run_import(settings, rows=rows)
    assert not account.expiration

    await undo(settings, done.plan.id)
    await run_import(settings)

    assert account.expiration == "2020-01-01"


@pytest.fixture
async def taken_over(sandbox: Sandbox, settings: Settings) -> tuple[str, Any, str]:
    """Ada, her account that an import found and changed, and the plan of that import."""
    account = sandbox.docebo.accounts.add("ada@example.com", email="ada@example.com", firstname="A.", lastname="L.")
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    done = await run_import(settings)
    assert account.lastname == "Lovelace"
    return ada, account, done.plan.id


@pytest.mark.long
async def test_an_account_that_was_found_and_its_mapping_are_undone_together(sandbox, settings, taken_over):
    ada, account, plan_id = taken_over

    await undo(settings, plan_id)

    assert (account.firstname, account.lastname) == ("A.", "L.")
    assert mapping_of(settings, sandbox, ada) is None


async def test_the_address_by_which_somebody_who_is_back_would_find_the_account_is_not_undone(sandbox, settings):
    former = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings)
    sandbox.slack.change(former, {"profile": {"email": "king@example.com"}})
    done = await run_import(settings)
    sandbox.slack.deactivate(former)
    back = sandbox.slack.add("Ada", "Lovelace", "king@example.com")["id"]
    accounts = len(sandbox.docebo.accounts)

    undone = await undo(settings, done.plan.id)
    await run_import(settings)

    assert undone.count(outcome=Outcome.SKIPPED) == 1
    assert sandbox.docebo.accounts[mapping_of(settings, sandbox, former).docebo_id].email == "king@example.com"
    assert (len(sandbox.docebo.accounts), mapping_of(settings, sandbox, back)) == (accounts, None)


@pytest.mark.long
async def test_without_mapping_an_account_that_was_found_is_changed_by_saved_plans_and_undone(sandbox, settings):
    rows = {"MAP_SLACK_USER_DATA": "false"}
    account = sandbox.docebo.accounts.add("a.lovelace", email="ada@example.com", firstname="A.", lastname="L.")
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    done = await run_import(settings, rows=rows)
    sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="dry") as runtime:
        plan_id = await plan_import(runtime)

    await apply(settings, plan_id, **rows)
    assert account.lastname == "King"

    for plan in (plan_id, done.plan.id):
        await undo(settings, plan, **rows)
    assert (account.firstname, account.lastname) == ("A.", "L.")


async def test_without_mapping_an_account_that_was_handed_over_is_not_undone(sandbox, settings):
    rows = {"MAP_SLACK_USER_DATA": "false"}
    account = sandbox.docebo.accounts.add("a.lovelace", email="ada@example.com", firstname="A.", lastname="Lovelace")
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    done = await run_import(settings, rows=rows)
    sandbox.docebo.edit(account.user_id, {"username": "stranger", "email": "stranger@example.com"})

    undone = await undo(settings, done.plan.id, **rows)

    assert account.firstname == "Ada"
    assert "is disputed" in next(
        e.error for e in entries(settings, undone.plan.id) if e.operation.docebo_id == account.user_id
    )


async def test_without_mapping_an_account_that_passed_to_who_is_back_is_not_shut_by_undoing_what_made_it(
    sandbox, settings
):
    rows = {"MAP_SLACK_USER_DATA": "false", "REHIRES": "hand-over"}
    former = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    done = await run_import(settings, rows=rows)
    sandbox.slack.deactivate(former)
    sandbox.slack.add("Ada", "King", "ada@example.com")
    await run_import(settings, rows=rows)

    await undo(settings, done.plan.id, deactivate_created=True, **rows)

    [account] = sandbox.docebo.accounts.by_email("ada@example.com")
    assert (account.lastname, account.active) == ("King", True)


async def test_a_mapping_stays_where_the_account_was_changed_since(sandbox, settings, taken_over):
    ada, account, plan_id = taken_over
    sandbox.docebo.edit(account.user_id, {"lastname": "Byhand"})

    undone = await undo(settings, plan_id)

    reasons = [e.error for e in entries(settings, undone.plan.id) if e.operation.slack_id == ada]
    assert [reason.partition(":")[0] for reason in reasons] == [
        "changed in Docebo since",
        "another change of this person could not be undone",
    ]
    assert (account.lastname, mapping_of(settings, sandbox, ada).docebo_id) == ("Byhand", account.user_id)


@pytest.mark.long
async def test_a_mapping_stays_where_docebo_refuses_the_account(sandbox, settings, taken_over):
    ada, account, plan_id = taken_over
    unnamed = "None"  # a row that changes an account names no user
    sandbox.docebo_gate.faults.add(BATCH, "rows_refused", times=-1, usernames=[unnamed], message="No.")

    await undo(settings, plan_id, LIMIT_REJECTIONS="100")

    assert (account.lastname, mapping_of(settings, sandbox, ada).docebo_id) == ("Lovelace", account.user_id)


@pytest.mark.long
async def test_an_account_stays_where_the_mapping_was_changed_since(sandbox, settings, taken_over):
    ada, account, plan_id = taken_over
    other = sandbox.docebo.accounts.add("right", email="right@example.com")
    await somebody_maps(settings, sandbox, ada, other.user_id)

    await undo(settings, plan_id)

    assert (account.lastname, mapping_of(settings, sandbox, ada).docebo_id) == ("Lovelace", other.user_id)


async def somebody_maps(settings: Settings, sandbox: Sandbox, slack_id: str, docebo_id: int) -> None:
    async with open_runtime(settings, read_rows(table(ON)), run_id="by-hand") as runtime:
        with runtime.store.transaction() as tables:
            mappings = tables.mappings(settings.docebo_url)
            before = mappings.of(sandbox.slack.team.id, [slack_id])[slack_id]
            mappings.delete(sandbox.slack.team.id, [slack_id])
            row = type(before)(slack_id, sandbox.slack.team.id, before.slack_name, docebo_id)
            mappings.save([row], now=runtime.now())


@pytest.mark.long
async def test_an_account_that_our_own_update_brought_under_protection_is_undone(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.change(ada, {"profile": {"email": "ada@vip.example"}})
    done = await run_import(settings)
    assert account.email == "ada@vip.example"

    await undo(settings, done.plan.id, PROTECTED_ACCOUNTS="*@vip.example")

    assert account.email == "ada@example.com"


@pytest.mark.long
async def test_an_account_that_is_protected_by_what_stays_is_not_undone(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.change(ada, {"profile": {"email": "ada@vip.example"}})
    done = await run_import(settings)

    await undo(settings, done.plan.id, PROTECTED_ACCOUNTS=str(account.user_id))

    assert account.email == "ada@vip.example"


@pytest.mark.parametrize("whose", ["another account's", "another person's"])
@pytest.mark.variants(1)
async def test_an_address_that_is_somebody_elses_by_now_is_not_given_back(sandbox, settings, whose):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})
    done = await run_import(settings)
    assert account.email == "king@example.com"
    if whose == "another account's":
        sandbox.docebo.accounts.add("another", email="ada@example.com")
    else:
        sandbox.slack.add("Ada", "Byron", "ada@example.com")

    undone = await undo(settings, done.plan.id)

    assert (account.email, undone.count(outcome=Outcome.SKIPPED)) == ("king@example.com", 1)


@pytest.mark.long
async def test_of_several_addresses_those_that_are_nobody_elses_are_given_back(sandbox, settings):
    bob = sandbox.slack.add("Bob", "Babbage", "bob@example.com")["id"]
    ada, account = await somebody(sandbox, settings)
    for slack_id in (ada, bob):
        sandbox.slack.change(slack_id, {"profile": {"email": f"{slack_id}@example.com"}})
    done = await run_import(settings)
    sandbox.slack.add("Bob", "Byron", "bob@example.com")
    sandbox.slack_gate.counters.reset()

    undone = await undo(settings, done.plan.id)

    assert (account.email, undone.count(outcome=Outcome.SKIPPED)) == ("ada@example.com", 1)
    assert sandbox.slack_gate.counters.calls["users.lookupByEmail"] == 0  # one list tells of both


async def test_by_the_list_an_address_is_somebodys_in_each_form_in_which_it_is_asked_for(sandbox, settings):
    ada, _ = await somebody(sandbox, settings)
    async with open_runtime(settings, read_rows(table(ON)), run_id="roll") as runtime:
        roll = await call_roll(runtime, await validate(runtime), [], ["ada@example.com", "Ada@Example.com"])

    assert sandbox.slack_gate.counters.calls["users.lookupByEmail"] == 0
    assert [found.value.slack_id for found in roll.bearers.values() if isinstance(found, Present)] == [ada, ada]


async def test_by_a_list_that_leaves_people_out_no_address_is_taken_for_nobodys(sandbox, settings):
    bob = sandbox.slack.add("Bob", "Babbage", "bob@example.com")["id"]
    ada, account = await somebody(sandbox, settings)
    for slack_id in (ada, bob):
        sandbox.slack.change(slack_id, {"profile": {"email": f"{slack_id}@example.com"}})
    done = await run_import(settings)
    heir = sandbox.slack.add("Ada", "Byron", "ada@example.com")["id"]

    def without_the_last(call: Call, answer: Any) -> Any:
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [one for one in answer["members"] if one["id"] not in {ada, heir}]}

    with between(sandbox.slack_url, changed=without_the_last) as url:
        facts = {**sandbox.facts(), "slack_url": f"{url}/"}
        with pytest.raises(IncompleteRead, match=f"left out {ada}"):
            await undo(settings_for(facts, settings.database_url.get_secret_value()), done.plan.id)

    assert account.email == f"{ada}@example.com"


@pytest.mark.long
async def test_what_is_undone_twice_is_said_so(sandbox, settings, taken_over):
    _, account, plan_id = taken_over
    undone = await undo(settings, plan_id)

    with pytest.raises(PlanNotApplicable, match=f"{plan_id} was undone before, by plan {undone.plan.id}"):
        await undo(settings, plan_id)

    await undo(settings, undone.plan.id)
    assert account.lastname == "Lovelace"
    await undo(settings, plan_id)  # for it is done again
    assert account.lastname == "L."


async def test_what_an_undo_of_undos_has_undone_in_the_end_is_not_undone_over_what_was_done_since(
    sandbox, settings, taken_over
):
    _, account, plan_id = taken_over
    undone = await undo(settings, plan_id)
    done_again = await undo(settings, undone.plan.id)
    await undo(settings, done_again.plan.id)
    assert account.lastname == "L."
    await run_import(settings)

    with pytest.raises(PlanNotApplicable, match=f"{plan_id} was undone before, by plan {undone.plan.id}"):
        await undo(settings, plan_id)

    assert account.lastname == "Lovelace"


@pytest.mark.long
async def test_what_another_plan_of_the_same_run_did_can_still_be_undone(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    first, second = [], []
    for plans, name in ((first, "King"), (second, "Byron")):
        sandbox.slack.change(ada, {"profile": {"last_name": name}})
        plans.append((await run_import(settings)).plan.id)
    await undo(settings, second[0])
    assert account.lastname == "King"

    await undo(settings, first[0])

    assert account.lastname == "Lovelace"


@pytest.mark.long
async def test_a_mapping_that_was_moved_back_is_not_undone_twice(sandbox, settings, taken_over):
    ada, account, _ = taken_over
    sandbox.docebo.delete(account.user_id)
    done = await run_import(settings)
    moved_to = mapping_of(settings, sandbox, ada).docebo_id
    assert moved_to != account.user_id
    undone = await undo(settings, done.plan.id, deactivate_created=True)
    assert undone.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1

    with pytest.raises(PlanNotApplicable, match="was undone before"):
        await undo(settings, done.plan.id, deactivate_created=True)


@pytest.mark.long
async def test_what_could_not_be_undone_can_be_undone_later(sandbox, settings, taken_over):
    _, account, plan_id = taken_over
    sandbox.docebo.edit(account.user_id, {"lastname": "Byhand"})
    await undo(settings, plan_id)
    sandbox.docebo.edit(account.user_id, {"lastname": "Lovelace"})

    await undo(settings, plan_id)

    assert account.lastname == "L."


@pytest.mark.long
async def test_new_accounts_are_put_where_the_plan_was_to_put_them(sandbox, settings):
    branch = max(sandbox.docebo.branches)
    planned = await run_import(settings, dry_run=True, rows={"DESTINATION_BRANCH": str(branch)})

    await apply(settings, planned.plan.id, DESTINATION_BRANCH="0")

    made = [account for account in sandbox.docebo.accounts if account.provisioned_by]
    assert {account.branches for account in made} == {(branch,)}


async def test_nobody_is_deactivated_by_a_plan_of_before_leavers_are_kept(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    planned = await run_import(settings, dry_run=True, rows=LEAVERS)

    applied = await apply(settings, planned.plan.id, LEAVERS="keep")

    assert account.active
    reasons = {entry.error for entry in entries(settings, applied.plan.id) if entry.outcome is Outcome.SKIPPED}
    assert reasons == {"LEAVERS was deactivate when this was planned, and is keep by now"}


async def test_nobody_is_deactivated_by_a_plan_of_before_the_person_came_back(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    bob = str(sandbox.slack.add("Bob", "Babbage", "bob@example.com")["id"])
    await run_import(settings, rows=LEAVERS)
    for slack_id in (ada, bob):
        sandbox.slack.deactivate(slack_id)
    planned = await run_import(settings, dry_run=True, rows=LEAVERS)
    sandbox.slack.change(ada, {"deleted": False})

    applied = await apply(settings, planned.plan.id, **LEAVERS)

    rows = {entry.operation.slack_id: entry for entry in entries(settings, applied.plan.id)}
    assert (rows[ada].error, account.active) == ("the person is in Slack again", True)
    assert rows[bob].outcome is Outcome.APPLIED


@pytest.mark.long
async def test_nobody_is_deactivated_whose_address_slack_hides_by_now(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    rows = {**LEAVERS, "LEAVERS_OUT_OF_SCOPE": "true"}
    planned = await run_import(settings, dry_run=True, rows=rows)
    sandbox.slack.change(ada, {"deleted": False})
    sandbox.slack.without_address.add(ada)

    await apply(settings, planned.plan.id, **rows)

    assert account.active


@pytest.mark.long
async def test_nobody_is_deactivated_whom_slack_does_not_show_to_the_app_by_now(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    planned = await run_import(settings, dry_run=True, rows=LEAVERS)
    sandbox.slack.invisible.add(ada)

    applied = await apply(settings, planned.plan.id, **LEAVERS)

    rows = {entry.operation.slack_id: entry for entry in entries(settings, applied.plan.id)}
    assert (rows[ada].error, account.active) == ("Slack does not show this person to the app", True)


async def test_a_plan_with_more_leavers_than_slack_may_be_asked_for_is_refused_with_their_number(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    planned = await run_import(settings, dry_run=True, rows=LEAVERS)

    with pytest.raises(IncompleteRead, match=r"for 2 people .* EVIDENCE_CALLS allows 0"):
        await apply(settings, planned.plan.id, **LEAVERS, EVIDENCE_CALLS="0")

    assert account.active


@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
@pytest.mark.long
async def test_a_plan_that_lets_in_more_people_than_slack_may_be_asked_for_is_refused_with_their_number(
    sandbox, settings, leavers
):
    rows = {**LEAVERS, "LEAVERS": leavers}
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    await run_import(settings, rows=rows)
    shut = (account.active, account.expiration)
    sandbox.slack.reactivate(ada)
    planned = await run_import(settings, dry_run=True, rows=rows)

    with pytest.raises(IncompleteRead, match=r"for 1 people .* EVIDENCE_CALLS allows 0"):
        await apply(settings, planned.plan.id, **rows, EVIDENCE_CALLS="0")

    assert (account.active, account.expiration) == shut


@pytest.mark.long
async def test_nobody_is_unmapped_by_a_plan_of_before_the_person_came_back(sandbox, settings):
    ada, _ = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    planned = await run_import(settings, dry_run=True, rows={"LEAVERS": "unmap"})
    sandbox.slack.change(ada, {"deleted": False})

    await apply(settings, planned.plan.id, LEAVERS="unmap")

    assert mapping_of(settings, sandbox, ada) is not None


@pytest.mark.long
@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
async def test_nobody_is_let_in_again_by_a_plan_of_before_the_person_left_once_more(sandbox, settings, leavers):
    rows = {**LEAVERS, "LEAVERS": leavers}
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    await run_import(settings, rows=rows)
    sandbox.slack.reactivate(ada)
    planned = await run_import(settings, dry_run=True, rows=rows)
    sandbox.slack.deactivate(ada)

    applied = await apply(settings, planned.plan.id, **rows)

    assert not account.active or account.expiration
    assert [entry.error for entry in entries(settings, applied.plan.id) if entry.operation.slack_id == ada] == [
        "the person has left Slack again"
    ]


@pytest.mark.variants(1)
@pytest.mark.parametrize(
    ("change", "remove"),
    [({"is_restricted": True}, ()), ({}, ("is_restricted",))],
    ids=["who is a guest by then", "of whom Slack does not say it"],
)
async def test_nobody_is_let_in_again_by_a_saved_plan_who_may_be_out_of_scope_by_then(
    sandbox, settings, change, remove
):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    await run_import(settings, rows=LEAVERS)
    sandbox.slack.reactivate(ada)
    planned = await run_import(settings, dry_run=True, rows=LEAVERS)
    sandbox.slack.change(ada, change, remove)

    applied = await apply(settings, planned.plan.id, **LEAVERS)

    assert not account.active
    assert [e.outcome for e in entries(settings, applied.plan.id) if e.operation.slack_id == ada] == [Outcome.SKIPPED]


@pytest.mark.long
@pytest.mark.parametrize("leavers", ["deactivate", "unmap"])
async def test_nobody_leaves_by_an_old_list_of_before_the_person_came_back(sandbox, settings, monkeypatch, leavers):
    ada, account = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    async with open_runtime(settings, read_rows(table({**ON, "LEAVERS": leavers})), run_id="slow") as runtime:
        plan_id = await plan_import(runtime)
        sandbox.slack.reactivate(ada)
        later = runtime.now() + timedelta(minutes=runtime.behaviour.evidence_minutes + 1)
        monkeypatch.setattr(runtime, "now", lambda: later)
        await carry_out(runtime, plan_id)

    assert account.active
    assert mapping_of(settings, sandbox, ada) is not None


@pytest.mark.long
async def test_nothing_is_handed_over_by_a_plan_of_before_returns_are_only_reported(sandbox, settings):
    rows = {**LEAVERS, "REHIRES": "hand-over"}
    ada, _ = await somebody(sandbox, settings)
    sandbox.slack.deactivate(ada)
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    planned = await run_import(settings, dry_run=True, rows=rows)

    applied = await apply(settings, planned.plan.id, **{**rows, "REHIRES": "report"})

    assert mapping_of(settings, sandbox, ada) is not None
    assert "REHIRES was hand-over when this was planned, and is report by now" in {
        entry.error for entry in entries(settings, applied.plan.id)
    }


@pytest.mark.long
async def test_nobody_is_created_by_a_plan_of_before_an_event_said_that_the_person_has_left(sandbox, settings):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    planned = await run_import(settings, dry_run=True)
    sandbox.slack.deactivate(ada)
    left = source_user(sandbox.slack.get(ada))
    async with open_runtime(settings, read_rows(table(ON)), run_id="events") as runtime:
        with runtime.store.transaction() as tables:
            event = Event(
                "Ev1",
                left.team,
                ada,
                updated=left.updated,
                kind="user_change",
                received_at=runtime.now(),
                profile=asdict(left),
            )
            tables.inbox.put([event])
        assert await serve_round(runtime, await validate(runtime), ServeResult()) == 1
    sandbox.slack.reactivate(ada)  # by now, as who has to be looked at again

    applied = await apply(settings, planned.plan.id)

    row = next(entry for entry in entries(settings, applied.plan.id) if entry.operation.slack_id == ada)
    assert (row.outcome, row.error) == (Outcome.SKIPPED, SERVED_SINCE)
    assert not [account for account in sandbox.docebo.accounts if account.email == "ada@example.com"]


@pytest.mark.parametrize("newcomers", [1, 2])
@pytest.mark.variants(1)
async def test_who_has_left_since_a_plan_was_made_gets_no_account_by_it_though_no_event_said_so(
    sandbox, settings, newcomers
):
    people = [sandbox.slack.add(name, "L", f"{name}@example.com".lower())["id"] for name in ("Ada", "Bob")[:newcomers]]
    await run_import(settings)  # of whom we are to know how many pages Slack's list has: one
    late = [sandbox.slack.add(name, "L", f"{name}@example.com".lower())["id"] for name in ("Cyd", "Dan")[:newcomers]]
    planned = await run_import(settings, dry_run=True)
    sandbox.slack.deactivate(late[0])
    sandbox.slack_gate.counters.reset()

    applied = await apply(settings, planned.plan.id)

    rows = {entry.operation.slack_id: entry for entry in entries(settings, applied.plan.id)}
    assert rows[late[0]].error.endswith("deactivated in Slack")
    assert [rows[slack_id].outcome for slack_id in late[1:]] == [Outcome.APPLIED] * (newcomers - 1)
    assert sandbox.docebo.accounts.by_username("cyd@example.com") is None
    calls = sandbox.slack_gate.counters.calls
    assert (calls["users.info"], calls["users.list"]) == ((1, 0), (0, 1))[newcomers - 1]
    assert all(mapping_of(settings, sandbox, slack_id) for slack_id in people)


@pytest.mark.long
async def test_whom_the_list_of_a_saved_plans_run_leaves_out_is_asked_for_and_gets_the_account(sandbox, settings):
    await run_import(settings)
    ada, bob = (sandbox.slack.add(name, "L", f"{name}@example.com".lower())["id"] for name in ("Ada", "Bob"))
    planned = await run_import(settings, dry_run=True)

    def without_ada(call: Call, answer: Any) -> Any:
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [one for one in answer["members"] if one["id"] != ada]}

    with between(sandbox.slack_url, changed=without_ada) as url:
        facts = {**sandbox.facts(), "slack_url": f"{url}/"}
        await apply(settings_for(facts, settings.database_url.get_secret_value()), planned.plan.id)

    assert all(mapping_of(settings, sandbox, slack_id) for slack_id in (ada, bob))


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("heir", [True, False])
@pytest.mark.variants(1)
async def test_a_saved_plan_gives_nobody_an_address_that_the_person_has_no_more(sandbox, settings, is_new, heir):
    await run_import(settings)
    if is_new:
        ada = sandbox.slack.add("Ada", "Lovelace", "lovelace@example.com")["id"]
    else:
        ada, _ = await somebody(sandbox, settings)
        sandbox.slack.change(ada, {"profile": {"email": "lovelace@example.com"}})
    planned = await run_import(settings, dry_run=True)
    sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})
    if heir:
        sandbox.slack.add("Bob", "Lovelace", "lovelace@example.com")

    applied = await apply(settings, planned.plan.id)
    assert applied.count(outcome=Outcome.SKIPPED) == 1
    await run_import(settings)

    assert [account.firstname for account in sandbox.docebo.accounts.by_email("lovelace@example.com")] == ["Bob"] * heir
    assert [account.firstname for account in sandbox.docebo.accounts.by_email("king@example.com")] == ["Ada"]


@pytest.mark.long
async def test_nobody_gets_a_second_account_by_a_plan_of_before_the_first_came_back(sandbox, settings):
    ada, account = await somebody(sandbox, settings)
    sandbox.docebo.delete(account.user_id)
    planned = await run_import(settings, dry_run=True, rows={"TARGET_MAY_SHRINK": "20"})
    sandbox.docebo.accounts.add("ada.l", user_id=account.user_id, email="ada.l@example.com")

    await apply(settings, planned.plan.id)

    assert mapping_of(settings, sandbox, ada).docebo_id == account.user_id
    assert sandbox.docebo.accounts.by_username("ada@example.com") is None


@pytest.mark.parametrize(("name", "is_made"), [("Ada Lovelace", False), ("Bob Byron", True)])
@pytest.mark.variants(1)
async def test_nobody_gets_a_second_account_by_a_plan_of_before_the_first_which_no_mapping_tells_of_was_restored(
    sandbox, settings, name, is_made
):
    unmapped = {"MAP_SLACK_USER_DATA": "false"}
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    await run_import(settings, rows=unmapped)
    account = sandbox.docebo.accounts.by_username("ada@example.com")
    sandbox.docebo.delete(account.user_id)
    planned = await run_import(settings, dry_run=True, rows={"TARGET_MAY_SHRINK": "20", **unmapped})
    first, last = name.split()
    sandbox.docebo.accounts.add(
        "restored", user_id=account.user_id, email="restored@example.com", firstname=first, lastname=last
    )

    await apply(settings, planned.plan.id, **unmapped)

    assert (sandbox.docebo.accounts.by_username("ada@example.com") is not None) is is_made


@pytest.mark.long
async def test_nobody_is_created_by_a_plan_of_before_the_person_was_excluded(sandbox, settings):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    planned = await run_import(settings, dry_run=True)

    applied = await apply(settings, planned.plan.id, SCOPE_EXCLUDE="ada@*")

    skipped = [entry for entry in entries(settings, applied.plan.id) if entry.outcome is Outcome.SKIPPED]
    assert [(entry.operation.slack_id, entry.error) for entry in skipped] == [(ada, "out of scope by now: excluded")]
    assert applied.count(Kind.CREATE, outcome=Outcome.APPLIED) > 1


@pytest.mark.long
async def test_an_undo_asks_for_no_setting_of_before(sandbox, settings, taken_over):
    _, account, plan_id = taken_over

    await undo(settings, plan_id, LEAVERS="keep", SCOPE_EXCLUDE="ada@*", PROVISION_SLACK_USER_DATA="false")

    assert account.lastname == "L."


async def test_what_a_cut_off_plan_has_not_sent_is_not_taken_for_its_doing(sandbox, settings):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    planned = await run_import(settings, dry_run=True)
    async with open_runtime(settings, read_rows(table(ON)), run_id="killed") as runtime:
        begin(runtime, planned.plan.id)
    by_hand = sandbox.docebo.accounts.add(
        "ada@example.com", email="ada@example.com", firstname="Ada", lastname="Lovelace"
    )

    applied = await apply(settings, planned.plan.id)

    row = next(entry for entry in entries(settings, applied.plan.id) if entry.operation.slack_id == ada)
    assert (row.outcome, row.error) == (Outcome.SKIPPED, f"account {by_hand.user_id} exists by now")
    assert mapping_of(settings, sandbox, ada) is None


DROPDOWN = "first_name, last_name, email, field:Dept = title"


@pytest.fixture
def dept(sandbox: Sandbox) -> Any:
    field = sandbox.docebo.add_field("Dept", "dropdown", mandatory=False, invisible_to_user=False)
    field.options.update({1: "Sales", 2: "Support"})
    return field


def titled(sandbox: Sandbox, title: str) -> str:
    user = sandbox.slack.add("Ada", "Lovelace", "ada@example.com", {"profile": {"title": title}})
    return str(user["id"])


def ada_in(sandbox: Sandbox) -> Any:
    [account] = sandbox.docebo.accounts.by_email("ada@example.com")
    return account


@pytest.mark.long
async def test_what_a_rule_has_written_is_undone_once_the_rule_is_gone_and_not_over_what_was_edited_since(
    sandbox, settings, dept
):
    ada = titled(sandbox, "Sales")
    await run_import(settings, rows={"ATTRIBUTES": DROPDOWN})
    sandbox.slack.change(ada, {"profile": {"title": "Support"}})
    wrong = await run_import(settings, rows={"ATTRIBUTES": DROPDOWN})
    assert ada_in(sandbox).fields[dept.id] == "2"

    ada_in(sandbox).fields[dept.id] = "1"  # by hand
    skipped = await undo(settings, wrong.plan.id)
    assert (skipped.count(outcome=Outcome.SKIPPED), ada_in(sandbox).fields[dept.id]) == (1, "1")

    ada_in(sandbox).fields[dept.id] = "2"
    done = await undo(settings, wrong.plan.id)
    assert (done.count(outcome=Outcome.APPLIED), ada_in(sandbox).fields[dept.id]) == (1, "1")


@pytest.mark.parametrize("rules", [DROPDOWN, "first_name, last_name, email"], ids=["the rule is there", "it is gone"])
@pytest.mark.variants(1)
async def test_a_saved_plan_writes_the_options_of_its_fields_whatever_the_rules_are_by_now(
    sandbox, settings, dept, rules
):
    titled(sandbox, "Sales")
    planned = await run_import(settings, dry_run=True, rows={"ATTRIBUTES": DROPDOWN})

    await apply(settings, planned.plan.id, ATTRIBUTES=rules)

    assert ada_in(sandbox).fields[dept.id] == "1"


@pytest.mark.long
async def test_an_option_that_is_gone_for_a_while_is_written_once_it_is_back(sandbox, settings, dept):
    titled(sandbox, "Sales")
    planned = await run_import(settings, dry_run=True, rows={"ATTRIBUTES": DROPDOWN})
    label = dept.options.pop(1)

    await apply(settings, planned.plan.id, ATTRIBUTES=DROPDOWN)
    assert ada_in(sandbox).fields == {}
    dept.options[1] = label
    await run_import(settings, rows={"ATTRIBUTES": DROPDOWN})

    assert ada_in(sandbox).fields[dept.id] == "1"
