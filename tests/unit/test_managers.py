"""Who reports to whom."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slack_docebo.domain.managers import (
    IN_DOUBT,
    SEVERAL,
    Directory,
    closing_if_refused,
    from_the_top,
    in_circles,
    may_have,
    not_writable,
)
from slack_docebo.domain.people import SourceUser


def directory(*users: SourceUser) -> Directory:
    made = Directory()
    made.add(users)
    return made


ADA = SourceUser("U0ADA", "T1", email="Ada@example.com", local_id="W0ADA", scim={"employeeNumber": "7"})
BOB = SourceUser("U0BOB", "T1", email="bob@example.com", scim={"employeeNumber": "8"})


@pytest.mark.parametrize("named", ["U0ADA", "W0ADA", "ada@example.com", "7"])
def test_a_manager_is_found_by_any_id_by_address_or_by_number(named):
    assert directory(ADA, BOB).find(named) == "U0ADA"


def test_an_employee_number_may_look_like_a_slack_id_which_goes_before_it():
    cleo = SourceUser("U0CLEO", "T1", scim={"employeeNumber": "W1001"})
    dan = SourceUser("U0DAN", "T1", scim={"employeeNumber": "U0CLEO"})

    assert [directory(cleo, dan).find(named) for named in ("W1001", "U0CLEO")] == ["U0CLEO", "U0CLEO"]


def test_the_blanks_around_an_employee_number_make_no_difference():
    cleo = SourceUser("U0CLEO", "T1", scim={"employeeNumber": " 007\u00a0 "})

    assert directory(cleo).find("007") == "U0CLEO"


@pytest.mark.parametrize("named", ["U0NOBODY", "nobody@example.com", "9", "Ada"])
def test_whom_nobody_is_is_not_found(named):
    assert directory(ADA, BOB).find(named) is None


def test_what_several_have_names_nobody():
    twin = SourceUser("U0TWIN", "T1", email="ada@example.com", scim={"employeeNumber": "7"})
    both = directory(ADA, twin)
    assert [both.find(named) for named in ("ada@example.com", "7", "U0TWIN")] == [SEVERAL, SEVERAL, "U0TWIN"]


def test_an_address_that_slack_has_not_confirmed_names_nobody_and_hides_nobody():
    pretender = SourceUser("U0EVE", "T1", email="ada@example.com", unconfirmed=True)
    assert directory(ADA, pretender).find("ada@example.com") == "U0ADA"
    assert directory(BOB, pretender).find("ada@example.com") is None


@pytest.mark.parametrize(
    ("managers", "circle"),
    [
        ({1: {2}, 2: {3}}, set()),
        ({1: {1}}, {1}),
        ({1: {2}, 2: {1}, 3: {1}}, {1, 2}),
        ({1: {2}, 2: {3}, 3: {4}, 4: {2}, 5: {1}}, {2, 3, 4}),
        ({1: {2}, 2: {3, 4}, 3: {1}}, {1, 2, 3}),
        ({1: {2}, 2: {1, 3}, 3: {4, 5}, 4: {6}, 5: {6}, 6: {5}}, {1, 2, 5, 6}),
    ],
)
def test_who_may_be_the_own_manager_by_way_of_others_is_in_a_circle(managers, circle):
    assert in_circles(managers) == circle


ACCOUNTS = st.integers(1, 8)
NAMED = st.dictionaries(ACCOUNTS, ACCOUNTS)
# Of some nobody knows whom they have, but that it is one of several.
MAY_HAVE = st.dictionaries(ACCOUNTS, st.sets(ACCOUNTS, min_size=1, max_size=3))


def above(managers, account):
    found, rest = set(), set(managers.get(account, ()))
    while rest:
        found |= rest
        rest = {one for at in rest for one in managers.get(at, ())} - found
    return found


def without_circles(managers):
    return {one: by for one, by in managers.items() if one not in in_circles(managers)}


@given(MAY_HAVE)
def test_who_is_in_a_circle_is_above_the_own_account_and_nobody_else_is(managers):
    assert in_circles(managers) == {one for one in managers if one in above(managers, one)}


def test_who_cannot_get_another_manager_keeps_the_one_by_whom_others_come_into_a_circle():
    boss, ada, bob = 1, 2, 3
    set_before = {ada: {bob}, bob: {ada}}

    assert not_writable({ada: bob, bob: boss, boss: bob}, {bob: {ada}, boss: {bob}}) == {ada, bob, boss}
    assert not_writable({ada: boss}, set_before) == set()
    assert not_writable({ada: 0}, set_before) == set()


@pytest.mark.parametrize(
    ("set_last", "in_doubt", "managers"),
    [
        ({1: 2}, {}, {1: [2]}),
        ({1: 0}, {}, {}),
        ({1: IN_DOUBT}, {1: [2, 3]}, {1: [2, 3]}),
        ({1: IN_DOUBT}, {}, {}),  # whoever had none before, and was to have none
        ({1: 2}, {1: [3]}, {1: [2]}),  # a doubt that was removed by an older release, which knows nothing of it
    ],
)
def test_an_account_may_have_any_of_the_managers_that_it_was_to_have_where_nobody_knows(set_last, in_doubt, managers):
    assert {one: list(any_of) for one, any_of in may_have(set_last, in_doubt).items()} == managers


def test_nobody_comes_into_a_circle_with_whom_somebody_may_have_and_who_gets_another_leaves_it():
    ada, bob, boss = 1, 2, 3
    set_before = {bob: {boss, ada}}

    assert not_writable({ada: bob}, set_before) == {ada}
    assert not_writable({ada: bob, bob: boss}, set_before) == set()
    assert from_the_top({ada: bob, bob: boss}, set_before) == [bob, ada]


@given(NAMED, MAY_HAVE)
def test_nobody_comes_into_a_circle_that_was_not_there(named, set_before):
    refused = not_writable(named, set_before)
    written = {one: {manager} for one, manager in named.items() if one not in refused}

    assert in_circles({**set_before, **written}).isdisjoint(written)


@example({1: 3, 3: 7, 2: 1}, {1: {2}, 2: {2}, 3: {1}, 7: {2}})
@given(NAMED, MAY_HAVE)
def test_whoever_is_refused_would_come_into_a_circle_with_those_who_are_not(named, set_before):
    refused = not_writable(named, set_before)
    written = {one: {manager} for one, manager in named.items() if one not in refused}

    for account in refused:
        alone = {**set_before, **written, account: {named[account]}}
        assert account in in_circles(alone) | in_circles({one: {manager} for one, manager in named.items()})


def test_of_a_circle_that_a_possible_manager_closes_no_more_are_refused_than_it_takes():
    ada, bob, carl, boss = 1, 2, 3, 4

    assert not_writable({ada: bob, bob: carl, carl: boss}, {boss: {ada}}) == {carl}
    assert not_writable({ada: carl, bob: ada, carl: boss}, {ada: {bob}, carl: {ada}, boss: {bob}}) == {bob}
    assert not_writable({ada: bob, bob: carl, carl: boss, boss: ada}, {}) == {ada, bob, carl, boss}


@given(NAMED, MAY_HAVE)
def test_from_the_top_everybody_gets_the_manager_without_a_circle_in_between(named, set_before):
    managers = without_circles(set_before)
    refused = not_writable(named, managers)
    named = {one: manager for one, manager in named.items() if one not in refused}

    ordered = from_the_top(named, managers)

    assert sorted(ordered) == sorted(named)
    for account in ordered:
        managers[account] = {named[account]}
        assert not in_circles(managers)


@given(NAMED, MAY_HAVE, st.sets(ACCOUNTS))
def test_whoever_is_refused_nobody_comes_into_a_circle_but_who_rests_on_others(named, set_before, refused):
    managers = without_circles(set_before)
    closing = closing_if_refused(named, managers)
    written = {one: {manager} for one, manager in named.items() if one not in closing | refused}

    assert not in_circles({**managers, **written})


def test_who_comes_into_a_circle_by_two_rows_of_which_neither_does_alone_rests_on_the_third():
    ada, bob, carl, boss = 1, 2, 3, 4
    assert closing_if_refused({bob: boss, carl: bob, ada: carl}, {bob: {ada}}) == {ada}


def test_a_line_of_fifty_thousand_managers_closed_to_a_circle_is_set_from_the_top_or_not_at_all():
    line = {account: account + 1 for account in range(1, 50_000)}
    set_before = {account: {manager} for account, manager in line.items()}

    assert not_writable(line | {50_000: 1}, set_before) == line.keys() | {50_000}
    assert from_the_top(line, {}) == sorted(line, reverse=True)
