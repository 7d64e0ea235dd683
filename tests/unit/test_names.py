import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.domain.names import clean, folded, split_name


@pytest.mark.parametrize(
    ("real_name", "expected"),
    [
        pytest.param("Ada Lovelace", ("Ada", "Lovelace"), id="two words"),
        pytest.param("Mary Ann Evans", ("Mary Ann", "Evans"), id="the last word is the last name"),
        pytest.param("Ludwig van Beethoven", ("Ludwig", "van Beethoven"), id="a particle belongs to the last name"),
        pytest.param("Maria de la Cruz", ("Maria", "de la Cruz"), id="so do several"),
        pytest.param("Van Morrison", ("Van", "Morrison"), id="but the first word is a first name"),
        pytest.param("Lovelace, Ada", ("Ada", "Lovelace"), id="a comma turns it round"),
        pytest.param("Madonna", ("Madonna", ""), id="one word is a first name"),
        pytest.param("李小龍", ("李小龍", ""), id="Han without a space is one word"),
        pytest.param("प्रिया शर्मा", ("प्रिया", "शर्मा"), id="Devanagari keeps its vowel signs"),
        pytest.param("  ", ("", ""), id="nothing"),
    ],
)
def test_a_full_name_is_split_sensibly(real_name, expected):
    assert split_name(real_name) == expected


@given(st.text())
def test_splitting_loses_no_word(real_name):
    first, last = split_name(real_name)

    assert sorted(f"{first} {last}".replace(",", " ").split()) == sorted(real_name.replace(",", " ").split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Ada <b>L.</b>", "Ada L.", id="markup is dropped as Docebo drops it"),
        pytest.param("A<<b>i>da", "Ada", id="nested markup, too"),
        pytest.param("2 < 3", "2 < 3", id="a lone bracket stays"),
        pytest.param(" Ada\t\n Lovelace ", "Ada Lovelace", id="white space is folded"),
        pytest.param("Jose\u0301", "José", id="accents are composed"),
        pytest.param("Zoë 🚀", "Zoë 🚀", id="emoji stay"),
        pytest.param("Zoë \ud83d", "Zoë", id="half of one goes"),
    ],
)
def test_text_is_brought_to_the_form_in_which_docebo_keeps_it(text, expected):
    assert clean(text) == expected


@given(st.text("<>ab "))
def test_markup_is_dropped_until_there_is_none(text):
    expected = text
    while expected != (expected := re.sub(r"<[^<>]*>", "", expected)):
        pass  # "<<b>i>" leaves "<i>" behind

    assert clean(text) == " ".join(expected.split())


@given(st.text() | st.text("<>e\u0301\u0316\u0344\x00\ud83d \u00a0", max_size=100))
def test_cleaning_twice_changes_nothing_more(text):
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        pytest.param("mi\u212ae@example.com", "mike@example.com", id="Kelvin sign"),
        pytest.param("bo\u017fs@example.com", "boss@example.com", id="long s"),
        pytest.param("stra\u00dfe@example.com", "strasse@example.com", id="sharp s"),
        pytest.param("o\ufb03ce@example.com", "office@example.com", id="ligature"),
    ],
)
def test_a_letter_that_looks_like_another_is_not_that_one(text, other):
    assert folded(text) != folded(other)


def test_only_letters_beyond_ascii_can_have_a_key_beyond_ascii():
    assert not [chr(code) for code in range(128, 0x110000) if folded(chr(code)).isascii() and not chr(code).isspace()]


def test_the_case_of_other_letters_does_not_matter():
    assert folded("ÉVA ß@Example.com") == folded("éva ß@example.com")


def test_case_does_not_tell_keys_apart():
    assert folded(" ADA@Example.com") == folded("ada@example.COM ")
