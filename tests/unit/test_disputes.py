from dataclasses import replace

import pytest

from slack_docebo.domain.disputes import bears_data_of, is_same, seen_on
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind
from slack_docebo.domain.people import Account, Applied, LastSeen, Mapping, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.policy import Leavers, Policy

ADA = SourceUser("U1", "T1", "ada", "ada@example.com", first_name="Ada", last_name="Lovelace", real_name="Ada Lovelace")
HERS = Account(7, "ada@example.com", "ada@example.com", first_name="Ada", last_name="Lovelace")
BOBS = Account(7, "bob@example.com", "bob@example.com", first_name="Bob", last_name="Babbage")
MAPPED = Mapping("U1", "T1", "ada", 7, seen=seen_on(HERS))
ON = Policy(provision=True, map=True, leavers=Leavers.DEACTIVATE)


def planned(user, account, mapping=MAPPED):
    planner = Planner(ON, Accounts([account]))
    return planner.plan(user, mapping, planner.match(user, mapping))


@pytest.mark.parametrize("user", [ADA, replace(ADA, deactivated=True), replace(ADA, last_name="King")])
def test_an_account_that_shows_a_stranger_is_left_alone_and_told_of(user):
    operation = planned(user, BOBS)

    assert operation.kind is Kind.LEAVE
    assert "account 7 is disputed" in operation.reason


@pytest.mark.parametrize(
    ("user", "account"),
    [
        pytest.param(replace(ADA, email="new@example.com"), HERS, id="the person has a new address"),
        pytest.param(ADA, replace(HERS, username="alovelace", last_name="X"), id="another username by hand"),
        pytest.param(ADA, replace(HERS, email="x@example.com", first_name="X"), id="another address by hand"),
        pytest.param(ADA, replace(BOBS, email="ADA@example.com"), id="it bears the person's address"),
        pytest.param(ADA, replace(BOBS, first_name="Ada", last_name="Lovelace"), id="it bears the person's name"),
    ],
)
def test_ordinary_changes_are_no_dispute(user, account):
    assert planned(user, account).kind is Kind.UPDATE


def test_an_account_of_which_nothing_is_known_is_not_disputed():
    assert planned(ADA, BOBS, replace(MAPPED, seen=LastSeen())).kind is Kind.UPDATE


def test_who_has_no_name_bears_nobodys_data():
    nobody = Account(7, "x", "")

    assert not bears_data_of(nobody, SourceUser("U1", "T1"), LastSeen())
    assert not is_same(seen_on(nobody), seen_on(HERS))


HANDED_OVER_TO_BOB = replace(BOBS, username="ada@example.com")


def test_an_account_that_bore_no_address_and_shows_that_of_another_person_is_left_alone():
    """Ada's account was made without an address, as where no rule writes one."""
    mapping = replace(MAPPED, seen=seen_on(replace(HERS, email="")))
    accounts = Accounts([HANDED_OVER_TO_BOB])
    planner = Planner(ON, accounts)
    found = planner.match(ADA, mapping)
    [suspect] = planner.suspects
    accounts.note_bearer(7, "U2")

    assert suspect == (HANDED_OVER_TO_BOB, "U1")
    assert planner.plan(ADA, mapping, found).kind is Kind.LEAVE


HANDED_OVER = replace(BOBS, email="ada@example.com")  # to Bob, right before we wrote Ada's address


@pytest.mark.parametrize("user", [ADA, replace(ADA, deactivated=True)])
def test_an_address_that_we_have_written_ourselves_does_not_prove_whose_the_account_is(user):
    written = replace(MAPPED, seen=replace(seen_on(HERS), address_written=True))

    assert "account 7 is disputed" in planned(user, HANDED_OVER, written).reason
    assert "is disputed" not in planned(user, HANDED_OVER).reason


@pytest.mark.parametrize(
    "account",
    [
        pytest.param(replace(HERS, username="alovelace"), id="another username by hand"),
        pytest.param(replace(HANDED_OVER, username="ada@example.com"), id="the username is the person's"),
        pytest.param(HERS, id="as it was"),
    ],
)
def test_what_else_it_bears_of_the_person_still_does(account):
    written = replace(MAPPED, seen=replace(seen_on(HERS), address_written=True))
    assert "is disputed" not in planned(ADA, account, written).reason


def test_what_a_table_claims_is_nobodys_until_the_account_has_shown_it():
    claimed = replace(MAPPED, seen=LastSeen(claimed=True))

    assert not is_same(seen_on(HERS), claimed.seen)  # so it is moved, and made a manager, for nobody
    assert "account 7 is not proven" in planned(ADA, BOBS, claimed).reason
    assert "account 7 is not proven" in planned(replace(ADA, deactivated=True), BOBS, claimed).reason
    assert planned(ADA, replace(BOBS, email="ADA@example.com"), claimed).kind is Kind.UPDATE


def test_what_is_seen_of_an_account_that_may_be_anothers_is_not_noted_before_that_one_was_heard():
    planner, applied = Planner(replace(ON, map=False), Accounts([HANDED_OVER_TO_BOB])), Applied(7, seen=seen_on(HERS))

    kind = planner.plan(ADA, None, planner.match(ADA, applied), applied=applied).kind

    assert (kind, planner.found.seen) == (Kind.UPDATE, {})
    assert planner.suspects == [(HANDED_OVER_TO_BOB, "U1")]
    planner.accounts.note_bearer(7, "U2")
    disputed = planner.plan(ADA, None, planner.match(ADA, applied), applied=applied).reason
    assert "account 7 is disputed" in disputed
    assert "link that one to it" in disputed
