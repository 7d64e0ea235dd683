"""Parked events that somebody has chosen are tried anew or dropped; the others stay."""

from datetime import UTC, datetime

import pytest

from slack_docebo.domain.texts import number_of
from slack_docebo.engine.realtime.parked import (
    ParkedChoice,
    drop_parked,
    parked_steps,
    replay_parked,
    told_of_parked,
)
from slack_docebo.engine.realtime.upkeep import SHOWN
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.storage.events import Event, EventState
from slack_docebo.storage.store import Store

NOW = datetime(2026, 3, 4, tzinfo=UTC)
EVENTS = {
    name: Event(name, "T1", f"U{name}", updated=1, kind="user_change", received_at=NOW)
    for name in ("failed", "late", "held", "waiting")
}
PARKED = {"failed", "late", "held"}
ALL = ParkedChoice(everything=True)


@pytest.fixture
def inbox(store: Store) -> Store:
    with store.transaction() as tables:
        tables.inbox.put(list(EVENTS.values()))
        tables.inbox.park(["failed", "late"], "no room", NOW, run="")
        tables.inbox.claim("run", 10, NOW)
        tables.inbox.hold(["held"], "1incid3n", "over a limit", NOW, run="run")
        tables.inbox.release(run="run")
    return store


def in_state(store: Store, state: EventState) -> set[str]:
    with store.reading() as tables:
        return {entry.event.event_id for entry in tables.inbox.oldest(100, state)}


@pytest.mark.long
@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (ParkedChoice(event_ids=["late"]), {"late"}),
        (ParkedChoice(incident="1incid3n"), {"held"}),
        (ALL, PARKED),
    ],
    ids=["by id", "by incident", "all"],
)
def test_those_chosen_are_tried_anew_and_the_others_stay(inbox, choice, chosen):
    assert replay_parked(inbox, choice, NOW) == f"{number_of('event', len(chosen))} will be tried anew"

    assert in_state(inbox, EventState.PARKED) == PARKED - chosen
    assert in_state(inbox, EventState.WAITING) == chosen | {"waiting"}


def test_of_more_parked_events_than_a_table_shows_all_are_counted(inbox):
    assert told_of_parked(inbox) == "nothing was changed; parked: 3 events"

    many = [f"many{number}" for number in range(SHOWN)]
    with inbox.transaction() as tables:
        tables.inbox.put([Event(one, "T1", "U1", updated=1, kind="user_change", received_at=NOW) for one in many])
        tables.inbox.park(many, "no room", NOW, run="")

    assert told_of_parked(inbox) == "nothing was changed; parked: 503 events; the table shows the oldest 500"


def test_what_is_dropped_is_neither_tried_nor_taken_again(inbox):
    told = drop_parked(inbox, ParkedChoice(event_ids=["failed", "late"]), NOW, confirm=2)

    assert told.startswith("2 events dropped")
    assert in_state(inbox, EventState.PARKED) == {"held"}
    with inbox.transaction() as tables:
        assert tables.inbox.put([EVENTS["failed"]]) == 0
        assert tables.inbox.replay(None, NOW) == 1


@pytest.mark.parametrize("confirm", [0, 2, 4])
def test_nothing_is_dropped_without_their_number(inbox, confirm):
    with pytest.raises(NotConfirmed, match="type their number, 3"):
        drop_parked(inbox, ALL, NOW, confirm=confirm)

    assert in_state(inbox, EventState.PARKED) == PARKED


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (ParkedChoice(), "choose the parked events in one way"),
        (ParkedChoice(event_ids=["late"], everything=True), "choose the parked events in one way"),
        (ParkedChoice(event_ids=["late", "waiting"]), "these events are not parked, or no longer: waiting"),
        (ParkedChoice(incident="2other4"), "none of these events is parked"),
    ],
    ids=["nothing", "two ways", "one that is not parked", "an incident of nobody"],
)
def test_a_choice_that_is_not_clear_changes_nothing(inbox, choice, told):
    with pytest.raises(ConfigurationError, match=told):
        replay_parked(inbox, choice, NOW)

    assert in_state(inbox, EventState.PARKED) == PARKED


def test_what_is_parked_can_be_let_through_tried_anew_or_dropped(inbox):
    show, through, anew, drop = parked_steps(inbox)

    assert (show.flow, show.values) == ("bulk-import", {"plan_id": "1incid3n"})
    assert (through.flow, through.values) == ("realtime-sync", {"let_through": "1incid3n", "linger_seconds": 0})
    assert (anew.flow, anew.values) == ("parked-events", {"action": "replay", "everything": True})
    assert drop.words == "Drop them without doing anything: type 3"


def test_where_nothing_is_parked_there_is_nothing_to_do(inbox):
    with inbox.transaction() as tables:
        tables.inbox.replay(None, NOW)

    assert parked_steps(inbox) == []
