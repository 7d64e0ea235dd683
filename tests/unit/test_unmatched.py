import pytest

from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.integration_settings import read_written

ANN = SourceUser(slack_id="U1ANN", team="T1", email="Ann@Example.com")
BOB = SourceUser(slack_id="U1BOB", team="T1", email="bob@xn--bcher-kva.example")
SERVICE = Account(docebo_id=7, username="sync.service", email="it@example.com", active=True)


OFF = {"PROVISION_SLACK_USER_DATA": "", "MAP_SLACK_USER_DATA": ""}


def remarks(*, with_accounts: bool = True, **rows: str) -> list[str]:
    found = read_written({**OFF, **rows}).unmatched()
    found.see_people([ANN])
    found.see_people([BOB])
    found.see_accounts([SERVICE])
    return found.remarks(with_accounts=with_accounts)


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"SCOPE_EXCLUDE": "u1ann, *@example.com, bob@bücher.example"},
        {"SCOPE_INCLUDE": "U1*"},
        {"SCOPE_EMAIL_DOMAINS": "example.com, bücher.example"},
        {"PROTECTED_ACCOUNTS": "service.connect, SYNC.*, 7, it@example.com"},
    ],
)
def test_an_entry_that_fits_somebody_is_no_remark(rows):
    assert remarks(**rows) == []


def test_an_entry_that_fits_nobody_is_named_by_its_place_and_not_quoted():
    told = remarks(
        SCOPE_EXCLUDE="ann@exampel.com, U1ANN, u9zed",
        SCOPE_EMAIL_DOMAINS="exampel.com, example.com",
        PROTECTED_ACCOUNTS="service.connect, admin*",
    )

    assert told == [
        "PROTECTED_ACCOUNTS: entry 2 of the list fits nobody who was read: see whether it is misspelt",
        "SCOPE_EMAIL_DOMAINS: entry 1 of the list fits nobody who was read: see whether it is misspelt",
        "SCOPE_EXCLUDE: entries 1, 3 of the list fit nobody who was read: see whether they are misspelt",
    ]


def test_where_the_accounts_were_not_read_nothing_is_said_of_them():
    assert remarks(PROTECTED_ACCOUNTS="admin*", with_accounts=False) == []
