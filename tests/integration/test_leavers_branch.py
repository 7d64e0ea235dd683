"""Accounts of people who have left Slack are moved to the branch for leavers, and back when they return."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.people import Mapping
from slack_docebo.engine.mappings.deciding import DecisionAction, DecisionRequest, decide
from slack_docebo.engine.planning.moving import plan_moves
from slack_docebo.engine.reading.branches import branches_of
from slack_docebo.engine.reading.connection import validate
from slack_docebo.errors import ChangeLimitExceeded, ConfigurationError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.store import Store
from tests.importing import ON, run_import, settings_for
from tests.integration.after_an_import import (
    apply_by_id,
    decide_never,
    delete_mappings,
    hand_over,
    import_then,
    note_applied_event,
    refused_plan,
    undo,
)

ROWS = {"LEAVERS_BRANCH": "Left", "LIMIT_BRANCH_MOVES": "none", "LIMIT_DEACTIVATIONS": "none"}
ANYWHERE = 42  # the branch in which accounts are before


@pytest.fixture
def company(shared_sandbox):
    shared_sandbox.reset()
    shared_sandbox.docebo.add_branch("LEFT", "Left")
    shared_sandbox.docebo.switches = replace(shared_sandbox.docebo.switches, branches_shown=True)
    return shared_sandbox


@pytest.fixture
def settings(company, sqlite_url):
    return settings_for(company.facts(), sqlite_url)


@pytest.fixture
async def ada(company, settings) -> str:
    """Somebody with an account in a branch, who is mapped."""
    slack_id = str(company.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(settings)
    company.docebo.edit(account_of(company).user_id, {"branches": (ANYWHERE,)})
    return slack_id


def account_of(company):
    [account] = company.docebo.accounts.by_email("ada@example.com")
    return account


def branch_of(company) -> str:
    return ", ".join(company.docebo.branches[one].code for one in account_of(company).branches)


@pytest.mark.parametrize("leavers", ["keep", "deactivate", "expire"])
@pytest.mark.variants(1)
async def test_who_leaves_is_moved_once_and_who_returns_is_back_in_the_branch_of_before(
    company, settings, ada, leavers
):
    rows = {**ROWS, "LEAVERS": leavers}
    company.slack.deactivate(ada)

    done = await import_then(settings, rows, plan_moves)
    assert done.count(Kind.MOVE, outcome=Outcome.APPLIED) == 1
    assert branch_of(company) == "LEFT"
    assert await import_then(settings, rows, plan_moves) is None

    company.slack.reactivate(ada)
    await import_then(settings, rows, plan_moves)
    assert branch_of(company) == "SLACK"
    assert await import_then(settings, rows, plan_moves) is None


@pytest.mark.parametrize("leavers", ["keep", "deactivate"])
@pytest.mark.variants(1)
async def test_the_account_of_who_returned_under_a_new_id_is_not_moved_while_nobody_has_decided(
    company, settings, ada, leavers
):
    company.slack.deactivate(ada)
    company.slack.add("Ada", "Lovelace", "ada@example.com")

    assert await import_then(settings, {**ROWS, "LEAVERS": leavers}, plan_moves) is None

    assert (branch_of(company), account_of(company).active) == ("SLACK", True)


async def test_an_account_whose_branches_docebo_does_not_show_hides_those_of_no_other(company, settings, monkeypatch):
    accounts = [company.docebo.accounts.add(f"leaver{n}").user_id for n in range(3)]
    for docebo_id in accounts:
        company.docebo.edit(docebo_id, {"branches": (ANYWHERE,)})
    async with open_runtime(settings, read_rows(table({**ON, **ROWS})), run_id="import") as runtime:
        view = runtime.docebo.view

        async def without_one(docebo_id):
            seen = await view(docebo_id)
            return replace(seen, value=replace(seen.value, besides={})) if docebo_id == accounts[1] else seen

        monkeypatch.setattr(runtime.docebo, "view", without_one)
        found = await branches_of(runtime, accounts)

    assert found == {accounts[0]: {ANYWHERE}, accounts[2]: {ANYWHERE}}


@pytest.fixture
def by_hand(company):
    """Brings Ada's account to another branch by hand."""
    branch = company.docebo.add_branch("HAND", "Hand")
    return lambda: company.docebo.edit(account_of(company).user_id, {"branches": (branch.id,)})


