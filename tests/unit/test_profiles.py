"""Whose custom profile fields are read, and when."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.profiles import Coverage, Profile, daily_share, reading_order, when_read
from slack_docebo.domain.scope import Scope

WANTED = frozenset({"Xf1", "Xf2"})
NOW = datetime(2026, 11, 27, 2, 30, tzinfo=UTC)
WEEK = timedelta(days=7)
ADA = SourceUser("U0ADA", "T1", email="ada@example.com", updated=1_700_000_000)


def read(*fields: str, updated: int = ADA.updated, ago: timedelta = timedelta()) -> Profile:
    return Profile(dict.fromkeys(fields, "x"), updated, NOW - ago)


def its_turn(profile: Profile | None, user: SourceUser = ADA) -> float | None:
    found = reading_order(user, profile, WANTED, now=NOW, max_age=WEEK)
    return None if found is None else found[0]


def test_who_was_never_read_comes_before_who_has_changed_and_that_before_who_was_read_long_ago():
    assert its_turn(None) == its_turn(read("Xf1")) == 0  # also whose reading lacks a field that is mapped since
    assert its_turn(read("Xf1", "Xf2", updated=ADA.updated - 1)) == 1
    assert its_turn(read("Xf1", "Xf2", ago=WEEK)) == 2
    assert its_turn(read("Xf1", "Xf2")) is None


def test_of_those_who_were_never_read_the_newest_comes_first():
    older = SourceUser("U0BOB", "T1", updated=ADA.updated - 60)
    turns = {reading_order(user, None, WANTED, now=NOW, max_age=WEEK): user for user in (older, ADA)}
    assert [turns[its] for its in sorted(filter(None, turns))] == [ADA, older]


PEOPLE = [SourceUser(f"U{number:05}", "T1") for number in range(2_000)]
SEVENTH = len(PEOPLE) / 7 + 1


def nights(days: Iterable[int]) -> list[set[SourceUser]]:
    """Return who of PEOPLE, all read at the beginning, is read in the night of each of *days*."""
    read_at = dict.fromkeys(PEOPLE, NOW)
    found = []
    for day in days:
        now = NOW + timedelta(days=day)
        turns = {
            user: reading_order(user, Profile({"Xf1": "", "Xf2": ""}, 0, read_at[user]), WANTED, now=now, max_age=WEEK)
            for user in PEOPLE
        }
        due = {its: user for user, its in turns.items() if its}
        found.append({due[its] for its in daily_share(due, len(PEOPLE), now=now, max_age=WEEK)})
        read_at |= dict.fromkeys(found[-1], now)
    return found


def test_everybody_is_read_once_a_week_and_in_no_night_more_than_the_seventh_part():
    read_in = nights(range(1, 15))

    assert max(map(len, read_in)) <= SEVENTH
    read_twice = [user for user in PEOPLE if sum(user in night for night in read_in) == 2]
    assert len(read_twice) > 0.95 * len(PEOPLE)
    assert {sum(user in night for night in read_in) for user in PEOPLE} <= {1, 2}


def test_after_nights_without_an_import_whoever_has_waited_is_read_in_the_next():
    first, *others = nights([4, *range(5, 12)])

    assert len(first) > 0.9 * 3 / 7 * len(PEOPLE)
    assert max(map(len, others)) <= SEVENTH
    assert len(first.union(*others[:3])) > 0.97 * len(PEOPLE)


def test_known_is_of_whom_every_mapped_field_is_known():
    coverage = Coverage()
    whole, partly = ({"Xf1": "", "Xf2": "x"}, {"Xf1": "x"})
    people = [
        SourceUser(f"U{n}", "T1", email=f"{n}@example.com", custom=c) for n, c in enumerate([whole, partly, None])
    ]
    coverage.see([*people, SourceUser("U9", "T1", bot=True, custom=whole)], Scope("T1"), WANTED)
    assert (coverage.known, coverage.people) == (1, 3)


@pytest.mark.parametrize(
    ("people", "minutes", "told"),
    [
        (1, 60, "the others are read after it, in about 1 minute"),
        (5_400, 60, "the others are read after it, in about 60 minutes"),
        (5_401, 60, "the others are read in about 61 minutes, spread over 2 imports"),
        (10_000, 10, "the others are read in about 112 minutes, spread over 12 imports"),
        (10_000, 0, "no import reads those of others while PROFILE_MINUTES is 0"),
    ],
)
def test_when_everybody_will_have_been_read_can_be_told(people, minutes, told):
    assert when_read(people, minutes) == told
