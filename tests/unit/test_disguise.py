"""Names, addresses, ids and secrets of an exchange get others, and the exchange can still be understood."""

from datetime import date

import pytest

from slack_docebo.domain.disguise import Disguise

DISGUISE = Disguise(b"k" * 32)
MEMBER = {
    "id": "U0ABCDEF1", "team_id": "T0ABCDEF1", "deleted": False, "tz": "Europe/Rome", "updated": 1_700_000_000,
    "profile": {
        "real_name": "Ada Lovelace", "email": "Ada@Acme.example", "phone": "+44 20 7946 0958",
        "fields": {"Xf0123": {"value": "Analyst", "alt": ""}},
    },
}  # fmt: skip
NAMES = ("ABCDEF", "Ada", "Lovelace", "acme", "7946", "Analyst")


def test_nobody_is_named_and_the_form_stays():
    shown = DISGUISE.value(MEMBER)

    assert not [name for name in NAMES if name.casefold() in str(shown).casefold()]
    assert shown.keys() == MEMBER.keys()
    assert (shown["deleted"], shown["tz"], shown["updated"]) == (False, "Europe/Rome", 1_700_000_000)
    assert (shown["id"][0], shown["team_id"][0]) == ("U", "T")
    assert "@" in shown["profile"]["email"]
    assert list(shown["profile"]["fields"]) == ["Xf0123"]


def test_the_same_person_is_the_same_wherever_and_however_it_is_written():
    account = DISGUISE.value({"user_id": 102_310, "username": "/ada@acme.example", "email": "ADA@acme.example"})
    again = DISGUISE.value({"user_id": "102310"})

    assert account["username"] == f"/{account['email']}"
    assert account["email"] == DISGUISE.value(MEMBER)["profile"]["email"]
    assert str(account["user_id"]) == again["user_id"] != "102310"
    assert DISGUISE.path("/manage/v1/user/102310") == f"/manage/v1/user/{again['user_id']}"
    assert (
        DISGUISE.form("search_text=ada%40acme.example&page=1")
        == f"page=1&search_text={account['email'].replace('@', '%40')}"
    )


def test_of_many_no_two_become_one():
    accounts = DISGUISE.value([{"id": number, "username": f"user{number}"} for number in range(10_000, 30_000)])

    for name in ("id", "username"):
        assert len({account[name] for account in accounts}) == len(accounts)


def test_another_recording_gives_other_names():
    assert Disguise(b"o" * 32).value(MEMBER) != DISGUISE.value(MEMBER)


@pytest.mark.parametrize(
    ("name", "value"),
    [("has_more_data", "1"), ("status", "0"), ("level", "power_user"), ("row_index", 7), ("total_count", 50_000),
     ("creation_date", "2026-02-03 08:00:00"), ("id", "42"), ("language", "english"), ("x", None), ("x", "")],
)  # fmt: skip
def test_what_is_the_apis_own_stays(name, value):
    assert DISGUISE.value({name: value}) == {name: value}


@pytest.mark.parametrize(
    "said",
    [
        {"message": ["The user Ada Lovelace exists"]},
        {"level": "Ada Lovelace of Acme"},  # a sentence where a word is expected
        {"code": "Ada, Acme"},
        {"Ada Lovelace": 1},
        {"acme": {"ada@acme.example": True}},
        {"access_token": "Ada-Acme-0123456789"},
        {"anything": [["Ada"], {"more": "https://acme.example/ada"}]},
        {"status": "/Ada Acme/"},
        {"id": "43", "code": "ADA-ACME", "title": "Acme", "lev": 2},  # a branch
    ],
    ids=str,
)
def test_what_may_name_somebody_is_replaced_wherever_it_stands(said):
    shown = str(DISGUISE.value(said)).casefold()

    assert "ada" not in shown.replace("acme'", "")
    assert "lovelace" not in shown


def test_a_day_is_another_day_and_the_same_one_each_time():
    born = DISGUISE.value({"start_date": "1977-07-13", "fields": {"Xf0123": {"value": "1977-07-13"}}})

    assert born["start_date"] == born["fields"]["Xf0123"]["value"] != "1977-07-13"
    date.fromisoformat(born["start_date"])


def test_the_code_of_a_language_stays():
    language = {"code": "english", "browsercode": "en", "name": "English"}

    assert DISGUISE.value(language)["code"] == "english"
