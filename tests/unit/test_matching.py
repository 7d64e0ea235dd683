from dataclasses import replace

import pytest

from slack_docebo.domain.matching import Accounts, Match, MatchBy, match
from slack_docebo.domain.observation import Gone, Present, Unknown
from slack_docebo.domain.people import Account, Mapping, SourceUser

ADA = SourceUser("U1", "T1", email="Ada@Example.com")
BY_EMAIL = Account(1, "alovelace", "ada@example.COM")
BY_USERNAME = Account(2, "ADA@example.com", "private@example.org")
TWIN = Account(3, "ada2", "ada@example.com")
OTHER = Account(4, "bob", "bob@example.com")
MAPPED = Mapping("U1", "T1", "ada", 4)


@pytest.mark.parametrize(
    ("accounts", "mapping", "by", "docebo_id", "found_by", "problem"),
    [
        pytest.param([OTHER], None, MatchBy.BOTH, None, "", "", id="nobody"),
        pytest.param([BY_EMAIL, OTHER], None, MatchBy.BOTH, 1, "e-mail", "", id="the address, whatever its case"),
        pytest.param([BY_USERNAME], None, MatchBy.BOTH, 2, "username", "", id="the username, whatever its case"),
        pytest.param(
            [BY_USERNAME], None, MatchBy.EMAIL, None, "", "", id="not the username if only the address counts"
        ),
        pytest.param(
            [BY_EMAIL], None, MatchBy.USERNAME, None, "", "", id="not the address if only the username counts"
        ),
        pytest.param(
            [BY_EMAIL, TWIN], None, MatchBy.BOTH, None, "", "several accounts match: 1, 3", id="twice the address"
        ),
        pytest.param(
            [BY_EMAIL, BY_USERNAME], None, MatchBy.BOTH, None, "", "several accounts match: 1, 2", id="one of each"
        ),
        pytest.param([BY_EMAIL, OTHER], MAPPED, MatchBy.BOTH, 4, "mapping", "", id="the mapping wins"),
        pytest.param(
            [BY_EMAIL],
            MAPPED,
            MatchBy.BOTH,
            None,
            "",
            "Docebo does not show account 4",
            id="also where it is not shown",
        ),
    ],
)
def test_match(accounts, mapping, by, docebo_id, found_by, problem):
    found = match(ADA, Accounts(accounts), mapping, by)

    assert (found.account and found.account.docebo_id, found.by, found.problem) == (docebo_id, found_by, problem)


@pytest.mark.parametrize("by", MatchBy)
@pytest.mark.parametrize("accounts", [[], [BY_EMAIL], [BY_USERNAME], [BY_EMAIL, TWIN]])
@pytest.mark.parametrize("mapping", [None, MAPPED], ids=["not mapped", "mapped to an account that is gone"])
def test_an_address_that_is_not_confirmed_finds_nobody(accounts, mapping, by):
    known = Accounts(accounts)
    known.keep_answer(MAPPED.docebo_id, Gone("404"))

    found = match(replace(ADA, unconfirmed=True), known, mapping, by)

    assert found == Match(problem="address not confirmed in Slack")


def test_whose_account_is_gone_is_found_by_the_address():
    known = Accounts([BY_EMAIL])
    known.keep_answer(MAPPED.docebo_id, Gone("404"))

    assert match(ADA, known, MAPPED, MatchBy.BOTH) == Match(BY_EMAIL, "e-mail")


@pytest.mark.parametrize("seen", [Unknown("400"), Present(OTHER)])
def test_whose_account_is_not_known_to_be_gone_is_given_no_other(seen):
    known = Accounts([BY_EMAIL])
    known.keep_answer(MAPPED.docebo_id, seen)

    found = match(ADA, known, MAPPED, MatchBy.BOTH)
    assert found.account is None
    assert found.problem


def test_whose_new_address_is_not_confirmed_keeps_the_mapping():
    found = match(replace(ADA, unconfirmed=True), Accounts([BY_EMAIL, OTHER]), MAPPED, MatchBy.BOTH)

    assert (found.account, found.by) == (OTHER, "mapping")


def test_an_account_read_twice_is_one_account():
    accounts = Accounts([BY_EMAIL])
    accounts.add([BY_EMAIL])

    assert len(accounts) == 1
    assert accounts.with_email("ada@example.com") == [BY_EMAIL]


def test_an_account_that_was_changed_between_two_pages_is_as_the_later_one_shows_it():
    accounts = Accounts([BY_EMAIL, OTHER])
    now = replace(BY_EMAIL, username="renamed", email="renamed@example.com", administrator=True)
    accounts.add([now])

    assert (len(accounts), accounts.get(now.docebo_id)) == (2, now)
    assert accounts.with_email(BY_EMAIL.email) == []
    assert accounts.with_username(BY_EMAIL.username) is None
    assert accounts.with_username("renamed") == now


def test_of_many_accounts_with_one_address_a_few_are_named():
    found = match(ADA, Accounts(Account(i, f"user{i}", ADA.email) for i in range(1, 10_001)), None, MatchBy.BOTH)

    assert found.problem == "several accounts match: 1, 2, 3, 4, 5 and 9995 more"


def test_of_two_accounts_whose_user_names_differ_only_by_an_html_escape_nobody_gets_one():
    escaped = Account(5, "r&d@example.com", "ada@example.com")  # which Docebo shows as r&amp;d@example.com
    accounts = Accounts([escaped, Account(9, "r&d@example.com", "")])

    assert match(SourceUser("U1", "T1", email="r&d@example.com"), accounts, None, MatchBy.BOTH) == Match(
        problem="several accounts match: 5, 9"
    )
    accounts.add([replace(escaped, username="ada")])
    assert match(SourceUser("U1", "T1", email="r&d@example.com"), accounts, None, MatchBy.BOTH).account == accounts.get(
        9
    )
