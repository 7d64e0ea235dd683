"""What is decided about single people by hand, and what runs make of it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
import time_machine

from slack_docebo.domain.decisions import NEVER, Decision, Verdict
from slack_docebo.domain.operations import Kind
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.standing import Standing
from slack_docebo.domain.texts import people
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.looking.explaining import explain
from slack_docebo.engine.mappings.deciding import (
    DecisionAction,
    DecisionRequest,
    decide,
    decision_rows,
    steps_to_take_back,
)
from slack_docebo.engine.mappings.forgetting import forget
from slack_docebo.engine.planning.parting import PartChoice, find_part, take_part
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.realtime.serve_result import Became
from slack_docebo.engine.reporting.attention import acknowledged_lines, acknowledged_rows, attention_rows
from slack_docebo.engine.reporting.status import status
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.storage.personal import rows_about
from tasks.run import concluded
from tests.between import between, refusing
from tests.both_databases import ON_BOTH
from tests.importing import carry_out, mapped, run_import
from tests.integration.after_an_import import apply_by_id
from tests.integration.realtime_world import ON, World, world

STRANGER = {"username": "zed", "email": "zed@example.com", "firstname": "Zed", "lastname": "Quux"}


@pytest.fixture
async def here(shared_sandbox, usual_database_url, tmp_path) -> AsyncIterator[World]:
    shared_sandbox.reset()
    async with world(shared_sandbox, usual_database_url, tmp_path, **ON) as opened:
        yield opened


async def imported(here: World, *, dry_run: bool = False):
    return await run_import(here.runtime.settings, dry_run=dry_run, rows=ON)


async def decided(here: World, action: DecisionAction, *slack_ids: str, **more) -> str:
    words = {"why": "agreed with Ann", "by": "Bob"}
    return await decide(here.runtime, here.workspace, DecisionRequest(action, slack_ids, **{**words, **more}))


async def all_who_wait_are_left_so(here: World, **more) -> str:
    waiting = len(status(here.runtime).undecided)
    return await decided(here, DecisionAction.LEAVE_SO, **{"all_who_wait": True, "confirm": waiting, **more})


def account_of(here: World, slack_id: str) -> int:
    return mapped(here.runtime.settings.database_url.get_secret_value(), here.workspace.team)[slack_id]


@pytest.mark.variants(1)
@ON_BOTH
async def test_nobody_touches_whom_somebody_has_decided_never_to_touch(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await imported(here)
    account = here.sandbox.docebo.accounts[account_of(here, ada)]
    here.sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
    planned = await imported(here, dry_run=True)
    assert planned.count(Kind.UPDATE) == 1

    await decided(here, DecisionAction.NEVER, ada)
    await carry_out(here.runtime, planned.plan.id)
    of_an_event = here.event(ada)
    here.put(of_an_event)
    await here.serve()
    here.sandbox.slack.deactivate(ada)
    left = await imported(here)

    assert (account.lastname, account.active) == ("Lovelace", True)
    assert sum(people for kind, reason, _, people in left.tally if (kind, reason) == (Kind.LEAVE, NEVER)) == 1

    await decided(here, DecisionAction.TAKE_BACK, ada)
    await imported(here)
    assert not account.active


async def test_who_would_get_the_account_of_somebody_never_to_be_touched_waits_for_a_decision(here):
    rows, team = {**ON, "REHIRES": "hand-over"}, here.workspace.team
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(here.runtime.settings, rows=rows)
    here.sandbox.slack.deactivate(ada)
    await decided(here, DecisionAction.NEVER, ada)
    again = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]

    await run_import(here.runtime.settings, rows=rows)

    with here.runtime.store.reading() as tables:
        told = tables.standings.of(here.runtime.settings.docebo_url, team, [ada, again])
    assert told[ada].reason == NEVER
    assert told[again].reason.startswith(f"account {account_of(here, ada)} belongs to {ada}")
    assert again in status(here.runtime).undecided
    assert ada not in status(here.runtime).undecided


@pytest.mark.variants(1)
@pytest.mark.parametrize("how", ["saved plan", "undo"])
async def test_nothing_is_done_to_who_is_never_to_be_touched_under_another_id_of_that_person(here, how):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await imported(here)
    account = here.sandbox.docebo.accounts[account_of(here, ada)]
    here.sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
    planned = await imported(here, dry_run=how == "saved plan")

    known_as_well(here, ada, "W0GRID")
    await decided(here, DecisionAction.NEVER, "W0GRID")
    plan_id = planned.plan.id if how == "saved plan" else plan_undo(here.runtime, planned.plan.id)
    await carry_out(here.runtime, plan_id)

    assert account.lastname == ("Lovelace" if how == "saved plan" else "Byron")


async def test_what_is_decided_is_taken_back_under_any_id_of_the_person_whatever_clock_has_noted_it(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    known_as_well(here, ada, "W0GRID")
    with time_machine.travel(here.runtime.now() + timedelta(days=400)):
        await decided(here, DecisionAction.NEVER, "W0GRID")

    await decided(here, DecisionAction.TAKE_BACK, ada)
    await imported(here)

    assert account_of(here, ada)


async def test_the_last_decision_about_a_person_counts_whatever_clock_has_noted_the_one_under_another_id(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    known_as_well(here, ada, "W0GRID")
    with time_machine.travel(here.runtime.now() + timedelta(days=400)):
        await decided(here, DecisionAction.NEVER, "W0GRID")
    account = here.sandbox.docebo.accounts.add("countess", email="countess@example.com")

    await decided(here, DecisionAction.LINK, ada, docebo_id=account.user_id)

    with here.runtime.store.reading() as tables:
        assert tables.binding(here.workspace.team)["W0GRID"].verdict is Verdict.LINKED


@pytest.mark.long
async def test_what_is_acknowledged_under_another_id_stays_so_when_there_is_one_reason_more(here):
    ada = here.sandbox.slack.add("Ada", "New", "ada@example.com")["id"]
    known_as_well(here, ada, "W0GRID")
    seen = Decision("W0GRID", Verdict.LEAVE_SO, "agreed", "Bob", here.runtime.now(), reasons=("so far",))
    with here.runtime.store.transaction() as tables:
        tables.decisions.put(here.workspace.team, seen)
    here.refuse("ada@example.com")
    await imported(here)

    await decided(here, DecisionAction.LEAVE_SO, ada)

    with here.runtime.store.reading() as tables:
        assert tables.acknowledged(here.workspace.team)["W0GRID"].acknowledges("so far")


@pytest.mark.parametrize("had", ["none", "another"])
async def test_who_is_linked_by_hand_gets_nothing_by_a_plan_that_was_saved_while_no_mapping_was_kept(here, had):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    if had == "another":
        here.sandbox.docebo.accounts.add("ada@example.com", lastname="King", email="ada@example.com")
    planned = await run_import(here.runtime.settings, dry_run=True, rows={**ON, "MAP_SLACK_USER_DATA": "false"})
    account = here.sandbox.docebo.accounts.add("countess", email="countess@example.com")

    await decided(here, DecisionAction.LINK, ada, docebo_id=account.user_id)
    await apply_by_id(here.runtime.settings, ON, planned.plan.id)

    bearers = here.sandbox.docebo.accounts.by_email("ada@example.com")
    assert [one.lastname for one in bearers] == (["King"] if had == "another" else [])


def known_as_well(here: World, slack_id: str, other: str) -> None:
    """Let the person be known under the *other* id as well, as in an organisation."""
    with here.runtime.store.transaction() as tables:
        tables.people.register(here.workspace.team, [slack_id], now=here.runtime.now())
        tables.people.note_ids(here.workspace.team, {other: slack_id})


@pytest.mark.long
async def test_what_was_seen_is_left_so_until_there_is_another_reason(here):
    first = await imported(here)
    assert first.newly_undecided == first.undecided > 0

    told = await all_who_wait_are_left_so(here)
    at_once = status(here.runtime)
    again = await imported(here)

    assert (list(at_once.undecided), [step.flow for step in at_once.to_do]) == ([], [])
    assert told.startswith(f"{people(first.undecided)} {'is' if first.undecided == 1 else 'are'} acknowledged")
    assert (again.undecided, again.newly_undecided, len(status(here.runtime).undecided)) == (0, 0, 0)
    assert attention_rows(here.runtime.store, again.plan.id, PeopleShown.IDS) == []

    with here.runtime.store.reading() as tables:
        who = min(tables.decisions.acknowledged(here.workspace.team))
    await decided(here, DecisionAction.TAKE_BACK, who)
    assert ((await imported(here)).newly_undecided, len(status(here.runtime).undecided)) == (1, 1)


async def test_a_row_that_is_refused_every_night_is_no_news_once_somebody_has_acknowledged_it(here):
    ada, bob = (here.sandbox.slack.add(name, "New", f"{name}@example.com")["id"] for name in ("ada", "bob"))
    here.refuse("ada@example.com")
    night = concluded(partial(imported, here))

    first = await night()
    told = await decided(here, DecisionAction.LEAVE_SO, ada)
    seen = await night()
    here.refuse("ada@example.com", "no such branch")
    another = await night()
    here.sandbox.docebo_gate.faults.clear()
    await night()

    assert told.startswith(
        "1 person is acknowledged: left alone as now or, where something has failed, tried as before"
    )
    assert [state.name for state in (first, seen, another)] == ["PartlyFailed", "Completed", "PartlyFailed"]
    assert "1 failed, 1 of them acknowledged" in seen.message
    assert account_of(here, ada)  # tried each time, and done once Docebo took it
    assert account_of(here, bob)


@pytest.mark.long
async def test_an_event_that_fails_for_what_is_acknowledged_is_parked_and_no_news(here):
    ada = here.sandbox.slack.add("Ada", "New", "ada@example.com")["id"]
    here.refuse("ada@example.com")
    await imported(here)
    await decided(here, DecisionAction.LEAVE_SO, ada)
    seen = await served_until_parked(here, ada)
    here.refuse("ada@example.com", "no such branch")
    another = await served_until_parked(here, ada)

    assert (seen.parked, seen.count(Became.ACKNOWLEDGED)) == (0, 1)
    assert "1 parked, as acknowledged" in seen.line
    assert another.parked == 1
    found = status(here.runtime)
    assert (found.inbox.parked, found.parked_as_acknowledged) == (2, 1)
    assert [step.words for step in found.to_do if "parked" in step.words] == [
        "1 event is parked: look at why, and replay it."
    ]

    await decided(here, DecisionAction.LEAVE_SO, ada)
    found = status(here.runtime)
    assert (found.inbox.parked, found.parked_as_acknowledged) == (2, 2)
    assert not [step.words for step in found.to_do if "parked" in step.words]
    page = found.page(next_import=None, forms={}, shown=lambda step: step.words)
    assert "| Events | 0 waiting, 2 parked, 2 of them acknowledged |" in page


@pytest.mark.parametrize("road", ["import", "real time"])
@pytest.mark.variants(2)
async def test_who_has_left_and_still_gets_in_is_news_though_a_refused_name_was_acknowledged(
    shared_sandbox, usual_database_url, tmp_path, road
):
    shared_sandbox.reset()
    refused, rows = set[int](), {**ON, "LEAVERS": "expire"}
    with between(shared_sandbox.docebo_url, lambda call: refusing(refused)(call)) as url:
        async with world(shared_sandbox, usual_database_url, tmp_path, addresses={"DOCEBO_URL": url}, **rows) as here:
            ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
            await run_import(here.runtime.settings, rows=rows)
            refused.add(account_of(here, ada))
            here.sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
            await run_import(here.runtime.settings, rows=rows)
            await decided(here, DecisionAction.LEAVE_SO, ada)
            assert (await run_import(here.runtime.settings, rows=rows)).failed == 0
            here.sandbox.slack.deactivate(ada)

            if road == "import":
                assert (await run_import(here.runtime.settings, rows=rows)).failed == 1
            else:
                assert (await served_until_parked(here, ada)).parked == 1


async def served_until_parked(here: World, slack_id: str):
    """Let an event about the person come, and be tried as often as it is."""
    here.put(here.event(slack_id))
    served = await here.serve()
    while served.count(Became.RETRIED):
        served = await here.serve()
    return served


async def test_who_is_acknowledged_is_listed_apart_with_who_why_and_since_when(here):
    ada, bob = (here.sandbox.slack.add(name, "New", f"{name}@example.com")["id"] for name in ("ada", "bob"))
    here.refuse("ada@example.com")
    join_with_two_accounts(here, 1)
    await imported(here)
    await decided(here, DecisionAction.LEAVE_SO, ada, why="as ticket 4711 says")
    await all_who_wait_are_left_so(here)
    again = await imported(here)

    rows = acknowledged_rows(here.runtime.store, again.plan.id, PeopleShown.IDS)
    [of_ada] = [row for row in rows if row["Slack user"] == ada]
    steps: list[Step] = []
    page = "\n".join(acknowledged_lines(rows, lambda step: steps.append(step) or f"[{step.words}]"))

    assert {"action": "take back only leave it so", "slack_ids": [ada]} in [step.values for step in steps]
    assert (of_ada["what happened"], of_ada["why it is left so"], of_ada["by"]) == (
        "failed: not created",
        "as ticket 4711 says",
        "Bob",
    )
    assert len(rows) > 1
    assert {row["what happened"] for row in rows if row is not of_ada} == {"left alone"}
    assert attention_rows(here.runtime.store, again.plan.id, PeopleShown.IDS) == []
    assert not any("failed in the last import" in step.words for step in status(here.runtime).to_do)
    assert "## Acknowledged" in page
    assert bob not in page


async def test_each_decision_is_taken_back_by_a_form_that_knows_the_person(here):
    ada, bob = (here.sandbox.slack.add(name, "New", f"{name}@example.com")["id"] for name in ("ada", "bob"))
    here.refuse("bob@example.com")
    await imported(here)
    await decided(here, DecisionAction.NEVER, ada)
    await decided(here, DecisionAction.LEAVE_SO, bob)

    rows = [
        {**row, "name": "Ada New"} if row["Slack user"] == ada else row
        for row in decision_rows(here.runtime.store, here.workspace)
    ]
    steps = {step.words: step.values for step in steps_to_take_back(rows)}

    assert steps == {
        f"Take back what was decided about {ada} (Ada New): never this person": {
            "action": DecisionAction.TAKE_BACK,
            "slack_ids": [ada],
        },
        f"Take back what was decided about {bob}: leave it so": {
            "action": DecisionAction.NO_LONGER_SO,
            "slack_ids": [bob],
        },
    }
    many = [{**rows[0], "Slack user": f"U{number:09}"} for number in range(12)]
    assert "Take back one of 2 older decisions: give the Slack id" in [step.words for step in steps_to_take_back(many)]


@pytest.mark.long
async def test_who_fails_for_two_reasons_is_acknowledged_for_both(here):
    ada = here.sandbox.slack.add("Ada", "New", "ada@example.com")["id"]
    here.refuse("ada@example.com")
    night = concluded(partial(imported, here))
    await night()
    await decided(here, DecisionAction.LEAVE_SO, ada)
    here.refuse("ada@example.com", "no such branch")
    await night()
    await decided(here, DecisionAction.LEAVE_SO, ada)
    second = await night()
    here.refuse("ada@example.com")
    first_again = await night()

    assert [second.name, first_again.name] == ["Completed", "Completed"]

    await decided(here, DecisionAction.TAKE_BACK, ada)
    assert (await night()).name == "PartlyFailed"


def join_with_two_accounts(here: World, number: int) -> None:
    """Let somebody join of whom nobody can tell which of two accounts is theirs."""
    address = f"twin{number}@example.com"
    here.sandbox.slack.add(f"Twin {number}", "Lovelace", address)
    for place in ("a", "b"):
        here.sandbox.docebo.accounts.add(f"twin-{number}-{place}", email=address)


@pytest.mark.long
async def test_who_failed_in_the_first_part_of_a_plan_is_acknowledged_before_everybody_was_imported(here):
    ada = here.sandbox.slack.add("Ada", "New", "ada@example.com")["id"]
    here.refuse("ada@example.com")
    planned, alone = await imported(here, dry_run=True), PartChoice((ada,))
    _, of = find_part(here.runtime.store, planned.plan.id, alone)
    part = take_part(here.runtime, planned.plan.id, alone, confirm=f"1 of {of}")
    done = await apply_saved(here.runtime, part, lambda _: None)

    told = await decided(here, DecisionAction.LEAVE_SO, ada)

    assert done.failed == 1
    assert told.startswith("1 person is acknowledged")


async def test_a_form_for_all_who_wait_leaves_nobody_so_who_came_since_it_was_filled_in(here):
    join_with_two_accounts(here, 1)
    waited = (await imported(here)).undecided
    join_with_two_accounts(here, 2)
    await imported(here)

    with pytest.raises(NotConfirmed, match=f"type their number, {waited + 1}; nothing was kept"):
        await all_who_wait_are_left_so(here, confirm=waited)

    assert len(status(here.runtime).undecided) == waited + 1


async def test_who_was_left_so_before_stays_so_by_whom_and_why_when_all_who_wait_are(here):
    join_with_two_accounts(here, 1)
    await imported(here)
    [twin] = [user["id"] for user in here.sandbox.slack if user["profile"].get("email") == "twin1@example.com"]
    await decided(here, DecisionAction.LEAVE_SO, twin, why="ticket 4711", by="Carol")

    with suppress(ConfigurationError):  # where nobody else waits
        await all_who_wait_are_left_so(here)

    rows = decision_rows(here.runtime.store, here.workspace)
    assert [(row["why"], row["by"]) for row in rows if row["Slack user"] == twin] == [("ticket 4711", "Carol")]


@pytest.mark.long
@pytest.mark.parametrize("action", [DecisionAction.NEVER, DecisionAction.LINK])
async def test_about_whom_somebody_has_decided_waits_no_longer_when_all_who_wait_are_seen(here, action):
    join_with_two_accounts(here, 1)
    await imported(here)
    [twin] = [user["id"] for user in here.sandbox.slack if user["profile"].get("email") == "twin1@example.com"]
    [first, _] = here.sandbox.docebo.accounts.by_email("twin1@example.com")
    waiting = len(status(here.runtime).undecided)

    await decided(here, action, twin, docebo_id=first.user_id if action is DecisionAction.LINK else 0)
    assert len(status(here.runtime).undecided) == waiting - 1
    with suppress(ConfigurationError):  # where nobody else waits
        await all_who_wait_are_left_so(here)

    with here.runtime.store.reading() as tables:
        verdict = tables.decisions.binding(here.workspace.team)[twin].verdict
    assert verdict is (Verdict.NEVER if action is DecisionAction.NEVER else Verdict.LINKED)


async def test_who_is_decided_about_under_the_id_of_the_organisation_waits_no_longer_under_the_other(here):
    docebo, team, now = here.runtime.settings.docebo_url, here.workspace.team, here.runtime.now()
    with here.runtime.store.transaction() as tables:
        tables.people.register(team, ["U0LOCAL"], now=now)
        tables.people.note_ids(team, {"W0GRID": "U0LOCAL"})
        waits = {"U0LOCAL": Standing("several accounts match: 1, 2", None)}
        tables.standings.replace(docebo, team, waits, plan_id="", now=now)

    await decided(here, DecisionAction.NEVER, "W0GRID")

    with here.runtime.store.reading() as tables:
        assert tables.standings.of(docebo, team, ["U0LOCAL"]) == {}


async def test_a_night_in_which_the_forty_of_yesterday_are_seen_is_green_and_one_more_is_not(here):
    for number in range(40):
        join_with_two_accounts(here, number)
    night = concluded(partial(imported, here))

    first = await night()
    as_yesterday = await night()
    await all_who_wait_are_left_so(here)
    seen = await night()
    join_with_two_accounts(here, 40)
    one_more = await night()
    the_next = await night()

    names = [state.name for state in (first, as_yesterday, seen, one_more, the_next)]
    assert names == ["Undecided", "Completed", "Completed", "Undecided", "Completed"]
    assert "1 of them waiting for somebody's decision" in one_more.message
    assert len(status(here.runtime).undecided) == 1  # told once, and shown until it is settled


@pytest.mark.long
async def test_a_person_is_linked_to_an_account_that_nothing_would_have_found(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    other = here.sandbox.docebo.accounts.add("countess", firstname="A", lastname="L", email="countess@example.com")
    before = len(here.sandbox.docebo.accounts)

    await decided(here, DecisionAction.LINK, ada, docebo_id=other.user_id)
    planned = await imported(here, dry_run=True)
    await carry_out(here.runtime, planned.plan.id)

    assert account_of(here, ada) == other.user_id
    assert other.firstname == "Ada"
    assert len(here.sandbox.docebo.accounts) == before + planned.count(Kind.CREATE)


@pytest.mark.long
async def test_a_disputed_account_that_somebody_links_is_brought_in_line(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await imported(here)
    account = here.sandbox.docebo.accounts[account_of(here, ada)]
    here.sandbox.docebo.edit(account.user_id, STRANGER)
    await imported(here)
    assert account.firstname == "Zed"  # left alone: it may be somebody else's by now

    await decided(here, DecisionAction.LINK, ada, docebo_id=account.user_id)
    await imported(here)

    assert (account.firstname, account.email) == ("Ada", "ada@example.com")


async def test_an_account_that_is_handed_over_after_it_was_linked_and_before_any_run_is_left_alone(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await imported(here)
    other = here.sandbox.docebo.accounts.add("countess", firstname="A", lastname="L", email="countess@example.com")
    await decided(here, DecisionAction.LINK, ada, docebo_id=other.user_id)
    here.sandbox.docebo.edit(other.user_id, STRANGER)

    await imported(here)

    assert (other.firstname, other.email) == ("Zed", "zed@example.com")


async def test_a_linked_account_that_an_undo_alone_has_seen_is_left_alone_once_it_is_somebody_elses(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await imported(here)
    here.sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
    planned = await imported(here)
    other = here.sandbox.docebo.accounts.add("countess", firstname="A", lastname="L", email="countess@example.com")
    await decided(here, DecisionAction.LINK, ada, docebo_id=other.user_id)
    await apply_saved(here.runtime, plan_undo(here.runtime, planned.plan.id), lambda _: None)

    here.sandbox.docebo.edit(other.user_id, STRANGER)
    await imported(here)

    assert (other.firstname, other.email) == ("Zed", "zed@example.com")


async def test_who_was_linked_to_another_account_and_is_forgotten_does_not_come_back_by_the_address_of_the_former(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    docebo = here.sandbox.docebo.accounts
    docebo.add("ada@example.com", firstname="Ada", lastname="Lovelace", email="ada@example.com")
    other = docebo.add("countess", firstname="A", lastname="L", email="countess@example.com")
    await imported(here)
    await decided(here, DecisionAction.LINK, ada, docebo_id=other.user_id)

    forget(here.runtime.store, here.runtime.settings.report_dir, ada)
    here.sandbox.slack.deactivate(ada)
    again = here.sandbox.slack.add("Ada", "Byron", "ada@example.com")["id"]
    await imported(here)

    assert again not in mapped(here.runtime.settings.database_url.get_secret_value(), here.workspace.team)
    assert [one.lastname for one in docebo.by_email("ada@example.com")] == ["Lovelace"]


@pytest.mark.long
async def test_who_is_linked_to_an_account_that_we_have_shut_has_it_open_again(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await imported(here)
    account = here.sandbox.docebo.accounts[account_of(here, ada)]
    here.sandbox.slack.deactivate(ada)
    await imported(here)
    assert not account.active

    here.sandbox.slack.reactivate(ada)
    await decided(here, DecisionAction.LINK, ada, docebo_id=account.user_id)
    await imported(here)

    assert account.active


def join_grid(here: World, slack_id: str) -> str:
    """Give the person an id of the organisation, and return it."""
    of_organisation, teams = f"W9{slack_id[2:]}", ["T0HOME", here.workspace.team]
    enterprise = {"id": of_organisation, "enterprise_id": "E0GRID", "teams": teams}
    here.sandbox.slack.change(slack_id, {"team_id": "T0HOME", "enterprise_user": enterprise})
    return of_organisation


@pytest.mark.parametrize("by_event", [False, True])
@pytest.mark.variants(1)
async def test_who_is_never_to_be_touched_stays_so_under_the_id_of_the_organisation(here, by_event):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await decided(here, DecisionAction.NEVER, ada)
    await imported(here)
    join_grid(here, ada)

    if by_event:
        here.put(here.event(ada))
        await here.serve()
    else:
        await imported(here)

    assert here.sandbox.docebo.accounts.by_email("ada@example.com") == []


@pytest.mark.parametrize("names_the_new_id", [False, True])
@pytest.mark.long
async def test_who_was_mapped_before_the_company_joined_grid_is_linked_to_another_account(here, names_the_new_id):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await imported(here)
    other = here.sandbox.docebo.accounts.add("countess", firstname="A", lastname="L", email="countess@example.com")
    of_organisation = join_grid(here, ada)

    await decided(here, DecisionAction.LINK, of_organisation if names_the_new_id else ada, docebo_id=other.user_id)
    await imported(here)

    assert account_of(here, of_organisation) == other.user_id
    assert other.firstname == "Ada"


@pytest.mark.long
async def test_of_an_administrators_account_that_is_linked_nobody_is_told_that_it_will_change(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    admin = here.sandbox.docebo.accounts.add("countess", email="countess@example.com", level="godadmin")

    told = await decided(here, DecisionAction.LINK, ada, docebo_id=admin.user_id)
    await imported(here)

    assert told.endswith("it stays as it is: administrator account, never touched")
    assert (account_of(here, ada), admin.email) == (admin.user_id, "countess@example.com")


@pytest.mark.parametrize(
    ("action", "more", "told"),
    [
        (DecisionAction.NEVER, {}, "say about whom"),
        (DecisionAction.NEVER, {"all_who_wait": True}, "say about whom"),
        (DecisionAction.LEAVE_SO, {}, "say about whom"),
        (DecisionAction.LEAVE_SO, {"slack_ids": ("U1",), "all_who_wait": True}, "say about whom"),
        (DecisionAction.NEVER, {"slack_ids": ("U1",), "why": " "}, "say who you are, and why"),
        (DecisionAction.NEVER, {"slack_ids": ("UNOBODY",)}, "nobody is known by UNOBODY, here or in Slack"),
        (
            DecisionAction.LEAVE_SO,
            {"slack_ids": ("U1",)},
            "neither wait for a decision nor have failed, by the last import or since; .*: U1",
        ),
        (DecisionAction.LEAVE_SO, {"all_who_wait": True}, "nobody waits for a decision"),
        (DecisionAction.LINK, {"slack_ids": ("U1", "U2"), "docebo_id": 7}, "give one Slack id"),
        (DecisionAction.LINK, {"slack_ids": ("UNOBODY",), "docebo_id": 7}, "Slack does not show a person UNOBODY"),
        (DecisionAction.TAKE_BACK, {"slack_ids": ("U1",)}, "nothing was decided about these people"),
        (DecisionAction.NO_LONGER_SO, {"slack_ids": ("U1",)}, "nothing was acknowledged about these people"),
    ],
)
async def test_what_says_too_little_or_cannot_be_is_refused(here, action, more, told):
    words = {"why": "agreed", "by": "Bob", "slack_ids": (), **more}

    with pytest.raises(ConfigurationError, match=told):
        await decide(here.runtime, here.workspace, DecisionRequest(action, **words))


async def test_an_account_that_is_somebodys_or_not_there_is_not_linked(here):
    ada, bob = (here.sandbox.slack.add(name, "New", f"{name}@example.com")["id"] for name in ("ada", "bob"))
    await imported(here)

    with pytest.raises(ConfigurationError, match=f"is mapped to {ada}"):
        await decided(here, DecisionAction.LINK, bob, docebo_id=account_of(here, ada))
    with pytest.raises(ConfigurationError, match="does not show an account 987654"):
        await decided(here, DecisionAction.LINK, bob, docebo_id=987654)


@pytest.mark.long
async def test_who_was_linked_by_hand_stays_so_when_somebody_acknowledges_that_the_account_is_disputed(here):
    ada, account = await linked_and_disputed(here)
    await decided(here, DecisionAction.LEAVE_SO, ada, why="ticket 4711", by="Carol")

    rows = decision_rows(here.runtime.store, here.workspace)
    told = [answer for what, answer in (await explain(here.runtime, ada)).lines if what == "Decided by hand"]
    assert [(row["decided"], row["Docebo user"], row["why"], row["by"]) for row in rows] == [
        ("this account", account, "agreed with Ann", "Bob"),
        ("leave it so", None, "ticket 4711", "Carol"),
    ]
    assert [one.partition(",")[0] for one in told] == ["this account", "leave it so"]
    seen = await imported(here)

    await decided(here, DecisionAction.NO_LONGER_SO, ada)
    assert [row["decided"] for row in decision_rows(here.runtime.store, here.workspace)] == ["this account"]
    assert (await imported(here)).undecided == seen.undecided + 1


@pytest.mark.long
async def test_who_is_never_to_be_touched_stays_so_whatever_is_acknowledged_and_taken_back(here):
    ada = here.sandbox.slack.add("Ada", "New", "ada@example.com")["id"]
    here.refuse("ada@example.com")
    await imported(here)
    await decided(here, DecisionAction.NEVER, ada)
    await decided(here, DecisionAction.LEAVE_SO, ada)
    here.sandbox.docebo_gate.faults.clear()

    acknowledged = await imported(here)
    await decided(here, DecisionAction.NO_LONGER_SO, ada)
    taken_back = await imported(here)

    for summary in (acknowledged, taken_back):
        assert sum(people for kind, reason, _, people in summary.tally if (kind, reason) == (Kind.LEAVE, NEVER)) == 1
    assert here.sandbox.docebo.accounts.by_email("ada@example.com") == []


async def linked_and_disputed(here: World) -> tuple[str, int]:
    """Return somebody who was linked by hand to an account that may be somebody else's by now; and the account."""
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    account = here.sandbox.docebo.accounts.add("countess", firstname="A", lastname="L", email="countess@example.com")
    await decided(here, DecisionAction.LINK, ada, docebo_id=account.user_id)
    await imported(here)
    here.sandbox.docebo.edit(account.user_id, STRANGER)
    await imported(here)
    return ada, account.user_id


