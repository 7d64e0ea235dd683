from datetime import UTC, date, datetime

import pytest

from slack_docebo.domain.freezing import frozen_until, parse_freeze

YEARS_END = parse_freeze("2026-12-20 to 2027-01-06")
AUDIT = parse_freeze("2026-12-24")


@pytest.mark.parametrize("text", ["2026-12-20 to 2027-01-06", "2026-12-24"])
def test_days_are_written_as_they_are_read(text):
    assert str(parse_freeze(f" {text.upper()} ")) == text


@pytest.mark.parametrize("text", ["2026-12-20\u00a0to\u00a02027-01-06", "2026\u201112\u201120 to 2027\u201301\u201306"])
def test_days_may_be_copied_from_a_page_or_a_word_processor(text):
    assert parse_freeze(text) == YEARS_END


def test_of_days_in_the_wrong_order_it_is_said_that_they_are():
    with pytest.raises(ValueError, match=r"it ends before it begins"):
        parse_freeze("2027-01-06 to 2026-12-20")


@pytest.mark.parametrize(
    "text",
    ["", "2026-12-20 - 2027-01-06", "٢٠٢٦-12-20", "2026-02-30", "20.12.2026", "always", "2026-12-20 to"],
)
def test_what_is_no_range_of_days_is_refused_with_the_right_form(text):
    with pytest.raises(ValueError, match="write it like 2026-12-20 to 2027-01-06"):
        parse_freeze(text)


@pytest.mark.parametrize(
    ("now", "zone", "until"),
    [
        ("2026-12-19T23:59", "Etc/UTC", None),
        ("2026-12-20T00:00", "Etc/UTC", date(2027, 1, 6)),
        ("2026-12-24T12:00", "Etc/UTC", date(2027, 1, 6)),
        ("2027-01-06T23:59", "Etc/UTC", date(2027, 1, 6)),
        ("2027-01-07T00:00", "Etc/UTC", None),
        ("2026-12-19T23:30", "Europe/Rome", date(2027, 1, 6)),
        ("2027-01-07T03:00", "America/New_York", date(2027, 1, 6)),
    ],
)
def test_days_begin_and_end_by_the_clock_of_the_time_zone(now, zone, until):
    assert frozen_until([AUDIT, YEARS_END], datetime.fromisoformat(now).replace(tzinfo=UTC), zone) == until
