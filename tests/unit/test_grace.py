"""Leavers are acted on only after the days of grace."""

from datetime import UTC, datetime, timedelta

import pytest

from slack_docebo.domain.grace import hold
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Mapping

NOW = datetime(2026, 11, 27, 2, 30, tzinfo=UTC)
WEEK = timedelta(days=7)
LEAVING = Operation(
    "U1",
    "T1",
    "ada",
    Kind.DEACTIVATE,
    reason="deactivated in Slack",
    docebo_id=7,
    changes={"active": False},
    prior=Mapping("U1", "T1", "ada", 7),
)
IN_LINE = Operation("U1", "T1", "ada", Kind.LEAVE, reason="in line", docebo_id=7)


@pytest.mark.parametrize(
    ("days", "kind"), [(0, Kind.LEAVE), (6, Kind.LEAVE), (7, Kind.DEACTIVATE), (30, Kind.DEACTIVATE)]
)
def test_a_leaver_is_left_alone_until_the_days_have_passed(days, kind):
    held = hold([LEAVING], {"U1": NOW - timedelta(days=days)}, now=NOW, grace=WEEK)
    assert [operation.kind for operation in held.operations] == [kind]
    assert (held.first_seen, held.no_leavers) == ([], [])


def test_who_is_seen_first_is_told_with_the_day_on_which_it_happens():
    held = hold([LEAVING], {}, now=NOW, grace=WEEK)
    assert held.first_seen == ["U1"]
    assert held.operations[0].reason == "deactivated in Slack; acted on from 2026-12-04"
    assert (held.operations[0].changes, held.operations[0].maps, held.operations[0].docebo_id) == ({}, False, 7)


def test_who_is_back_is_no_leaver_any_more_and_of_whom_nothing_is_known_stays_one():
    since = {"U1": NOW - WEEK, "U2": NOW - WEEK}
    held = hold([IN_LINE], since, back={"U1", "U3"}, now=NOW, grace=WEEK)
    assert (held.operations, held.no_leavers) == ([IN_LINE], ["U1"])


def test_without_days_of_grace_leavers_are_acted_on_at_once_and_who_is_back_is_none_all_the_same():
    held = hold([LEAVING], {"U2": NOW - WEEK}, back={"U2"}, now=NOW, grace=timedelta())
    assert (held.operations, held.first_seen, held.no_leavers) == ([LEAVING], [], ["U2"])