@pytest.mark.long
@pytest.mark.parametrize("way", ["return", "undo"])
async def test_who_leaves_is_brought_back_to_where_somebody_had_brought_the_account_by_hand_after_us(
    company, settings, ada, by_hand, way
):
    for change in (company.slack.deactivate, company.slack.reactivate):  # then it was we who brought her where she is
        change(ada)
        await import_then(settings, ROWS, plan_moves)
    assert branch_of(company) == "SLACK"
    by_hand()
    company.slack.deactivate(ada)
    done = await import_then(settings, ROWS, plan_moves)
    assert branch_of(company) == "LEFT"

    if way == "undo":
        await undo(settings, ROWS, done.plan.id)
    else:
        company.slack.reactivate(ada)
        await import_then(settings, ROWS, plan_moves)

    assert branch_of(company) == "HAND"


@pytest.mark.long
@pytest.mark.parametrize("since", ["before the import", "another branch for leavers"])
async def test_whose_account_somebody_has_brought_by_hand_to_where_leavers_are_is_moved_back_on_return(
    company, settings, ada, since
):
    rows, branch_id = ROWS, next(one.id for one in company.docebo.branches.values() if one.code == "LEFT")
    company.slack.deactivate(ada)
    await import_then(settings, ROWS, plan_moves)  # by which we know where she was
    if since == "before the import":
        company.slack.reactivate(ada)
        await import_then(settings, ROWS, plan_moves)
        company.slack.deactivate(ada)
    else:
        rows, branch_id = {**ROWS, "LEAVERS_BRANCH": "Gone"}, company.docebo.add_branch("GONE", "Gone").id
    company.docebo.edit(account_of(company).user_id, {"branches": (branch_id,)})
    await import_then(settings, rows, plan_moves)
    company.slack.reactivate(ada)

    await import_then(settings, rows, plan_moves)

    assert branch_of(company) == "SLACK"


async def test_who_stays_where_leavers_are_and_is_brought_elsewhere_by_hand_is_moved_there_again_on_leaving(
    company, settings, ada, by_hand
):
    company.docebo.switches = replace(company.docebo.switches, branches_shown=False)  # nobody knows where she was
    company.slack.deactivate(ada)
    await import_then(settings, ROWS, plan_moves)
    company.slack.reactivate(ada)
    assert await import_then(settings, ROWS, plan_moves) is None
    assert branch_of(company) == "LEFT"
    by_hand()
    company.slack.deactivate(ada)

    await import_then(settings, ROWS, plan_moves)

    assert branch_of(company) == "LEFT"
    assert await import_then(settings, ROWS, plan_moves) is None


@pytest.mark.long
async def test_a_saved_plan_leaves_a_leavers_account_that_somebody_has_brought_elsewhere_by_hand_since_to_a_new_one(
    company, settings, ada, by_hand
):
    company.slack.deactivate(ada)
    limited = {**ROWS, "LIMIT_BRANCH_MOVES": "0"}
    with pytest.raises(ChangeLimitExceeded) as refused:
        await import_then(settings, limited, plan_moves)
    by_hand()

    await apply_by_id(settings, limited, refused_plan(refused))
    assert branch_of(company) == "HAND"
    await import_then(settings, ROWS, plan_moves)
    company.slack.reactivate(ada)
    await import_then(settings, ROWS, plan_moves)

    assert branch_of(company) == "HAND"


async def test_whose_account_somebody_has_brought_elsewhere_by_hand_since_stays_there_on_return(
    company, settings, ada, by_hand
):
    company.slack.deactivate(ada)
    await import_then(settings, ROWS, plan_moves)
    by_hand()
    assert await import_then(settings, ROWS, plan_moves) is None
    company.slack.reactivate(ada)

    assert await import_then(settings, ROWS, plan_moves) is None
    assert branch_of(company) == "HAND"


