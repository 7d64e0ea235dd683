"""Usernames by a rule: what new accounts are called, and which accounts get another name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.rules import TAKEN
from slack_docebo.domain.standing import is_undecided
from tests.attribute_mapping import parse_rules

ADA = SourceUser("U1", "T1", handle="ada", email="ada@example.com", first_name="Ada", last_name="Lovelace")
BEA = SourceUser("U2", "T1", handle="Ada", email="bea@example.com", first_name="Bea", last_name="Arthur")
HERS = Account(7, "ada@example.com", "ada@example.com", first_name="Ada", last_name="Lovelace")
OTHER = Account(8, "ADA", "other@example.com")


def policy(rules="first_name, last_name, email, username = handle", *tables: LookupTable) -> Policy:
    return Policy(provision=True, map=True, rules=parse_rules(rules, *tables))


def plans(users, accounts=(), by: Policy | None = None) -> tuple[dict[str, Operation], Planner]:
    """The operations of a whole plan, with those planned again who have lost a claim."""
    planner = Planner(by or policy(), Accounts(accounts))
    found = {user.slack_id: planner.plan(user, None, planner.match(user, None)) for user in users}
    again = set(planner.claims.outdone)
    found |= {
        user.slack_id: planner.plan(user, None, planner.match(user, None)) for user in users if user.slack_id in again
    }
    return found, planner


def test_a_new_account_is_called_as_the_rule_says():
    found, _ = plans([ADA])

    assert (found["U1"].kind, found["U1"].changes["username"], found["U1"].changes["email"]) == (
        Kind.CREATE,
        "ada",
        "ada@example.com",
    )


def test_an_account_gets_the_username_that_the_rule_says():
    found, _ = plans([ADA], [HERS])

    assert (found["U1"].kind, found["U1"].changes, found["U1"].before) == (
        Kind.UPDATE,
        {"username": "ada"},
        {"username": "ada@example.com"},
    )


def test_with_on_create_only_a_username_is_never_changed():
    found, _ = plans([ADA], [HERS], policy("first_name, last_name, email, username = handle on-create-only"))

    assert found["U1"].kind is Kind.MAP


def test_case_is_no_other_username():
    found, _ = plans([ADA], [replace(HERS, username="ADA")])

    assert found["U1"].kind is Kind.MAP


def test_a_username_that_another_account_has_is_left_to_it():
    new, _ = plans([ADA], [OTHER])
    known, planner = plans([ADA], [replace(HERS, last_name="King"), OTHER])

    assert (new["U1"].kind, new["U1"].reason) == (Kind.LEAVE, "the username is taken by account 8")
    assert is_undecided(new["U1"].reason)
    assert known["U1"].changes == {"last_name": "Lovelace"}
    assert known["U1"].reason == "differs: last_name; without username, which is taken"
    assert [(one.target, one.value, one.why) for one in planner.found.shortfalls["U1"]] == [("username", "ada", TAKEN)]


@pytest.mark.parametrize("order", [[ADA, BEA], [BEA, ADA]])
def test_of_two_who_come_to_one_username_the_lower_id_gets_it_in_whatever_order(order):
    new, _ = plans(order)
    known, _ = plans(
        order, [HERS, Account(9, "bea@example.com", "bea@example.com", first_name="Bea", last_name="Arthur")]
    )

    assert (new["U1"].kind, new["U2"].kind) == (Kind.CREATE, Kind.LEAVE)
    assert new["U2"].reason == "an account with this username is for U1"
    assert is_undecided(new["U2"].reason)
    assert (known["U1"].changes, known["U2"].kind) == ({"username": "ada"}, Kind.MAP)


@pytest.mark.parametrize("order", [[ADA, BEA], [BEA, ADA]])
def test_nobody_is_called_by_the_address_for_which_another_account_is_made(order):
    by = policy('first_name, email, username = slack_id == "U1" ? "bea@example.com" : email')
    found, _ = plans(order, by=by)

    assert sorted(op.kind for op in found.values()) == [Kind.CREATE, Kind.LEAVE]


def test_while_the_username_is_not_known_no_account_is_made_and_none_is_renamed():
    by = policy("first_name, last_name, email, username = custom:Xf1")
    new, _ = plans([ADA], by=by)
    known, _ = plans([ADA], [HERS], by)

    assert (new["U1"].kind, new["U1"].reason) == (
        Kind.LEAVE,
        "no username: Slack does not say what its rule reads",
    )
    assert known["U1"].kind is Kind.MAP


def test_a_username_for_which_nothing_is_found_is_named_with_why():
    by = policy("first_name, email, username = table(logins, handle)", LookupTable.of("logins", [("bea", "b1")]))
    found, planner = plans([ADA], by=by)

    assert found["U1"].reason == "no username: table logins has no row for it"
    assert planner.found.shortfalls["U1"][0].value == "ada"


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("email, username = handle clear", "username cannot be cleared"),
        ("first_name, username = handle", "username wants a rule for email beside it"),
    ],
)
def test_a_rule_by_which_nobody_could_sign_in_or_be_found_again_is_refused(rules, told):
    with pytest.raises(ValueError, match=told):
        parse_rules(rules)


names = st.sampled_from(["ada", "Ada", "bea", "cy", ""])


@given(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=5), st.randoms())
def test_whoever_is_listed_first_no_two_accounts_come_to_one_username(people, random):
    users = [
        SourceUser(f"U{number}", "T1", handle=handle, email=f"u{number}@example.com")
        for number, (handle, _) in enumerate(people)
    ]
    accounts = [
        Account(number, f"u{number}@example.com", f"u{number}@example.com")
        for number, (_, has_account) in enumerate(people)
        if has_account
    ]
    shuffled = random.sample(users, len(users))

    found, _ = plans(users, accounts, policy("email, username = handle"))
    again, _ = plans(shuffled, accounts, policy("email, username = handle"))

    after = {account.docebo_id: account.username for account in accounts}
    for operation in found.values():
        if username := operation.changes.get("username"):
            after[operation.docebo_id or operation.slack_id] = str(username)
    assert len({username.casefold() for username in after.values()}) == len(after)
    assert again == found
