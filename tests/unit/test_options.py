"""What an attribute can hold, in the form in which it is written and the one in which it is compared."""

import pytest

from slack_docebo.domain.formulas import OneSource
from slack_docebo.domain.options import YES_OR_NO, Dates, Options, is_day_written_otherwise
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.rules import NOT_HELD, UNCLEAR, AttributeRule, Shortfall

GRADES = Options.of({"1": "Junior", "2": "Senior"}, [("2", "Älter")])


@pytest.mark.parametrize(
    ("values", "said", "written", "compared"),
    [
        (GRADES, "senior", "2", "Senior"),
        (GRADES, "ÄLTER", "2", "Senior"),
        (GRADES, "2", "2", "Senior"),
        (GRADES, "Admiral", "", None),
        (YES_OR_NO, "Yes", "1", "yes"),
        (YES_OR_NO, "false", "2", "no"),
        (YES_OR_NO, "0", "2", "no"),
        (YES_OR_NO, "perhaps", "", None),
        (Dates(), "2026-05-31", "2026-05-31", "2026-05-31"),
        (Dates(), "2026-05-31T10:00:00Z", "2026-05-31", "2026-05-31"),
        (Dates(), "31.05.2026", "", None),
        (Dates(), " 2026-05-31 10:00", "2026-05-31", "2026-05-31"),
        (Dates(), "2026-02-30", "", None),
        (Dates(), "2026-05-311", "", None),
        (Dates(), "2026-W22", "", None),
        (Dates(), "20260531", "", None),
    ],
)
def test_a_value_is_written_and_compared_in_the_form_of_its_field(values, said, written, compared):
    assert (values.id(said), values.named(said)) == (written, compared)


def test_an_option_is_found_that_only_the_view_of_its_field_labels():
    grades = Options.of({}, [("2", "Senior"), ("2", "Älter"), ("3", "Junior")])

    assert (grades.id("älter"), grades.named("älter"), grades.label("3")) == ("2", "Senior", "Junior")


def test_of_two_options_with_one_label_the_first_is_written_and_either_is_the_same_value():
    grades = Options.of({"1": "Junior", "7": "Junior"})

    assert (grades.id("junior"), grades.label("1"), grades.label("7")) == ("1", "Junior", "Junior")


MONITORS = Options.of({"1": "3", "2": "1", "3": "None", "4": "Four", "7": "7"}, [("4", "8"), ("5", "9")])


@pytest.mark.parametrize("value", ["1", "3", "None"])
def test_an_option_that_docebo_may_take_for_another_one_is_neither_read_nor_written(value):
    rule = AttributeRule("field_3", OneSource("title"), values=MONITORS)
    person = SourceUser("U1", "T1", title=value)

    assert (MONITORS.id(value), MONITORS.label(value)) == ("", value)
    assert rule.value(person) is None
    assert rule.shortfall(person) == Shortfall("field_3", value, UNCLEAR)


@pytest.mark.parametrize(("value", "option", "label"), [("four", "4", "Four"), ("8", "4", "Four"), ("7", "7", "7")])
def test_the_other_options_of_a_field_with_unclear_ones_are_written_as_ever(value, option, label):
    assert (MONITORS.id(value), MONITORS.named(value), MONITORS.label(option)) == (option, label, label)


@pytest.mark.parametrize(
    ("values", "shown", "compared"),
    [
        (GRADES, "2", "Senior"),
        (GRADES, "älter", "Senior"),
        (GRADES, "9", "9"),
        (GRADES, "", ""),
        (YES_OR_NO, "1", "yes"),
        (YES_OR_NO, "No", "no"),
        (YES_OR_NO, "", ""),
        (YES_OR_NO, "0", ""),
        (Dates(), "2026-05-31 00:00:00", "2026-05-31"),
        (Dates(), "", ""),
        (Dates(), "0000-00-00", ""),
        (Dates(), "0000-00-00 00:00:00", ""),
    ],
)
def test_what_docebo_shows_is_compared_in_the_same_form(values, shown, compared):
    assert values.label(shown) == compared


def test_what_an_attribute_cannot_hold_is_told_from_what_slack_does_not_say():
    rule = AttributeRule("field_3", OneSource("title"), values=GRADES)

    assert rule.shortfall(SourceUser("U1", "T1", title="Admiral")) == Shortfall("field_3", "Admiral", NOT_HELD)
    assert rule.shortfall(SourceUser("U1", "T1", title="Senior")) is None
    assert rule.shortfall(SourceUser("U1", "T1")) is None
    assert AttributeRule("field_3", OneSource("title")).shortfall(SourceUser("U1", "T1", title="Admiral")) is None


@pytest.mark.parametrize(
    ("shown", "is_it"),
    [
        *((shown, True) for shown in ("31/05/2026", "05/31/2026", "31.5.2026", "31-05-2026", "31/05/2026 00:00")),
        *((shown, False) for shown in ("", "2026-05-31", "30/05/2026", "31/05/2025", "31/05/20261", "no day")),
    ],
)
def test_the_same_day_is_known_in_another_form(shown, is_it):
    assert is_day_written_otherwise("2026-05-31", shown) is is_it
