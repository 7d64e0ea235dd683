"""Days on which nothing is written, such as those of an audit or a migration."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAYS = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\s+to\s+([0-9]{4}-[0-9]{2}-[0-9]{2}))?", re.IGNORECASE)
_DASHES = re.compile("[\u2010-\u2015\u2212]")  # as word processors make them


class Freeze(NamedTuple):
    """From the beginning of one day to the end of another, or of the same."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


def parse_freeze(text: str) -> Freeze:
    """Read `2026-12-20 to 2027-01-06` or a single day. Raises ValueError that says what is allowed."""
    found = _DAYS.fullmatch(_DASHES.sub("-", text.strip()))
    try:
        days = [date.fromisoformat(day) for day in found.groups() if day] if found else []
    except ValueError:
        days = []
    if days and days[0] > days[-1]:
        raise ValueError("it ends before it begins")
    if not days:
        raise ValueError("no range of days: write it like 2026-12-20 to 2027-01-06")
    return Freeze(days[0], days[-1])


def frozen_until(freezes: Iterable[Freeze], now: datetime, zone: str) -> date | None:
    """Return the last day of the range that *now* is in where clocks are those of *zone*, None if it is in none."""
    today = now.astimezone(ZoneInfo(zone)).date()
    return max((freeze.last for freeze in freezes if freeze.first <= today <= freeze.last), default=None)
