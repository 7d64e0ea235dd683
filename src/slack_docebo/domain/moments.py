"""Moments, as people read them."""

from datetime import datetime
from zoneinfo import ZoneInfo


def in_utc(moment: datetime) -> str:
    """Return *moment*, which is in UTC, to the minute, as people read it: 2026-11-28 17:44 UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def to_the_second(moment: datetime) -> str:
    """Return *moment*, which is in UTC, to the second, as people read it: 2026-11-28 17:44:09 UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def in_zone(moment: datetime, time_zone: str) -> str:
    """Return *moment* to the minute, as people who live in *time_zone* read it: 2026-11-28 18:44 CET."""
    return f"{moment.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M %Z}"