@pytest.mark.long
async def test_who_is_asked_for_right_before_the_end_takes_no_call_from_those_that_tell_the_branch(
    company, settings, ada
):
    rows = {**ROWS, "LEAVERS": "deactivate", "EVIDENCE_CALLS": "3"}  # one that shows the end, two for the branch
    company.slack.deactivate(ada)
    await import_then(settings, rows, plan_moves)
    company.slack.reactivate(ada)

    await import_then(settings, rows, plan_moves)

    assert branch_of(company) == "SLACK"


async def test_whose_account_was_a_leavers_is_not_moved_where_that_one_was(company, settings, ada):
    account = account_of(company)
    company.slack.deactivate(ada)
    await import_then(settings, ROWS, plan_moves)
    hand_over(company, settings, ada, account, "Grace", branches=(0,))
    company.slack.add("Grace", "Byron", "grace@example.com")

    assert await import_then(settings, ROWS, plan_moves) is None
    assert account.branches == (0,)


@pytest.mark.long
async def test_who_got_a_leavers_account_while_nobody_was_moved_is_back_where_that_person_was(company, settings, ada):
    account = account_of(company)
    company.slack.deactivate(ada)
    await import_then(settings, ROWS, plan_moves)
    hand_over(company, settings, ada, account, "Grace", branches=(0,))
    grace = str(company.slack.add("Grace", "Byron", "grace@example.com")["id"])
    await import_then(settings, {**ROWS, "LEAVERS_BRANCH": ""}, plan_moves)
    company.slack.deactivate(grace)
    done = await import_then(settings, ROWS, plan_moves)
    assert done.count(Kind.MOVE, outcome=Outcome.APPLIED) == 1

    company.slack.reactivate(grace)
    await import_then(settings, ROWS, plan_moves)

    assert account.branches == (0,)


@pytest.mark.long
@pytest.mark.parametrize("by", ["hand-over", "link"])
async def test_who_returns_under_a_new_id_is_back_in_the_branch_of_before_though_the_mapping_was_deleted(
    company, settings, ada, by
):
    rows = {**ROWS, "REHIRES": "hand-over" if by == "hand-over" else "report"}
    company.slack.deactivate(ada)
    await import_then(settings, rows, plan_moves)
    delete_mappings(settings, company.slack.team.id, ada)
    new = str(company.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    if by == "link":
        request = DecisionRequest(
            DecisionAction.LINK, [new], docebo_id=account_of(company).user_id, why="hers", by="Bob"
        )
        async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="link") as runtime:
            await decide(runtime, await validate(runtime), request)

    await import_then(settings, rows, plan_moves)

    assert branch_of(company) == "SLACK"


@pytest.mark.long
async def test_who_has_returned_under_a_new_id_is_among_the_leavers_again_where_that_run_is_undone(
    company, settings, ada
):
    rows = {**ROWS, "REHIRES": "hand-over"}
    company.slack.deactivate(ada)
    await import_then(settings, rows, plan_moves)
    company.slack.add("Ada", "Byron", "ada@example.com")
    await import_then(settings, rows, plan_moves, run="night")
    assert branch_of(company) == "SLACK"

    await undo(settings, rows, "night")

    assert (account_of(company).lastname, branch_of(company)) == ("Lovelace", "LEFT")


@pytest.mark.long
async def test_an_undo_moves_back(company, settings, ada):
    company.slack.deactivate(ada)
    done = await import_then(settings, ROWS, plan_moves)

    await undo(settings, ROWS, done.plan.id)

    assert branch_of(company) == "SLACK"


