"""What one person may cost, on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slack_docebo.storage.events import Event
from slack_docebo.storage.shares import HOUR, PER_HOUR
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ADA, GRACE = (
    Event("EvA", "T1", "U1", updated=1, kind="user_change", received_at=NOW),
    Event("EvG", "T1", "U2", updated=1, kind="user_change", received_at=NOW),
)


class Shares:
    """Inbox and shares in one transaction that ends with the test."""

    def __init__(self, tables) -> None:
        self.inbox = tables.inbox
        self.wake_ups = tables.wake_ups
        self.shares = tables.shares

    def look(self, times: int = 1, at: datetime = NOW, slack_id: str = "U1") -> None:
        for _ in range(times):
            self.shares.spend([slack_id], at)

    def served(self, at: datetime = NOW, left: float = 1.0) -> set[str]:
        """Whose events a claim finds; they are given back."""
        found = {entry.event.slack_id for entry in self.inbox.claim("run", 10, at, left=left)}
        assert self.inbox.people_due(at, 10, left=left) == 0  # claimed
        self.inbox.release()
        assert self.inbox.people_due(at, 10, left=left) == self.inbox.due(at, 10, left=left) == len(found)
        return found


@pytest.fixture
def here(store: Store) -> Iterator[Shares]:
    with store.transaction() as tables:
        made = Shares(tables)
        made.inbox.put([ADA, GRACE])
        yield made


@pytest.mark.long
def test_half_of_the_share_is_there_at_once_and_the_rest_a_minute_each(here):
    here.look(PER_HOUR // 2 - 1)
    assert here.served() == {"U1", "U2"}

    here.look()
    assert here.served() == {"U2"}
    assert here.served(NOW + MINUTE) == {"U1", "U2"}

    here.look(at=NOW + MINUTE)
    assert here.served(NOW + MINUTE) == {"U2"}


def test_nobody_spends_a_larger_part_than_is_left_for_everybody(here):
    here.look(PER_HOUR // 4)

    assert here.served(left=0.52) == {"U1", "U2"}
    assert here.served(left=0.5) == {"U2"}


def test_who_has_not_changed_within_the_last_minute_never_waits(here):
    here.look()

    assert here.served(left=0.0) == {"U2"}
    assert here.served(NOW + MINUTE, left=0.0) == {"U1", "U2"}


@pytest.mark.long
def test_however_often_somebody_was_looked_at_the_wait_is_an_hour_at_most(here):
    here.look(2 * PER_HOUR)

    assert here.served(NOW + timedelta(seconds=HOUR), left=0.0) == {"U1", "U2"}
    assert here.served(NOW + MINUTE) == {"U1", "U2"}


@pytest.mark.long
def test_a_clock_set_back_holds_nobody_up(here):
    here.look(PER_HOUR, NOW + timedelta(days=1))
    assert here.served() == {"U1", "U2"}

    here.look()
    assert here.served(NOW + MINUTE) == {"U1", "U2"}


@pytest.mark.long
def test_all_that_came_meanwhile_is_claimed_together(here):
    here.look(PER_HOUR)
    here.inbox.put([replace(ADA, event_id=f"Ev{number}") for number in range(3)])
    assert here.served() == {"U2"}

    assert len(here.inbox.claim("run", 10, NOW + MINUTE)) == 5


@pytest.mark.long
def test_a_claim_that_passes_over_everybody_wants_no_further_run(here):
    here.look(PER_HOUR)
    here.look(PER_HOUR, slack_id="U2")

    assert here.inbox.claim("run", 10, NOW) == []
    assert not here.wake_ups.is_wanted(WakeUp.REALTIME_SYNC)


def test_who_has_the_whole_share_again_is_no_longer_known(here):
    here.look()
    here.look(2, slack_id="U2")

    here.shares.purge(NOW + MINUTE)

    assert here.served(NOW + MINUTE, left=0.0) == {"U1"}
    here.inbox.forget("U2")
    here.inbox.put([GRACE])
    assert here.served(NOW + MINUTE, left=0.0) == {"U1", "U2"}


@pytest.mark.long
def test_many_people_are_booked_at_once(here):
    here.shares.spend((f"U{number}" for number in range(2500)), NOW)

    assert here.served(left=0.0) == set()


@settings(max_examples=8)
@given(pauses=st.lists(st.sampled_from([0, 0, 0, 1, 30, 59, 61, 600, 4000]), max_size=300))
@pytest.mark.long
def test_no_hour_sees_more_looks_than_a_share(migrated_sqlite: Path, pauses: list[int]):
    looks: list[datetime] = []
    now = NOW
    with Store.open(f"sqlite:///{migrated_sqlite}") as store, store.transaction() as tables:
        here = Shares(tables)
        here.inbox.put([ADA])
        for pause in [*pauses, *[0] * PER_HOUR, *[30] * 120]:
            now += timedelta(seconds=pause)
            if here.inbox.due(now, 1):
                here.look(at=now)
                looks.append(now)
        tables.connection.rollback()

    hour = timedelta(seconds=HOUR)
    assert all(later - earlier >= hour for earlier, later in zip(looks, looks[PER_HOUR:], strict=False))
