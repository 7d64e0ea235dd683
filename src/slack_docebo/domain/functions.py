"""The functions that expressions have beside those of CEL: what names, addresses and dates need."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from slack_docebo.domain.lookup import NoValue

_WORD = re.compile(r"[^\s-]+")
_PARTS_OF_DATE = re.compile("YYYY|MM|DD")
_DIGITS = {"YYYY": r"(?P<year>\d{4})", "MM": r"(?P<month>\d{1,2})", "DD": r"(?P<day>\d{1,2})"}
# Letters that are no letter of ASCII with a mark.
_LATIN = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "ħ": "h", "Ħ": "H", "’": "'", "‐": "-"}
)


class NoValueError(Exception):
    """A function has no value for what it was given."""

    def __init__(self, found: NoValue) -> None:
        super().__init__(found.why)
        self.found = found


class Signature(NamedTuple):
    """One way to call a function, and what it then does."""

    name: str
    takes: tuple[type, ...]
    does: Callable[..., str]


def titled(text: str) -> str:
    """Return *text* with a capital at the beginning of each word, and of each part of a double name."""
    return _WORD.sub(lambda word: word[0][:1].upper() + word[0][1:].lower(), text)


def in_ascii(text: str) -> str:
    """Return *text* in ASCII letters: marks are dropped, and so are characters without an ASCII form."""
    parted = unicodedata.normalize("NFKD", text.translate(_LATIN))
    return "".join(character for character in parted if character.isascii())


def before(text: str, separator: str) -> str:
    """Return what stands before the first *separator*; all of *text* where there is none."""
    return text.partition(separator)[0] if separator else text


def after(text: str, separator: str) -> str:
    """Return what stands behind the first *separator*; nothing where there is none."""
    return text.partition(separator)[2] if separator else ""


def first_of(*texts: str) -> str:
    """Return the first of *texts* that is not empty."""
    return next(filter(None, texts), "")


def first_letters(text: str, number: int) -> str:
    """Return the first *number* characters of *text*."""
    return text[: max(number, 0)]


def day(text: str, form: str = "YYYY-MM-DD") -> str:
    """Return the day that *text* begins with, written in *form*, as Docebo writes it; nothing stays nothing.

    Raises NoValueError where it is no day.
    """
    if not text.strip():
        return ""
    pattern = _PARTS_OF_DATE.sub(lambda part: _DIGITS[part[0]], re.escape(form))
    try:
        found = re.match(rf"{pattern}(?!\d)", text.strip(), re.ASCII)
        if found and len(found.groupdict()) == len(_DIGITS):
            return date(*(int(found[part]) for part in ("year", "month", "day"))).isoformat()
    except (ValueError, re.error):
        pass
    raise NoValueError(NoValue(text, f"it is no date like {form}"))


def days_later(text: str, days: int) -> str:
    """Return the day that is so many *days* after the one in *text*; nothing stays nothing."""
    if not (start := day(text)):
        return ""
    try:
        return (date.fromisoformat(start) + timedelta(days=days)).isoformat()
    except OverflowError:
        raise NoValueError(NoValue(text, "the calendar ends before that day")) from None


MOST_CHOICES = 6
FUNCTIONS = (
    Signature("lower", (str,), str.lower),
    Signature("upper", (str,), str.upper),
    Signature("title", (str,), titled),
    Signature("ascii", (str,), in_ascii),
    Signature("before", (str, str), before),
    Signature("after", (str, str), after),
    *(Signature("first", (str,) * number, first_of) for number in range(2, MOST_CHOICES + 1)),
    Signature("first", (str, int), first_letters),
    Signature("date", (str,), day),
    Signature("date", (str, str), day),
    Signature("date", (str, int), days_later),
)