@pytest.mark.parametrize("is_back", [True, False], ids=["a return is undone", "the undo of a move is undone"])
@pytest.mark.variants(1)
async def test_whom_an_undo_has_brought_to_where_leavers_are_again_is_moved_back_once_here(
    company, settings, ada, is_back
):
    company.slack.deactivate(ada)
    left = await import_then(settings, ROWS, plan_moves)
    if is_back:
        company.slack.reactivate(ada)
    out = await (import_then(settings, ROWS, plan_moves) if is_back else undo(settings, ROWS, left.plan.id))
    assert branch_of(company) == "SLACK"
    await undo(settings, ROWS, out.plan.id)
    assert branch_of(company) == "LEFT"

    if not is_back:
        company.slack.reactivate(ada)
    await import_then(settings, ROWS, plan_moves)

    assert branch_of(company) == "SLACK"


@pytest.mark.long
async def test_where_docebo_does_not_show_branches_nobody_knows_where_to_move_back(company, settings, ada):
    company.docebo.switches = replace(company.docebo.switches, branches_shown=False)
    company.slack.deactivate(ada)
    done = await import_then(settings, ROWS, plan_moves)

    undone = await undo(settings, ROWS, done.plan.id)

    assert [reason for _, reason, _, _ in undone.tally] == ["nobody knows what there was before: branch"]
    assert branch_of(company) == "LEFT"


@pytest.mark.long
async def test_a_leaver_counts_as_a_move(company, settings, ada):
    company.slack.deactivate(ada)
    with pytest.raises(ChangeLimitExceeded, match="1 to move to another branch, the limit is 0"):
        await import_then(settings, {**ROWS, "LIMIT_BRANCH_MOVES": "0"}, plan_moves)
    assert branch_of(company) == "SLACK"


@pytest.mark.long
async def test_a_leaver_is_moved_after_the_days_of_grace_and_who_returns_before_is_untouched(company, settings, ada):
    rows, begun = {**ROWS, "LEAVERS_AFTER_DAYS": "7"}, datetime.now(UTC)
    company.slack.deactivate(ada)
    assert await import_then(settings, rows, plan_moves) is None
    company.slack.reactivate(ada)
    with time_machine.travel(begun + timedelta(days=3)):
        assert await import_then(settings, rows, plan_moves) is None
    company.slack.deactivate(ada)
    with time_machine.travel(begun + timedelta(days=5)):
        assert await import_then(settings, rows, plan_moves) is None
    with time_machine.travel(begun + timedelta(days=8)):  # the days began anew
        assert await import_then(settings, rows, plan_moves) is None
    assert branch_of(company) == "SLACK"
    with time_machine.travel(begun + timedelta(days=13)):
        assert await import_then(settings, rows, plan_moves) is not None
    assert branch_of(company) == "LEFT"


@pytest.mark.long
async def test_a_rule_for_branches_has_the_word_when_somebody_returns(company, settings, ada):
    company.docebo.add_branch("EU", "Europe")
    rows = {**ROWS, "ATTRIBUTES": "first_name, last_name, email, branch = title", "BRANCH_MOVES": "true"}
    company.slack.change(ada, {"profile": {"title": "EU"}})
    company.slack.deactivate(ada)
    await import_then(settings, rows, plan_moves)
    assert branch_of(company) == "LEFT"

    company.slack.reactivate(ada)
    await import_then(settings, rows, plan_moves)

    assert branch_of(company) == "EU"


@pytest.mark.long
async def test_who_returns_after_another_branch_was_named_for_leavers_is_back_where_the_account_was_first(
    company, settings, ada
):
    company.docebo.add_branch("GONE", "Gone")
    company.slack.deactivate(ada)
    await import_then(settings, ROWS, plan_moves)

    rows = {**ROWS, "LEAVERS_BRANCH": "Gone"}
    await import_then(settings, rows, plan_moves)
    assert branch_of(company) == "GONE"
    company.slack.reactivate(ada)
    await import_then(settings, rows, plan_moves)

    assert branch_of(company) == "SLACK"


