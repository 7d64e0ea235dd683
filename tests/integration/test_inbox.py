from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slack_docebo.storage.events import Event, EventState
from slack_docebo.storage.inbox import LEASE
from slack_docebo.storage.shares import INTERVAL
from slack_docebo.storage.wake_ups import WakeUp

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def tables(store):
    with store.transaction() as lent:
        yield lent


@pytest.fixture
def inbox(tables):
    return tables.inbox


@pytest.fixture
def wake_ups(tables):
    return tables.wake_ups


def event(number: int = 1, **changes) -> Event:
    made = Event(
        f"Ev{number}",
        "T1",
        f"U{number}",
        updated=100 + number,
        kind="user_change",
        received_at=NOW,
        profile={"email": "ada@example.com"},
    )
    return replace(made, **changes)


def ids(entries) -> list[str]:
    return [entry.event.event_id for entry in entries]


def test_what_is_put_is_claimed_as_it_was(inbox):
    inbox.put([event()])

    assert inbox.claim("run", 10, NOW)[0].event == event()


def test_an_event_id_is_stored_once(inbox):
    assert inbox.put([event(), event(2)]) == 2
    assert inbox.put([event(), event(3)]) == 1
    assert inbox.status().waiting == 3


@pytest.mark.parametrize(
    "shown",
    [
        {"email": "Ada@xn--bcher-kva.example"},
        {"email": "ada.l@example.com", "local_id": "U1"},
    ],
    ids=["the address written otherwise", "the id of before the company joined an organisation"],
)
def test_an_event_of_somebody_forgotten_is_not_stored_under_whatever_name_it_comes(tables, inbox, shown):
    tables.exclusions.add(["U1", "ada@bücher.example"], now=NOW)

    assert inbox.put([event(2, slack_id="W0ADA", profile=shown)]) == 0
    assert inbox.put([event(3)]) == 1


def test_an_event_id_that_comes_twice_at_once_is_stored_once(inbox):
    assert inbox.put([event(), event()]) == 1


def test_nothing_is_put_without_events(inbox, wake_ups):
    assert inbox.put([]) == 0
    assert not wake_ups.is_wanted(WakeUp.REALTIME_SYNC)


def test_an_event_of_a_machine_whose_clock_is_ahead_can_be_claimed_at_once(inbox):
    inbox.put([event(received_at=NOW + timedelta(hours=1))])

    assert ids(inbox.claim("run", 10, NOW)) == ["Ev1"]


def test_the_oldest_are_claimed_first(inbox):
    inbox.put([event(1, received_at=LATER), event(2), event(3)])

    assert ids(inbox.claim("run", 2, LATER)) == ["Ev2", "Ev3"]


def test_what_is_claimed_is_not_claimed_again_before_the_lease_has_ended(inbox):
    inbox.put([event()])
    inbox.claim("dead", 10, NOW)

    assert inbox.claim("run", 10, NOW + LEASE - timedelta(seconds=1)) == []
    assert ids(inbox.claim("run", 10, NOW + LEASE)) == ["Ev1"]


@pytest.mark.parametrize(("run", "freed"), [(None, 2), ("one", 1)])
def test_claims_can_be_given_up(inbox, run, freed):
    inbox.put([event(1), event(2)])
    inbox.claim("one", 1, NOW)
    inbox.claim("other", 1, NOW)

    assert inbox.release(run=run) == freed
    assert inbox.claimed() == 2 - freed
    assert len(inbox.claim("next", 10, NOW)) == freed


@pytest.mark.parametrize("outcome", [EventState.APPLIED, EventState.SUPERSEDED])
def test_what_is_finished_is_not_claimed_again(inbox, outcome):
    inbox.put([event()])
    inbox.claim("run", 10, NOW)

    assert inbox.finish(["Ev1"], outcome, NOW, run="run") == 1
    assert inbox.finish(["Ev1"], outcome, NOW, run="run") == 0
    assert inbox.claim("run", 10, NOW + LEASE) == []
    assert inbox.get("Ev1").state is outcome


def test_what_failed_waits_until_its_time_with_its_error(inbox):
    inbox.put([event()])
    inbox.claim("run", 10, NOW)
    inbox.retry_later(["Ev1"], "Docebo refused it", LATER, run="run")

    assert inbox.claim("run", 10, NOW) == []
    (again,) = inbox.claim("run", 10, LATER)
    assert (again.attempts, again.error) == (1, "Docebo refused it")


def test_what_is_parked_stays_until_it_is_replayed(inbox, wake_ups):
    inbox.put([event(1), event(2)])
    inbox.park(["Ev1", "Ev2"], "no", NOW, run="")

    assert inbox.claim("run", 10, NOW + LEASE) == []
    assert inbox.status().parked == 2
    assert ids(inbox.oldest(10, EventState.PARKED)) == ["Ev1", "Ev2"]
    assert inbox.replay(["Ev2"], NOW) == 1
    assert wake_ups.is_wanted(WakeUp.REALTIME_SYNC)
    (again,) = inbox.claim("run", 10, NOW)
    assert (again.event.event_id, again.attempts) == ("Ev2", 0)
    assert inbox.replay(None, NOW) == 1


