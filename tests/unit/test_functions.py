"""The functions of expressions, on names and dates as people have them."""

import pytest

from slack_docebo.domain.functions import NoValueError, after, before, day, days_later, first_letters, in_ascii, titled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Zoë Łukasz-Ørsted", "Zoe Lukasz-Orsted"),
        ("Straße", "Strasse"),
        ("Þórður Æsir", "Thordur AEsir"),
        ("Jürgen D’Arc", "Jurgen D'Arc"),
        ("Иван Li 李", " Li "),
    ],
)
def test_ascii_keeps_the_letter_below_the_mark_and_drops_what_has_none(text, told):
    assert in_ascii(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [("ada LOVELACE-king", "Ada Lovelace-King"), ("o'neill", "O'neill"), ("éva", "Éva"), ("", ""), ("ß", "SS")],
)
def test_title_begins_each_word_with_a_capital(text, told):
    assert titled(text) == told


def test_what_stands_before_and_after():
    assert (before("a@b@c", "@"), after("a@b@c", "@")) == ("a", "b@c")
    assert (before("abc", "@"), after("abc", "@")) == ("abc", "")
    assert (before("abc", ""), after("abc", "")) == ("abc", "")
    assert (first_letters("abc", 2), first_letters("abc", 9), first_letters("abc", -1)) == ("ab", "abc", "")


@pytest.mark.parametrize(
    ("text", "form", "told"),
    [
        ("2026-05-31", "YYYY-MM-DD", "2026-05-31"),
        (" 2026-05-31T08:00:00Z", "YYYY-MM-DD", "2026-05-31"),
        ("31.5.2026", "DD.MM.YYYY", "2026-05-31"),
        ("5/31/2026", "MM/DD/YYYY", "2026-05-31"),
        ("", "DD.MM.YYYY", ""),
    ],
)
def test_a_day_is_read_in_its_form(text, form, told):
    assert day(text, form) == told


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2026-02-30", "YYYY-MM-DD"),
        ("31.05.2026", "YYYY-MM-DD"),
        ("2026-05-311", "YYYY-MM-DD"),
        ("2026", "YYYY"),
        ("20262026-01-01", "YYYYYYYY-MM-DD"),
        ("٢٠٢٦-٠٥-٣١", "YYYY-MM-DD"),
    ],
)
def test_what_is_no_day_has_no_value(text, form):
    with pytest.raises(NoValueError, match="it is no date like"):
        day(text, form)


def test_days_are_counted_over_months_and_to_the_end_of_the_calendar():
    assert (days_later("2026-12-31", 1), days_later("2026-03-01", -1), days_later("", 5)) == (
        "2027-01-01",
        "2026-02-28",
        "",
    )
    with pytest.raises(NoValueError, match="the calendar ends before that day"):
        days_later("2026-12-31", 10**9)