@pytest.mark.long
@pytest.mark.parametrize("why", ["administrator", "never", "protected", "served", "unmap", "provisioning off"])
async def test_whom_nothing_may_be_done_to_is_not_moved(company, settings, ada, why):
    rows = dict(ROWS)
    company.slack.deactivate(ada)
    match why:
        case "administrator":
            company.docebo.edit(account_of(company).user_id, {"level": "godadmin"})
        case "protected":
            rows["PROTECTED_ACCOUNTS"] = "ada@*"
        case "never":
            with Store.of(settings) as store, store.transaction() as tables:
                tables.people.note_ids(company.slack.team.id, {"W0GRID": ada})
            decide_never(settings, company.slack.team.id, "W0GRID")
        case "unmap":
            rows |= {"LEAVERS": "unmap", "LIMIT_UNMAPPINGS": "none"}
        case "provisioning off":
            rows["PROVISION_SLACK_USER_DATA"] = "false"

    async def plan(runtime, workspace, people):
        if why == "served":
            note_applied_event(settings, ada)
        return await plan_moves(runtime, workspace, people)

    assert await import_then(settings, rows, plan) is None
    assert branch_of(company) == "SLACK"


@pytest.mark.long
async def test_who_only_drops_out_of_scope_is_a_leaver_only_if_the_settings_say_so(company, settings, ada):
    rows = {**ROWS, "SCOPE_EXCLUDE": "ada@*"}
    assert await import_then(settings, rows, plan_moves) is None

    assert await import_then(settings, {**rows, "LEAVERS_OUT_OF_SCOPE": "true"}, plan_moves) is not None
    assert branch_of(company) == "LEFT"


@pytest.mark.long
async def test_a_saved_plan_does_not_move_who_is_back_meanwhile(company, settings, ada):
    company.slack.deactivate(ada)
    with pytest.raises(ChangeLimitExceeded) as refusal:
        await import_then(settings, {**ROWS, "LIMIT_BRANCH_MOVES": "0"}, plan_moves)
    company.slack.reactivate(ada)

    done = await apply_by_id(settings, ROWS, refused_plan(refusal))

    assert done.count(Kind.MOVE, outcome=Outcome.SKIPPED) == 1
    assert branch_of(company) == "SLACK"


@pytest.mark.parametrize("told_by", ["slack", "an event"])
@pytest.mark.variants(1)
async def test_a_saved_plan_does_not_move_back_who_has_left_again_meanwhile(company, settings, ada, told_by):
    company.slack.deactivate(ada)
    await import_then(settings, ROWS, plan_moves)
    company.slack.reactivate(ada)
    with pytest.raises(ChangeLimitExceeded) as refusal:
        await import_then(settings, {**ROWS, "LIMIT_BRANCH_MOVES": "0"}, plan_moves)
    if told_by == "slack":
        company.slack.deactivate(ada)
    else:
        note_applied_event(settings, ada)

    done = await apply_by_id(settings, ROWS, refused_plan(refusal))

    assert done.count(Kind.MOVE, outcome=Outcome.SKIPPED) == 1
    assert branch_of(company) == "LEFT"


async def test_a_branch_that_is_not_there_stops_a_run_at_its_start(company, settings, ada):
    with pytest.raises(ConfigurationError, match=r"LEAVERS_BRANCH: Docebo has no branch .*: Nowhere"):
        await run_import(settings, rows={"LEAVERS_BRANCH": "Nowhere"})


@pytest.mark.variants(2)
@pytest.mark.parametrize("known_by", ["Slack's answer", "what was done before", "nothing"])
async def test_who_is_not_listed_is_moved_only_where_it_is_known_that_the_person_has_left(company, settings, known_by):
    account = company.docebo.accounts.add("ada@example.com", email="ada@example.com", branches=(ANYWHERE,))
    gone = Mapping(
        "U0G0NE0001", company.slack.team.id, "ada", account.user_id, deactivated=known_by == "what was done before"
    )
    with Store.of(settings) as store, store.transaction() as tables:
        tables.mappings(settings.docebo_url).save([gone], now=datetime.now(UTC))
    if known_by != "Slack's answer":
        company.slack_gate.faults.add("users.info", "ok_false", error="user_not_visible", times=-1)

    await import_then(settings, ROWS, plan_moves)

    assert branch_of(company) == ("SLACK" if known_by == "nothing" else "LEFT")