def test_what_another_run_has_finished_is_not_parked_by_a_late_one(inbox):
    inbox.put([event()])
    inbox.finish(["Ev1"], EventState.APPLIED, NOW, run="")

    assert inbox.park(["Ev1"], "late", NOW, run="") == inbox.retry_later(["Ev1"], "late", NOW, run="") == 0


def test_the_status_tells_how_long_the_oldest_has_been_waiting(inbox):
    assert inbox.status().oldest_received_at is None
    inbox.put([event(1, received_at=LATER), event(2), event(3)])
    inbox.finish(["Ev2"], EventState.APPLIED, NOW, run="")
    inbox.claim("run", 1, NOW)

    status = inbox.status()

    assert (status.waiting, status.oldest_received_at) == (2, NOW)


def test_only_what_was_done_long_ago_is_purged(inbox):
    inbox.put([event(number) for number in range(5)])
    inbox.finish(["Ev0"], EventState.APPLIED, NOW, run="")
    inbox.finish(["Ev1"], EventState.SUPERSEDED, NOW, run="")
    inbox.finish(["Ev2"], EventState.APPLIED, LATER, run="")
    inbox.park(["Ev3"], "no", NOW, run="")

    assert inbox.purge(LATER) == 2
    assert ids(inbox.oldest(10)) == ["Ev2", "Ev3", "Ev4"]


def test_what_was_applied_lately_can_be_looked_at_again(inbox, wake_ups):
    inbox.put([event(1), event(2), event(3)])
    inbox.finish(["Ev1"], EventState.APPLIED, NOW, run="")
    inbox.finish(["Ev2"], EventState.APPLIED, LATER, run="")
    inbox.finish(["Ev3"], EventState.SUPERSEDED, LATER, run="")
    assert inbox.claim("run", 10, LATER) == []

    assert inbox.look_again(["U1", "U2", "U3"], since=LATER, now=LATER) == 1
    assert wake_ups.is_wanted(WakeUp.REALTIME_SYNC)
    assert ids(inbox.claim("run", 10, LATER)) == ["Ev2"]


def test_one_person_is_forgotten_and_nobody_else(inbox):
    inbox.put([event(1), event(2, slack_id="U1"), event(3)])

    inbox.forget("U1")

    assert inbox.keep(["Ev1", "Ev2", "Ev3"]) == {"Ev3"}
    assert ids(inbox.oldest(10)) == ["Ev3"]


def test_who_bears_an_address_is_found_by_it_in_any_case(inbox):
    inbox.put(
        [
            event(1, slack_id="U1", profile={"email": "Ada@example.com"}),
            event(2, slack_id="U2", profile={"email": "bob@example.com", "title": "ada@example.com"}),
            event(3, slack_id="U3", profile=None),
        ]
    )

    assert inbox.bearers("aDA@example.com") == {"U1"}
    assert inbox.bearers("%@example.com") == set()


def test_the_newest_applied_profile_of_a_person_is_known(inbox):
    inbox.put([event(number, slack_id="U1", profile={"handle": str(number)}) for number in range(4)])
    inbox.finish(["Ev0", "Ev1", "Ev2"], EventState.APPLIED, NOW, run="")

    assert inbox.last_applied(["U1", "U2"]) == {"U1": {"handle": "2"}}


def test_an_event_without_profile_is_one_without_profile(inbox):
    inbox.put([event(profile=None)])
    inbox.finish(["Ev1"], EventState.APPLIED, NOW, run="")

    assert inbox.get("Ev1").event.profile is None
    assert inbox.last_applied(["U1"]) == {}


def test_an_unknown_event_is_none(inbox):
    assert inbox.get("Ev9") is None


PATIENCE = timedelta(seconds=30)


def test_a_wake_up_is_asked_for_once_in_a_while(inbox, wake_ups):
    assert not wake_ups.may_ask(NOW, patience=PATIENCE)
    inbox.put([event()])

    assert wake_ups.may_ask(NOW, patience=PATIENCE)
    assert not wake_ups.may_ask(NOW + PATIENCE - timedelta(seconds=1), patience=PATIENCE)
    assert wake_ups.may_ask(NOW + PATIENCE, patience=PATIENCE)


def test_who_could_not_ask_gives_the_turn_back(inbox, wake_ups):
    inbox.put([event()])
    wake_ups.may_ask(NOW, patience=PATIENCE)
    wake_ups.not_asked()

    assert wake_ups.may_ask(NOW, patience=PATIENCE)


def test_nobody_asks_while_a_run_says_it_is_at_work(inbox, wake_ups):
    inbox.put([event()])
    wake_ups.quiet(LATER)

    assert not wake_ups.may_ask(NOW, patience=PATIENCE)
    assert wake_ups.may_ask(LATER, patience=PATIENCE)


