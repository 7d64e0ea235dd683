from datetime import UTC, datetime, timedelta

import pytest

from slack_docebo.domain.stamps import TOLERANCE, UNSTAMPED, believed
from slack_docebo.engine.realtime.merging import merge
from slack_docebo.storage.events import Event, EventState, InboxEntry

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECOND = int(NOW.timestamp())
TOO_FAR = int((NOW + TOLERANCE).timestamp()) + 1


@pytest.mark.parametrize("stamp", [1, SECOND, TOO_FAR - 1])
def test_a_stamp_as_far_ahead_as_clocks_differ_is_believed(stamp):
    assert believed(stamp, NOW) == stamp


@pytest.mark.parametrize("stamp", [0, -5, TOO_FAR, 2**63 - 1])
def test_a_stamp_that_is_missing_or_of_the_future_is_not_believed(stamp):
    assert believed(stamp, NOW) == UNSTAMPED


def entry(name: str, updated: int, *, after: int = 0, incident: str = "") -> InboxEntry:
    profile = {"slack_id": "U1", "team": "T1", "last_name": name}
    came = NOW + timedelta(seconds=after)
    return InboxEntry(
        Event(name, "T1", "U1", updated=updated, kind="user_change", received_at=came, profile=profile),
        EventState.CLAIMED,
        incident=incident,
    )


@pytest.mark.parametrize("stamp", [0, TOO_FAR + 60, 2**62])
@pytest.mark.parametrize("after", [-60, 60])
def test_of_events_one_of_which_has_no_stamp_that_can_be_believed_slack_knows_the_newest(stamp, after):
    [case], _ = merge([entry("stamped", SECOND), entry("unstamped", stamp, after=after)])

    assert case.doubtful
    assert case.updated in {SECOND, UNSTAMPED}


def test_of_stamped_events_the_newest_counts():
    [case], superseded = merge([entry("newer", SECOND), entry("older", SECOND - 1, after=60)])

    assert (case.event_ids, superseded, case.doubtful, case.updated) == (["newer"], ["older"], False, SECOND)


@pytest.mark.parametrize("incidents", [("1first", "2second"), ("2first", "1second")])
def test_who_was_held_back_twice_waits_with_the_incident_of_the_newer_event(incidents):
    first, second = incidents
    events = [
        entry("fine", SECOND),
        entry("left", SECOND - 1, incident=second),
        entry("named", SECOND - 2, incident=first),
    ]

    [case], _ = merge(events)

    assert case.incident == second
