"""Stamps: Slack's `updated` of a person, unix seconds, and what may be concluded from it.

It is Slack's clock that makes them, and ours that says when something came: the two may differ.
"""

from datetime import datetime, timedelta

UNSTAMPED = 0
# Of what was applied, or read, last: nobody knows how new it is, so Slack is asked before anything else is.
NOT_BELIEVED = -1
TOLERANCE = timedelta(minutes=10)  # by which the clocks of machines may differ


def believed(stamp: int, now: datetime) -> int:
    """Return *stamp*, or UNSTAMPED where it is missing or lies further in the future than clocks differ."""
    return stamp if 0 < stamp <= (now + TOLERANCE).timestamp() else UNSTAMPED