def test_a_clock_set_back_keeps_nobody_from_asking_for_a_run(inbox, wake_ups):
    ahead = NOW + timedelta(days=1)
    inbox.put([event()])
    wake_ups.want(WakeUp.RECONCILIATION, ahead)
    wake_ups.note_asked(WakeUp.RECONCILIATION, ahead)
    wake_ups.want(WakeUp.RECONCILIATION, NOW)
    assert wake_ups.may_ask(ahead, patience=PATIENCE)
    wake_ups.quiet(ahead + PATIENCE)  # and the run that was at work is killed

    assert wake_ups.may_ask(NOW, patience=PATIENCE)
    assert wake_ups.is_due(WakeUp.RECONCILIATION, NOW, pause=timedelta(minutes=10))

    inbox.claim("run", 10, NOW)
    inbox.retry_later(["Ev1"], "no answer", LATER, run="run")
    wake_ups.want_no_run()
    assert inbox.is_due_without_a_run(LATER)


def test_nobody_asks_once_a_run_has_found_nothing_left(inbox, wake_ups):
    inbox.put([event()])
    inbox.claim("run", 10, NOW)
    assert wake_ups.may_ask(NOW, patience=timedelta(0))
    assert inbox.claim("run", 10, NOW) == []

    assert not wake_ups.may_ask(NOW, patience=PATIENCE)
    inbox.put([event(2)])
    assert wake_ups.may_ask(NOW, patience=PATIENCE)


def test_a_further_attempt_that_falls_due_is_seen_while_no_run_is_at_work_or_wanted(inbox, wake_ups):
    inbox.put([event()])
    assert not inbox.is_due_without_a_run(NOW)  # a run is wanted already
    inbox.claim("run", 10, NOW)
    inbox.retry_later(["Ev1"], "no answer", LATER, run="run")
    assert inbox.claim("run", 10, NOW) == []

    wake_ups.quiet(LATER + timedelta(seconds=20))
    assert not inbox.is_due_without_a_run(LATER)  # the run is still at work, and sees it
    wake_ups.quiet(None)
    assert not inbox.is_due_without_a_run(NOW)
    assert inbox.is_due_without_a_run(LATER)


def test_nobody_is_woken_for_a_person_who_may_have_to_wait(store):
    with store.transaction() as tables:
        inbox = tables.inbox
        inbox.put([event()])
        inbox.claim("run", 10, NOW)
        inbox.retry_later(["Ev1"], "no answer", LATER, run="run")
        inbox.claim("run", 10, NOW)  # finds nothing: no run is wanted
        tables.shares.spend(["U1"], LATER)

        assert not inbox.is_due_without_a_run(LATER)
        assert inbox.is_due_without_a_run(LATER + timedelta(seconds=INTERVAL))


def test_a_reconciliation_is_wanted_until_it_is_asked_for_and_then_not_again_for_a_while(wake_ups):
    pause = timedelta(minutes=10)
    wake_ups.want(WakeUp.RECONCILIATION, NOW)
    assert wake_ups.is_due(WakeUp.RECONCILIATION, NOW, pause=pause)

    wake_ups.note_asked(WakeUp.RECONCILIATION, NOW)
    assert not wake_ups.is_due(WakeUp.RECONCILIATION, NOW + pause, pause=pause)

    wake_ups.want(WakeUp.RECONCILIATION, LATER)
    assert not wake_ups.is_due(WakeUp.RECONCILIATION, LATER, pause=pause)
    assert wake_ups.is_due(WakeUp.RECONCILIATION, NOW + pause, pause=pause)
    assert not wake_ups.is_wanted(WakeUp.REALTIME_SYNC)


def test_an_event_that_was_known_wakes_nobody_up(inbox, wake_ups):
    inbox.put([event()])
    inbox.finish(["Ev1"], EventState.APPLIED, NOW, run="")
    inbox.claim("run", 10, NOW)
    inbox.put([event()])

    assert not wake_ups.is_wanted(WakeUp.REALTIME_SYNC)


def test_two_runs_never_claim_the_same_event(store):
    with store.transaction() as tables:
        tables.inbox.put([event(number) for number in range(20)])
    claimed = []
    for run in ("one", "other"):
        with store.transaction() as tables:
            claimed += ids(tables.inbox.claim(run, 15, NOW))

    assert len(claimed) == len(set(claimed)) == 20


def test_an_event_is_one_about_the_person_under_whichever_of_three_ids(inbox, tables):
    tables.people.register("T1", ["U1"], now=NOW)
    tables.people.note_ids("T1", {"W1": "U1", "W2": "U1"})
    inbox.put([event()])
    inbox.finish(["Ev1"], EventState.APPLIED, LATER, run="")

    assert inbox.applied_since(NOW, "T1", ["U1", "W1", "W2", "U2"]) == {"U1", "W1", "W2"}
    assert inbox.applied_since(NOW, "T1", ["W1", "W2"]) == {"W1", "W2"}
