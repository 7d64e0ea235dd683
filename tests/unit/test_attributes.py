from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.clients.docebo_accounts import AccountReader
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.attributes import differences, fingerprint, wanted
from slack_docebo.domain.languages import Languages
from slack_docebo.domain.options import Options
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.domain.rules import DEFAULT_RULES
from tests.attribute_mapping import parse_rules

ADA = SourceUser("U1", "T1", email="ada@example.com", first_name="Ada", last_name="Lovelace", title="Analyst")
HERS = Account(7, "ada@example.com", "ada@example.com", first_name="Ada", last_name="Lovelace", fields={12: "Analyst"})


def test_by_default_names_and_address_are_mapped():
    assert wanted(ADA, DEFAULT_RULES, creating=True) == {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.com",
    }


def test_what_slack_does_not_say_empties_nothing():
    rules = parse_rules("field_1 = phone clear, field_2 = start_date clear, field_3 = custom:Department clear")
    silent, said = replace(ADA, custom={}), replace(ADA, phone="", start_date="2026-05-31")

    assert wanted(silent, rules, creating=False) == {}
    assert wanted(said, rules, creating=False) == {"field_1": "", "field_2": "2026-05-31"}


def test_an_on_create_only_attribute_is_left_alone_later():
    rules = parse_rules("first_name on-create-only, last_name")

    assert wanted(ADA, rules, creating=False) == {"last_name": "Lovelace"}


def test_an_empty_source_value_leaves_the_target_alone_unless_it_may_clear_it():
    nameless = SourceUser("U1", "T1", email="ada@example.com")

    assert differences(wanted(nameless, parse_rules("field_12 = title"), creating=False), HERS) == ({}, {})
    assert differences(wanted(nameless, parse_rules("field_12 = title clear"), creating=False), HERS) == (
        {"field_12": ""},
        {"field_12": "Analyst"},
    )


def test_a_custom_field_is_cleared_only_if_slack_told_that_it_is_empty():
    rules = parse_rules("field_12 = custom:Xf1 clear")
    unread, untold, empty = (
        SourceUser("U1", "T1", email="ada@example.com", custom=custom) for custom in (None, {"Xf2": "x"}, {"Xf1": ""})
    )

    assert wanted(unread, rules, creating=False) == wanted(untold, rules, creating=False) == {}
    assert wanted(empty, rules, creating=False) == {"field_12": ""}


def test_only_what_differs_is_a_change():
    renamed = SourceUser("U1", "T1", email="ADA@example.com", first_name="Ada", last_name="King")

    assert differences(wanted(renamed, DEFAULT_RULES, creating=False), HERS) == (
        {"last_name": "King"},
        {"last_name": "Lovelace"},
    )


def test_a_text_that_slack_has_as_html_writes_it_is_no_difference_to_the_same_text_read_from_docebo():
    account = Account(7, "ada", last_name="Smith & Co", fields={12: "R&D"})

    assert differences({"last_name": "Smith &amp; Co", "field_12": "R&amp;D"}, account) == ({}, {})
    assert differences({"last_name": "Smith & Sons"}, account)[0] == {"last_name": "Smith & Sons"}


def test_markup_in_a_name_is_no_difference_once_docebo_has_dropped_it():
    user = SourceUser("U1", "T1", email="ada@example.com", first_name="Ada <3>", last_name="Lovelace")

    assert differences(wanted(user, DEFAULT_RULES, creating=False), HERS) == ({}, {})


def test_a_one_word_name_leaves_the_last_name_empty():
    user = SourceUser("U1", "T1", first_name="Madonna", real_name="Madonna Ciccone")

    assert wanted(user, parse_rules("first_name, last_name"), creating=True) == {"first_name": "Madonna"}


def test_without_name_keys_the_full_name_is_split():
    user = SourceUser("U1", "T1", real_name="Ada Lovelace")

    assert wanted(user, parse_rules("first_name, last_name"), creating=True) == {
        "first_name": "Ada",
        "last_name": "Lovelace",
    }


@pytest.mark.parametrize(("locale", "language"), [("en-US", "en"), ("pt-BR", "pt-br"), ("de", "de"), ("", "")])
def test_the_language_is_docebos_browser_code(locale, language):
    assert wanted(SourceUser("U1", "T1", locale=locale), parse_rules("language"), creating=True).get(
        "language", ""
    ) == (language)


