"""Accounts are moved to the branch of their rule, where the settings say so: a call for each branch."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.profiles import Profile
from slack_docebo.engine.planning.moving import plan_moves
from slack_docebo.engine.writing import checking
from slack_docebo.errors import ChangeLimitExceeded, IncompleteRead, PlanNotApplicable, Unproven
from tests.between import Answer, Call, between, in_json
from tests.importing import prove, run_import, settings_for
from tests.integration.after_an_import import (
    apply_by_id,
    apply_first,
    decide_never,
    hand_over,
    import_then,
    note_applied_event,
    note_sent,
    refused_plan,
    undo,
)

ROWS = {
    "ATTRIBUTES": "first_name, last_name, email, branch = title",
    "BRANCH_MOVES": "true",
    "LIMIT_BRANCH_MOVES": "none",
}


@pytest.fixture
def company(shared_sandbox):
    shared_sandbox.reset()
    shared_sandbox.docebo.add_branch("EU", "Europe")
    shared_sandbox.docebo.add_branch("US", "America")
    return shared_sandbox


@pytest.fixture
def settings(company, sqlite_url):
    return settings_for(company.facts(), sqlite_url)


def join(company, name: str, title: str) -> str:
    return str(company.slack.add(name, "Lovelace", f"{name.lower()}@example.com", {"profile": {"title": title}})["id"])


def branch_of(company, name: str) -> str:
    [account] = company.docebo.accounts.by_email(f"{name.lower()}@example.com")
    return ", ".join(company.docebo.branches[one].code for one in account.branches)


def moves(company) -> int:
    return int(company.docebo_gate.counters.calls["PUT /manage/v1/user/move_to_branch"])


async def test_who_is_to_be_in_another_branch_is_moved_and_undoing_moves_back(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "America"}})

    done = await import_then(settings, ROWS, plan_moves)

    assert branch_of(company, "Ada") == "US"
    assert done.count(Kind.MOVE, outcome=Outcome.APPLIED) == 1
    assert await import_then(settings, ROWS, plan_moves) is None
    await undo(settings, ROWS, done.plan.id)
    assert branch_of(company, "Ada") == "EU"


@pytest.mark.long
async def test_a_move_that_is_refused_and_carried_out_counts_as_done_and_is_undone(company, sqlite_url):
    def moved_and_refused(call: Call) -> Answer | None:
        moved = json.loads(call.body) if call.path.endswith("/user/move_to_branch") else {"branch_ids": []}
        if [company.docebo.branches[int(one)].code for one in moved["branch_ids"]] != ["US"]:
            return None
        for docebo_id in moved["user_ids"]:
            company.docebo.edit(docebo_id, {"branches": tuple(map(int, moved["branch_ids"]))})
        return in_json({"message": ["the branch's managers were not told"]}, 400)

    with between(company.docebo_url, instead=moved_and_refused) as docebo:
        settings = settings_for({**company.facts(), "docebo_url": docebo}, sqlite_url)
        prove(settings)
        ada = join(company, "Ada", "EU")
        await import_then(settings, ROWS, plan_moves)
        company.slack.change(ada, {"profile": {"title": "US"}})
        done = await import_then(settings, ROWS, plan_moves)
        moved_to = branch_of(company, "Ada")
        await undo(settings, ROWS, done.plan.id)

    assert (done.count(Kind.MOVE, outcome=Outcome.APPLIED), moved_to, branch_of(company, "Ada")) == (1, "US", "EU")


@pytest.mark.long
async def test_who_was_moved_and_changed_by_one_run_is_moved_back_where_the_run_is_undone(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "America", "last_name": "Byron"}})
    await import_then(settings, ROWS, plan_moves, run="night")

    await undo(settings, ROWS, "night")

    [account] = company.docebo.accounts.by_email("ada@example.com")
    assert (account.lastname, branch_of(company, "Ada")) == ("Lovelace", "EU")


async def test_who_cannot_be_moved_back_for_the_branch_is_gone_stays_as_the_run_has_left_that_person(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "America", "last_name": "Byron"}})
    await import_then(settings, ROWS, plan_moves, run="night")
    [gone] = [branch_id for branch_id, branch in company.docebo.branches.items() if branch.code == "EU"]
    del company.docebo.branches[gone]

    undone = await undo(settings, ROWS, "night")

    [account] = company.docebo.accounts.by_email("ada@example.com")
    assert (account.lastname, branch_of(company, "Ada")) == ("Byron", "US")
    assert undone.count(outcome=Outcome.SKIPPED) == 2


async def test_of_what_was_undone_in_part_the_rest_is_undone_later(company, sqlite_url):
    is_locked = []

    def locked(call: Call) -> Answer | None:
        is_move = call.path.endswith("/user/move_to_branch") and is_locked
        return in_json({"message": ["the branch is locked"]}, 400) if is_move else None

    with between(company.docebo_url, instead=locked) as docebo:
        settings = settings_for({**company.facts(), "docebo_url": docebo}, sqlite_url)
        ada = join(company, "Ada", "EU")
        await import_then(settings, ROWS, plan_moves)
        company.slack.change(ada, {"profile": {"title": "US", "last_name": "Byron"}})
        await import_then(settings, ROWS, plan_moves, run="night")
        is_locked.append(True)
        halved = await undo(settings, ROWS, "night")
        [account] = company.docebo.accounts.by_email("ada@example.com")
        assert halved.count(Kind.MOVE, outcome=Outcome.FAILED) == 1
        assert (account.lastname, branch_of(company, "Ada")) == ("Lovelace", "US")
        is_locked.clear()

        undone = await undo(settings, ROWS, "night")

        assert (account.lastname, branch_of(company, "Ada")) == ("Lovelace", "EU")
        assert undone.count(outcome=Outcome.APPLIED) == 1
        with pytest.raises(PlanNotApplicable, match=f"night was undone before, by plan {undone.plan.id}"):
            await undo(settings, ROWS, "night")


@pytest.mark.long
async def test_moves_to_a_branch_are_one_call(company, settings):
    prove(settings)
    people = [join(company, f"Ada{number}", "EU") for number in range(12)]
    await import_then(settings, ROWS, plan_moves)
    for place, slack_id in enumerate(people):
        company.slack.change(slack_id, {"profile": {"title": "US" if place % 2 else "SLACK"}})

    done = await import_then(settings, ROWS, plan_moves)

    assert done.count(outcome=Outcome.APPLIED) == 12
    assert moves(company) == 2
    assert {branch_of(company, f"Ada{number}") for number in range(12)} == {"US", "SLACK"}


async def test_without_the_setting_nobody_is_moved(company, settings):
    ada = join(company, "Ada", "EU")
    still = {**ROWS, "BRANCH_MOVES": "false"}
    await import_then(settings, still, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})

    assert await import_then(settings, still, plan_moves) is None
    assert branch_of(company, "Ada") == "EU"


@pytest.mark.long
async def test_a_branch_that_is_given_on_creation_only_moves_nobody(company, settings):
    ada = join(company, "Ada", "EU")
    once = {**ROWS, "ATTRIBUTES": f"{ROWS['ATTRIBUTES']} on-create-only"}
    await import_then(settings, once, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})

    assert await import_then(settings, once, plan_moves) is None
    assert branch_of(company, "Ada") == "EU"


@pytest.mark.long
async def test_whom_nobody_has_brought_anywhere_is_moved_unless_already_there(company, settings):
    join(company, "Ada", "EU")
    join(company, "Grace", "EU")
    await run_import(settings)  # before there was a rule
    [grace] = company.docebo.accounts.by_email("grace@example.com")
    company.docebo.edit(grace.user_id, {"branches": (43,)})

    done = await import_then(settings, ROWS, plan_moves)

    assert (branch_of(company, "Ada"), branch_of(company, "Grace")) == ("EU", "EU")
    assert done.count(Kind.MOVE, outcome=Outcome.APPLIED) == 1
    calls = company.docebo_gate.counters.calls["GET /manage/v1/user"]
    assert await import_then(settings, ROWS, plan_moves) is None
    assert company.docebo_gate.counters.calls["GET /manage/v1/user"] - calls <= 2  # the import's own list


async def test_nobody_is_moved_out_of_other_branches_by_a_list_that_leaves_out_who_is_in_the_one_that_is_wanted(
    company, settings
):
    join(company, "Ada", "EU")
    await run_import(settings)  # before there was a rule
    [ada] = company.docebo.accounts.by_email("ada@example.com")
    company.docebo.edit(ada.user_id, {"branches": (43, 44)})

    async def plan_by_a_short_list(runtime, workspace, listed) -> str | None:
        company.docebo_gate.faults.add("GET /manage/v1/user", "shrinking", share=0.0)
        return await plan_moves(runtime, workspace, listed)

    with pytest.raises(
        IncompleteRead, match=r'branch 43 and counts 1: .* dialect set "accounts counted, not listed" 1'
    ):
        await import_then(settings, ROWS, plan_by_a_short_list)

    assert branch_of(company, "Ada") == "EU, US"


async def test_a_platform_that_lists_everybody_in_each_branch_is_told_and_nobody_counts_as_in_place(company, settings):
    join(company, "Ada", "EU")
    await run_import(settings)  # before there was a rule
    company.docebo.switches = replace(company.docebo.switches, ignored="branch_id")

    with pytest.raises(IncompleteRead, match="also of one that is not there, so nobody can tell"):
        await import_then(settings, ROWS, plan_moves)
    company.docebo.switches = replace(company.docebo.switches, ignored="")
    await import_then(settings, ROWS, plan_moves)

    assert branch_of(company, "Ada") == "EU"


@pytest.mark.long
async def test_everybody_may_be_in_one_branch(company, settings):
    join(company, "Ada", "EU")
    await run_import(settings)
    for account in company.docebo.accounts:
        company.docebo.edit(account.user_id, {"branches": (43,)})

    assert await import_then(settings, ROWS, plan_moves) is None


async def test_whose_account_was_anothers_is_moved_as_if_nobody_had_brought_it_anywhere(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    [account] = company.docebo.accounts.by_email("ada@example.com")
    hand_over(company, settings, ada, account, "Grace", branches=(44,))
    join(company, "Grace", "EU")

    await import_then(settings, ROWS, plan_moves)

    assert branch_of(company, "Grace") == "EU"
    assert company.docebo.accounts.by_email("grace@example.com") == [account]


@pytest.mark.long
async def test_moves_have_a_limit_of_their_own_and_are_let_through_by_the_id_of_their_plan_in_parts_or_as_a_whole(
    company, settings
):
    people = [join(company, f"Ada{number}", "EU") for number in range(3)]
    await import_then(settings, ROWS, plan_moves)
    for slack_id in people:
        company.slack.change(slack_id, {"profile": {"title": "US"}})

    rows = {**ROWS, "LIMIT_BRANCH_MOVES": "2"}
    with pytest.raises(
        ChangeLimitExceeded, match=r": 3 to move to another branch, the limit is 2; nothing of moves was written$"
    ) as refusal:
        await import_then(settings, rows, plan_moves)
    assert moves(company) == 0

    plan_id = refused_plan(refusal)
    first = await apply_first(settings, rows, plan_id, confirm="1 of 3")
    assert first.count(Kind.MOVE, outcome=Outcome.APPLIED) == 1
    others = await apply_by_id(settings, rows, plan_id)
    assert others.count(Kind.MOVE, outcome=Outcome.APPLIED) == 2
    assert {branch_of(company, f"Ada{number}") for number in range(3)} == {"US"}


@pytest.mark.variants(1)
@pytest.mark.parametrize("style", ["soft", "hard"])
async def test_a_branch_that_is_deleted_before_its_moves_keeps_nobody_from_another_one(company, settings, style):
    company.docebo.switches = replace(company.docebo.switches, validation_style=style)
    prove(settings)
    people = [join(company, f"Ada{number}", "SLACK") for number in range(8)]
    await import_then(settings, ROWS, plan_moves)
    for place, slack_id in enumerate(people):
        company.slack.change(slack_id, {"profile": {"title": "US" if place % 2 else "EU"}})

    async def plan_and_delete(runtime, workspace, listed) -> str | None:
        plan_id = await plan_moves(runtime, workspace, listed)
        [europe] = [one.id for one in company.docebo.branches.values() if one.code == "EU"]
        del company.docebo.branches[europe]
        return plan_id

    done = await import_then(settings, ROWS, plan_and_delete)

    assert [done.count(outcome=outcome) for outcome in (Outcome.APPLIED, Outcome.SKIPPED)] == [4, 4]
    assert [branch_of(company, f"Ada{number}") for number in range(4)] == ["SLACK", "US", "SLACK", "US"]


@pytest.mark.long
async def test_a_move_without_an_answer_is_made_again(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})
    company.docebo_gate.faults.add("PUT /manage/v1/user/move_to_branch", "carried_out_then_dropped", times=1)

    done = await import_then(settings, ROWS, plan_moves)

    assert done.count(Kind.MOVE, outcome=Outcome.APPLIED) == 1
    assert branch_of(company, "Ada") == "US"


async def test_a_move_of_a_plan_that_was_cut_off_and_is_not_wanted_any_more_is_taken_back(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})
    limited = {**ROWS, "LIMIT_BRANCH_MOVES": "0"}
    with pytest.raises(ChangeLimitExceeded) as refused:
        await import_then(settings, limited, plan_moves)
    plan_id = refused_plan(refused)
    note_sent(settings, plan_id)
    [america] = [one.id for one in company.docebo.branches.values() if one.code == "US"]
    [account] = company.docebo.accounts.by_email("ada@example.com")
    account.branches = (america,)
    company.slack.change(ada, {"profile": {"title": "EU"}})

    done = await apply_by_id(settings, limited, plan_id)
    assert done.count(Kind.MOVE, outcome=Outcome.APPLIED) == 1  # by the run that is dead
    await import_then(settings, ROWS, plan_moves)

    assert branch_of(company, "Ada") == "EU"


@pytest.mark.long
async def test_a_custom_field_that_was_read_after_the_list_moves_in_the_same_night(company, settings):
    rows = {**ROWS, "ATTRIBUTES": "first_name, last_name, email, branch = custom:Department"}
    ada = join(company, "Ada", "")

    async def read_and_plan(runtime, workspace, people):
        read = Profile({"Xf0DEPARTMT": "EU"}, company.slack.get(ada)["updated"], runtime.now())
        with runtime.store.transaction() as tables:
            tables.profiles.keep(workspace.team, ada, read)
        return await plan_moves(runtime, workspace, people)

    await import_then(settings, rows, read_and_plan)

    assert branch_of(company, "Ada") == "EU"


async def test_a_custom_field_that_slacks_list_shows_moves_whatever_was_read_before(company, settings):
    rows = {**ROWS, "ATTRIBUTES": "first_name, last_name, email, branch = custom:Department"}
    company.slack.switches = replace(company.slack.switches, fields_form="object")
    ada = join(company, "Ada", "")
    department = {"Xf0DEPARTMT": {"value": "US", "alt": ""}}
    company.slack.change(ada, {"profile": {"fields": department}})

    async def plan_with_an_older_reading(runtime, workspace, people):
        read = Profile({"Xf0DEPARTMT": "EU"}, company.slack.get(ada)["updated"] - 1, runtime.now())
        with runtime.store.transaction() as tables:
            tables.profiles.keep(workspace.team, ada, read)
        return await plan_moves(runtime, workspace, people)

    await import_then(settings, rows, plan_with_an_older_reading)

    assert branch_of(company, "Ada") == "US"


@pytest.mark.long
async def test_nobody_is_moved_by_a_custom_field_that_was_read_before_the_profile_was_changed(company, settings):
    rows = {**ROWS, "ATTRIBUTES": "first_name, last_name, email, branch = custom:Department"}
    ada = join(company, "Ada", "")

    async def plan_from_what_was_read_before(runtime, workspace, people):
        read = Profile({"Xf0DEPARTMT": "EU"}, company.slack.get(ada)["updated"] - 1, runtime.now())
        with runtime.store.transaction() as tables:
            tables.profiles.keep(workspace.team, ada, read)
        return await plan_moves(runtime, workspace, people)

    assert await import_then(settings, rows, plan_from_what_was_read_before) is None


@pytest.mark.long
async def test_nobody_is_moved_by_a_saved_plan_where_slack_says_another_branch_by_now(company, settings):
    people = [join(company, name, "EU") for name in ("Ada", "Bob")]
    await import_then(settings, ROWS, plan_moves)
    for slack_id in people:
        company.slack.change(slack_id, {"profile": {"title": "US"}})
    rows = {**ROWS, "LIMIT_BRANCH_MOVES": "0"}
    with pytest.raises(ChangeLimitExceeded) as refused:
        await import_then(settings, rows, plan_moves)
    company.slack.change(people[0], {"profile": {"title": "EU"}})

    await apply_by_id(settings, rows, refused_plan(refused))

    assert [branch_of(company, name) for name in ("Ada", "Bob")] == ["EU", "US"]


@pytest.mark.long
async def test_who_is_never_to_be_touched_is_in_no_plan_of_moves(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})
    decide_never(settings, company.slack.team.id, ada)

    assert await import_then(settings, ROWS, plan_moves) is None


@pytest.mark.long
async def test_nobody_is_moved_by_a_list_that_is_older_than_an_event_about_the_person(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})

    async def serve_and_plan(runtime, workspace, people):
        note_applied_event(settings, ada)
        return await plan_moves(runtime, workspace, people)

    assert await import_then(settings, ROWS, serve_and_plan) is None
    assert await import_then(settings, ROWS, plan_moves) is not None


@pytest.mark.long
async def test_an_account_that_is_somebody_elses_by_now_is_not_moved(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})
    [account] = company.docebo.accounts.by_email("ada@example.com")
    stranger = {"username": "eve", "email": "eve@example.com", "firstname": "Eve", "lastname": "Moneypenny"}
    company.docebo.edit(account.user_id, stranger)

    assert await import_then(settings, ROWS, plan_moves) is None
    assert branch_of(company, "Eve") == "EU"


@pytest.mark.long
async def test_a_move_is_not_carried_out_once_the_account_is_mapped_otherwise(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})

    async def plan_and_unmap(runtime, workspace, people):
        plan_id = await plan_moves(runtime, workspace, people)
        with runtime.store.transaction() as tables:
            tables.mappings(settings.docebo_url).delete(workspace.team, [ada])
        return plan_id

    done = await import_then(settings, ROWS, plan_and_unmap)

    assert done.count(Kind.MOVE, outcome=Outcome.SKIPPED) == 1
    assert branch_of(company, "Ada") == "EU"


async def test_a_move_is_not_undone_once_a_later_one_has_gone_elsewhere(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})
    first = await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "SLACK"}})
    await import_then(settings, ROWS, plan_moves)

    undone = await undo(settings, ROWS, first.plan.id)

    assert undone.count(Kind.MOVE, outcome=Outcome.SKIPPED) == 1
    assert branch_of(company, "Ada") == "SLACK"


async def test_a_move_is_not_undone_once_somebody_has_brought_the_account_elsewhere_by_hand(company, settings):
    company.docebo.switches = replace(company.docebo.switches, branches_shown=True)
    people = [join(company, name, "EU") for name in ("Ada", "Bob")]
    await import_then(settings, ROWS, plan_moves)
    for slack_id in people:
        company.slack.change(slack_id, {"profile": {"title": "US"}})
    done = await import_then(settings, ROWS, plan_moves)
    [ada] = company.docebo.accounts.by_email("ada@example.com")
    company.docebo.edit(ada.user_id, {"branches": (42,)})

    undone = await undo(settings, ROWS, done.plan.id)

    assert [undone.count(outcome=outcome) for outcome in (Outcome.APPLIED, Outcome.SKIPPED)] == [1, 1]
    assert [branch_of(company, name) for name in ("Ada", "Bob")] == ["SLACK", "EU"]


@pytest.mark.long
async def test_of_many_that_an_undo_moves_back_docebo_is_asked_for_none(company, settings, monkeypatch):
    monkeypatch.setattr(checking, "OPERATIONS_AT_ONCE", 4)
    people = [join(company, f"A{number}", "EU") for number in range(6)]
    await import_then(settings, ROWS, plan_moves)
    for slack_id in people:
        company.slack.change(slack_id, {"profile": {"title": "US"}})
    done = await import_then(settings, ROWS, plan_moves)

    undone = await undo(settings, ROWS, done.plan.id)

    assert undone.count(outcome=Outcome.APPLIED) == len(people)
    assert "user" not in undone.plan.facts["calls"]


@pytest.mark.long
async def test_a_move_is_undone_though_docebo_does_not_show_the_accounts_page(company, sqlite_url):
    is_broken = []

    def broken(call: Call) -> Answer | None:
        is_view = re.fullmatch(r"/manage/v1/user/\d+", call.path) and is_broken
        return in_json({"message": ["no such page"]}, 409) if is_view else None

    with between(company.docebo_url, instead=broken) as docebo:
        settings = settings_for({**company.facts(), "docebo_url": docebo}, sqlite_url)
        ada = join(company, "Ada", "EU")
        await import_then(settings, ROWS, plan_moves)
        company.slack.change(ada, {"profile": {"title": "US"}})
        done = await import_then(settings, ROWS, plan_moves)
        is_broken.append(True)
        await undo(settings, ROWS, done.plan.id)

    assert branch_of(company, "Ada") == "EU"


@pytest.mark.long
async def test_where_somebody_was_before_we_brought_anybody_is_not_known_and_an_undo_says_so(company, settings):
    join(company, "Ada", "EU")
    await run_import(settings)  # before there was a rule
    done = await import_then(settings, ROWS, plan_moves)

    undone = await undo(settings, ROWS, done.plan.id)

    assert [(kind, reason) for kind, reason, _, _ in undone.tally] == [
        (Kind.LEAVE, "nobody knows what there was before: branch")
    ]
    assert branch_of(company, "Ada") == "EU"


async def test_an_undo_of_a_run_says_also_of_whom_it_restores_something_what_it_cannot_bring_back(company, settings):
    ada = join(company, "Ada", "EU")
    await run_import(settings)  # before there was a rule
    company.slack.change(ada, {"profile": {"last_name": "Byron"}})
    await import_then(settings, ROWS, plan_moves, run="night")

    undone = await undo(settings, ROWS, "night")

    assert {(kind, reason) for kind, reason, _, _ in undone.tally} == {
        (Kind.UPDATE, "restores last_name"),
        (Kind.LEAVE, "nobody knows what there was before: branch"),
    }


@pytest.mark.long
async def test_whose_account_became_an_administrators_long_after_the_accounts_were_read_is_not_moved(company, settings):
    ada = join(company, "Ada", "EU")
    await import_then(settings, ROWS, plan_moves)
    company.slack.change(ada, {"profile": {"title": "US"}})

    async def plan(runtime, workspace, people) -> str | None:
        plan_id = await plan_moves(runtime, workspace, people)
        runtime.listing.began_at -= timedelta(minutes=61)
        [account] = company.docebo.accounts.by_email("ada@example.com")
        company.docebo.edit(account.user_id, {"level": "godadmin"})
        return plan_id

    done = await import_then(settings, ROWS, plan)

    assert done.count(Kind.MOVE, outcome=Outcome.SKIPPED) == 1
    assert branch_of(company, "Ada") == "EU"


async def test_a_platform_that_takes_moves_and_ignores_them_is_noticed_at_the_first(company, settings):
    people = [join(company, f"Ada{number}", "EU") for number in range(3)]
    await import_then(settings, ROWS, plan_moves)
    for slack_id in people:
        company.slack.change(slack_id, {"profile": {"title": "US"}})
    company.docebo.switches = replace(company.docebo.switches, ignored="move", branches_shown=True)

    with pytest.raises(Unproven, match=r"is not in the branch to which it was moved.*BRANCH_MOVES"):
        await import_then(settings, ROWS, plan_moves)

    assert moves(company) == 1
