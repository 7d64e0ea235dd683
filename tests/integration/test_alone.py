"""A person on whom anything at all fails is tried again and parked alone; the others of the round are served."""

from datetime import UTC, datetime

import pytest

from slack_docebo.domain.planner import Planner
from slack_docebo.engine.realtime import rounds
from slack_docebo.errors import AccessDenied, ContractViolation, IncompleteRead, PlanChanged, StorageConflict
from slack_docebo.storage.events import EventState
from slack_docebo.storage.reads import ProvenRead
from tests.between import Call, between
from tests.firewall import POISON, firewall
from tests.integration.realtime_world import World, replaced, world

TITLES = {"ATTRIBUTES": "first_name, last_name, email, field_13 = title"}


def joined(here: World, *names: str):
    """The events of people who join under these names."""
    people = [here.sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")["id"] for name in names]
    events = [here.event(slack_id, kind="team_join") for slack_id in people]
    here.put(*events)
    return events


async def test_a_round_that_lasts_too_long_leaves_who_is_left_to_the_next(here, monkeypatch):
    monkeypatch.setattr(rounds, "LONGEST_SECONDS", 0.0)
    people = [here.sandbox.slack.add(name, "Lovelace", f"{name}@example.com")["id"] for name in ("ada", "bea", "cid")]
    events = [here.event(slack_id, bare=True) for slack_id in people]
    here.put(*events)

    served = await here.serve()

    assert (served.rounds, served.events) == (3, 3)
    assert {here.state(event) for event in events} == {EventState.APPLIED}


@pytest.mark.long
@pytest.mark.parametrize("status", [400, 403, 406])
async def test_whom_docebo_does_not_let_us_search_for_is_parked_alone(shared_sandbox, sqlite_url, tmp_path, status):
    shared_sandbox.reset()
    with firewall(shared_sandbox.docebo_url, status, b"ada%40example.com", b"bea%40example.com") as url:
        async with world(shared_sandbox, sqlite_url, tmp_path, addresses={"DOCEBO_URL": url}) as here:
            events = joined(here, "ada", "bea", "cid", "dan")

            await here.serve()

            parked, applied = EventState.PARKED, EventState.APPLIED
            assert [here.state(event) for event in events] == [parked, parked, applied, applied]


@pytest.mark.parametrize("lacking", ["deleted", "profile", "address"])
@pytest.mark.variants(1)
async def test_of_whom_slacks_answer_does_not_say_who_and_whether_active_is_tried_again(
    shared_sandbox, sqlite_url, tmp_path, lacking
):
    shared_sandbox.reset()
    ada = shared_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    answers = []

    def silent(call: Call, answer):
        if "users.info" in call.path:
            if not answers:
                of = answer["user"]["profile"] if lacking == "address" else answer["user"]
                del of["email" if lacking == "address" else lacking]
            answers.append(answer)
        return answer

    with between(shared_sandbox.slack_url.removesuffix("/api/"), changed=silent) as url:
        async with world(shared_sandbox, sqlite_url, tmp_path, addresses={"SLACK_API_URL": f"{url}/api/"}) as here:
            event = here.event(ada, updated=0)  # without a stamp, so that Slack is asked
            here.put(event)

            await here.serve()

            assert (here.state(event), len(answers)) == (EventState.APPLIED, 2)
            assert here.account(ada).email == "ada@example.com"


async def test_whom_slack_does_not_let_us_read_is_parked_alone(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    ada, *others = (shared_sandbox.slack.add(n, "Lovelace", f"{n}@example.com")["id"] for n in ("ada", "bea", "cid"))
    with firewall(shared_sandbox.slack_url.removesuffix("/api/"), 403, ada.encode()) as url:
        async with world(shared_sandbox, sqlite_url, tmp_path, addresses={"SLACK_API_URL": f"{url}/api/"}) as here:
            events = [here.event(slack_id, bare=True) for slack_id in (ada, *others)]
            here.put(*events)

            await here.serve()

            assert [here.state(event) for event in events] == [EventState.PARKED] + [EventState.APPLIED] * 2


@pytest.mark.long
async def test_people_whose_rows_docebo_refuses_with_403_keep_no_event_waiting(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    with firewall(shared_sandbox.docebo_url, 403) as url:
        async with world(shared_sandbox, sqlite_url, tmp_path, addresses={"DOCEBO_URL": url}, **TITLES) as here:
            events = joined(here, "ada", "bea", "cid")
            for event in events[:2]:
                shared_sandbox.slack.change(event.slack_id, {"profile": {"title": POISON}})
            poisoned = [here.event(event.slack_id) for event in events[:2]]
            here.put(*poisoned)

            await here.serve()

            assert [here.state(event) for event in poisoned] == [EventState.PARKED] * 2
            assert here.state(events[2]) is EventState.APPLIED


async def test_a_grant_that_is_refused_altogether_costs_nobody_an_attempt(here):
    events = joined(here, "ada")
    here.sandbox.docebo_gate.faults.add("*", "token_expired", times=-1)

    with pytest.raises(AccessDenied):
        await here.serve()

    assert [(here.state(event), here.entry(event).attempts) for event in events] == [(EventState.WAITING, 0)]


@pytest.mark.parametrize(
    "fault",
    [KeyError("ada@x"), ContractViolation("user"), IncompleteRead("a"), StorageConflict("a"), PlanChanged("a")],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.variants(1)
async def test_for_whom_no_plan_can_be_made_is_parked_alone(here, monkeypatch, fault):
    events = joined(here, "ada", "bea", "cid", "dan", "eve")
    plan = Planner.plan

    def failing(planner, user, *rest, **named):
        if user.slack_id == events[1].slack_id:
            raise fault
        return plan(planner, user, *rest, **named)

    monkeypatch.setattr(Planner, "plan", failing)
    await here.serve()

    assert [here.state(event) for event in events].count(EventState.APPLIED) == 4
    parked = here.entry(events[1])
    assert parked.state is EventState.PARKED
    assert "ada@x" not in parked.error


async def test_where_docebos_list_cannot_be_read_people_are_looked_up_one_by_one(here):
    with here.runtime.store.transaction() as tables:
        source = f"docebo:{here.runtime.settings.docebo_url}"
        tables.reads.record(ProvenRead(source, 900, 5, datetime.now(UTC)))
    events = joined(here, *"abcdefgh")

    await here.serve()

    assert {here.state(event) for event in events} == {EventState.APPLIED}


async def test_an_event_with_a_profile_that_describes_nobody_is_read_from_slack(here):
    [event] = joined(here, "ada")
    here.sandbox.slack.change(event.slack_id, {"profile": {"title": "Countess"}})
    broken = replaced(here.event(event.slack_id), event_id="EvBroken")
    here.put(type(broken)(**{name: getattr(broken, name) for name in broken.__slots__} | {"profile": {"handle": "a"}}))

    await here.serve()

    assert here.state(broken) is EventState.APPLIED
    assert here.account(event.slack_id).username == "ada@example.com"


async def test_one_person_under_two_ids_in_a_round_is_one_case(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    known = here.event(ada["id"])
    here.sandbox.slack.change(ada["id"], {"enterprise_user": {"id": "W0ADA", "enterprise_id": "E1"}})
    local = replaced(here.event(ada["id"], bare=True), slack_id=ada["id"])
    organisation = here.event(ada["id"])
    organisation = replaced(organisation, slack_id="W0ADA", event_id="EvW")
    here.refuse("ada@example.com")
    here.put(known, local, organisation)

    await here.serve()

    assert {here.state(event) for event in (known, local, organisation)} <= {EventState.PARKED, EventState.SUPERSEDED}
    assert here.state(organisation) is EventState.PARKED


@pytest.mark.long
async def test_one_person_whose_events_are_of_before_and_after_grid_gets_one_account_of_the_newest_data(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    before = here.event(ada["id"])
    grid = {"id": "W0ADA", "enterprise_id": "E1", "teams": [here.workspace.team]}
    here.sandbox.slack.change(ada["id"], {"enterprise_user": grid, "profile": {"email": "king@example.com"}})
    after = replaced(here.event(ada["id"]), slack_id="W0ADA", event_id="EvW")
    here.put(before, after)

    await here.serve()

    assert {here.state(event) for event in (before, after)} == {EventState.APPLIED}
    made = [account for account in here.sandbox.docebo.accounts if account.provisioned_by]
    assert [account.email for account in made] == ["king@example.com"]


async def test_of_two_with_one_address_in_a_round_one_gets_an_account_whoever_comes_first(here):
    people = [here.sandbox.slack.add("Ada", name, "ada@example.com")["id"] for name in ("Lovelace", "King")]
    here.put(*(here.event(slack_id) for slack_id in sorted(people, reverse=True)))

    served = await here.serve()

    assert served.line == "2 events: 1 created, 1 left alone, 1 of them waiting for somebody's decision"
    assert here.docebo_id(min(people))


@pytest.mark.long
async def test_who_waits_for_another_with_the_same_address_is_not_done_with_before_that_one(here):
    one = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    other = here.sandbox.slack.add("Ada", "Again", "ada@example.com")
    events = [here.event(one["id"]), here.event(other["id"])]
    here.refuse("ada@example.com")
    here.put(*events)

    await here.serve()

    assert [here.state(event) for event in events] == [EventState.PARKED] * 2


async def test_the_line_of_a_round_says_what_became_of_each_event(here):
    for username in ("ada@example.com", "ada2"):
        here.sandbox.docebo.accounts.add(username, firstname="A", lastname="B", email="ada@example.com")
    [event] = joined(here, "ada")

    first = await here.serve()
    here.put(replaced(event, event_id="EvAgain", updated=event.updated + 1))
    again = await here.serve()

    assert first.line == "1 event: 1 left alone, 1 of them waiting for somebody's decision"
    assert again.line == "1 event: 1 in line"