@pytest.mark.parametrize(
    ("locale", "language"),
    [("fr-CA", "fr-ca"), ("fr-FR", "fr"), ("zh-TW", "zh-tw"), ("pt-BR", None), ("zh-CN", None), ("", "")],
)
def test_a_language_of_one_country_is_used_where_the_platform_has_it(locale, language):
    of_platform = Options.of({code: code for code in ("fr", "fr-ca", "pt", "zh-tw")})
    [rule] = parse_rules("language")

    assert replace(rule, values=of_platform).value(SourceUser("U1", "T1", locale=locale)) == language


def test_an_expression_reads_the_language_of_all_countries_whatever_the_platform_has():
    of_platform = Options.of({code: code for code in ("fr", "fr-ca")})
    [rule] = parse_rules('language = language == "fr" ? "fr" : "de"')

    assert replace(rule, values=of_platform).value(SourceUser("U1", "T1", locale="fr-CA")) == "fr"


attributes = st.dictionaries(st.sampled_from(["first_name", "last_name", "field_3"]), st.text(max_size=5))


@given(attributes, attributes)
def test_fingerprints_are_equal_exactly_when_the_attributes_are(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


SHOWN_ALWAYS = {"username": "ada", "email": "ada@example.com", "status": "1"}


@pytest.mark.parametrize("length", [254, 255, 256, 700, 20_000])
@pytest.mark.parametrize("letter", ["a", "\u0344", "a\u0301", "a "])
def test_an_account_that_holds_what_was_written_is_in_line_however_long_the_name(letter, length):
    user = source_user(
        {"id": "U1", "profile": {"first_name": letter * length, "fields": {"Xf1": {"value": letter * length}}}}
    )
    rules = parse_rules("first_name, last_name = custom:Xf1, field_1 = custom:Xf1, time_zone = custom:Xf1")
    written = wanted(user, rules, creating=True)

    read = AccountReader(frozenset({1}), Languages()).read(
        {"user_id": 1, **SHOWN_ALWAYS, **written, "timezone": written.get("time_zone", "")}
    )

    assert all(len(value) <= 255 for name, value in written.items() if name != "field_1")
    assert differences(wanted(user, rules, creating=False), read) == ({}, {})


@pytest.mark.parametrize(
    ("source", "key"),
    [
        *((name, name) for name in ("first_name", "last_name", "real_name", "display_name", "title")),
        *(
            ("phone", "phone"),
            ("pronouns", "pronouns"),
            ("time_zone", "tz"),
            ("language", "locale"),
            ("locale", "locale"),
        ),
        ("handle", "name"),
    ],
)
def test_what_slack_does_not_show_of_a_person_empties_nothing_and_an_empty_text_does(source, key):
    rules = parse_rules(f"field_1 = {source} clear")
    of_profile = key not in {"tz", "locale", "name"}

    def values(shown):
        return wanted(source_user({"id": "U1", **({"profile": shown} if of_profile else shown)}), rules, creating=False)

    assert [values(shown) for shown in ({}, {key: None}, {key: 5})] == [{}, {}, {}]
    assert values({key: ""}) == {"field_1": ""}


def test_that_somebody_is_no_guest_is_written_only_where_slack_says_so():
    rules = parse_rules("field_1 = guest clear")

    def values(shown):
        return wanted(source_user({"id": "U1", **shown}), rules, creating=False)

    assert [values({}), values({"is_restricted": None})] == [{}, {}]
    assert [values({"is_restricted": said})["field_1"] for said in (True, False)] == ["yes", "no"]


def test_a_whole_name_of_one_word_says_that_there_is_no_last_name():
    rules = parse_rules('first_name, last_name = last_name == "" ? "-" : last_name')
    user = source_user({"id": "U1", "profile": {"real_name": "Cher"}})

    assert wanted(user, rules, creating=True) == {"first_name": "Cher", "last_name": "-"}


def test_half_an_address_is_no_address():
    rules = parse_rules("email")

    assert source_user({"id": "U1", "profile": {"email": "a" * 250 + "@example.com"}}).email == ""
    assert wanted(SourceUser("U1", "T1", email="a" * 250 + "@example.com"), rules, creating=True) == {}