@pytest.mark.long
async def test_who_is_forgotten_is_in_no_decision_any_more(here):
    ada, account = await linked_and_disputed(here)
    await decided(here, DecisionAction.LEAVE_SO, ada)
    with here.runtime.store.reading() as tables:
        given_out = rows_about(tables.connection, [ada])

    gone = forget(here.runtime.store, here.runtime.settings.report_dir, ada)

    assert [row["docebo_id"] for row in given_out["decision"]] == [account]
    assert [row["why"] for row in given_out["acknowledgement"]] == ["agreed with Ann"]
    assert "2 decisions by hand" in gone.lines
    assert decision_rows(here.runtime.store, here.workspace) == []


async def test_about_who_is_forgotten_nothing_is_decided(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await here.settle([ada])
    forget(here.runtime.store, here.runtime.settings.report_dir, ada)

    with pytest.raises(ConfigurationError, match=f"forgotten on request, so no run looks at {ada}"):
        await decided(here, DecisionAction.NEVER, ada)

    with here.runtime.store.reading() as tables:
        assert rows_about(tables.connection, [ada]).keys().isdisjoint({"decision", "identity"})


@pytest.mark.long
async def test_who_is_forgotten_is_named_in_no_decision_about_somebody_else(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await imported(here)
    here.sandbox.slack.deactivate(ada)
    returned = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await imported(here)
    await decided(here, DecisionAction.LEAVE_SO, returned, why=f"she was {ada}")

    forget(here.runtime.store, here.runtime.settings.report_dir, ada)

    with here.runtime.store.reading() as tables:
        kept = tables.decisions.acknowledged(here.workspace.team)[returned]
    assert ada not in " ".join(kept.reasons) + kept.why
    assert "returned under a new Slack id" in kept.reasons[0]
