from dataclasses import replace

import pytest

from slack_docebo.domain.disputes import dispute
from slack_docebo.domain.matching import Accounts, Match
from slack_docebo.domain.observation import Gone, Present, Unknown
from slack_docebo.domain.operations import Kind
from slack_docebo.domain.people import Mapping, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.returns import Rehires, Returns, given_before, reported, reported_given
from slack_docebo.domain.standing import is_undecided
from slack_docebo.domain.texts import without_numbers

OLD = SourceUser("U1", "T1")


@pytest.mark.parametrize(
    ("seen", "returned"),
    [
        pytest.param(Gone("user_not_found"), True, id="Slack knows nobody under the former id"),
        pytest.param(Present(replace(OLD, deactivated=True)), True, id="the former holder was deactivated"),
        pytest.param(Present(replace(OLD, forgotten=True)), True, id="or erased"),
        pytest.param(Present(OLD), False, id="the holder is there"),
        pytest.param(Present(replace(OLD, external=True)), False, id="or somewhere else"),
        pytest.param(Unknown("not shown"), False, id="nobody can tell"),
    ],
)
def test_somebody_has_returned_only_where_the_former_holder_is_gone(seen, returned):
    returns = Returns(Rehires.HAND_OVER)
    returns.contest("U2", "U1")

    assert returns.settle({"U1": seen}) == ({"U1", "U2"} if returned else set())
    assert returns.heirs == ({"U1": "U2"} if returned else {})


def test_who_was_not_asked_for_is_not_gone():
    returns = Returns(Rehires.HAND_OVER)
    returns.contest("U2", "U1")

    assert returns.settle({}) == set()


def test_of_two_who_bear_the_address_neither_gets_the_mapping():
    returns = Returns(Rehires.HAND_OVER)
    returns.contest("U2", "U1")
    returns.contest("U3", "U1")
    returns.settle({"U1": Gone("")})

    assert returns.heirs == {}
    assert returns.returned.keys() == {"U2", "U3"}


def test_nothing_is_handed_over_unless_it_is_wanted():
    returns = Returns(Rehires.REPORT)
    returns.contest("U2", "U1")
    returns.settle({"U1": Gone("")})

    assert (returns.returned, returns.heirs) == ({"U2": "U1"}, {})


@pytest.mark.parametrize("rehires", list(Rehires))
def test_who_was_known_under_both_ids_has_the_mapping_once_slack_knows_nobody_under_the_other(rehires):
    returns = Returns(rehires)
    returns.contest("U2", "U1", is_one_person=True)

    assert returns.settle({"U1": Present(OLD)}) == set()
    assert returns.settle({"U1": Gone("user_not_found")}) == {"U1", "U2"}
    assert (returns.of_holder, returns.heirs, returns.returned) == ({"U2": "U1"}, {"U1": "U2"}, {})


def test_while_slack_shows_both_ids_nothing_is_done_for_the_one_without_the_mapping():
    planner = Planner(Policy(provision=True, map=True), Accounts())
    user, mapping = SourceUser("U2", "T1", email="ada@example.com"), Mapping("U1", "T1", "ada", 7)

    operation = planner.plan(user, None, Match(), under_other_id=mapping)

    assert (operation.kind, planner.returns.contested) == (Kind.LEAVE, {"U2": "U1"})
    assert is_undecided(operation.reason)
    assert "link each to an account" in operation.reason


def test_who_is_known_to_slack_by_both_ids_is_the_same_person():
    returns = Returns(Rehires.REPORT)
    returns.contest("W1", "U1")

    assert returns.settle({"U1": Present(replace(OLD, slack_id="W1", local_id="U1"))}) == {"W1"}
    assert returns.of_holder == {"W1": "U1"}


@pytest.mark.parametrize(
    "reason",
    [
        reported(7, "U1"),
        reported_given(7, "U1"),
        given_before(7, "U1"),
        dispute(7),
        f"deactivated in Slack; {dispute(7)}",
    ],
)
def test_a_decision_is_waited_for_also_where_the_ids_are_left_out(reason):
    assert is_undecided(reason)
    assert is_undecided(without_numbers(reason))


@pytest.mark.parametrize(
    ("seen", "has_room"),
    [
        pytest.param(
            {"U1": Gone("user_not_found"), "U2": Present(replace(OLD, deactivated=True))}, True, id="all gone"
        ),
        pytest.param({"U1": Gone("user_not_found"), "U2": Present(OLD)}, False, id="one of them is there"),
        pytest.param({"U1": Gone("user_not_found"), "U2": Unknown("not shown")}, False, id="of one nobody can tell"),
        pytest.param({"U1": Gone("user_not_found")}, False, id="one was not asked for"),
    ],
)
def test_a_former_account_has_room_once_all_to_whom_it_was_given_are_gone(seen, has_room):
    returns = Returns(Rehires.REPORT)
    returns.contest_given("U3", {"U1", "U2"})

    assert returns.settle(seen) == ({"U3"} if has_room else set())
    assert (returns.not_known_to_be_gone({"U1", "U2"}) == []) is has_room


def test_who_is_shown_under_the_former_holders_id_as_well_is_the_same_person():
    returns = Returns(Rehires.REPORT)
    returns.contest_given("W1", {"U1"})

    assert returns.settle({"U1": Present(replace(OLD, slack_id="W1", local_id="U1"))}) == {"W1"}
    assert returns.of_holder == {"W1": "U1"}
