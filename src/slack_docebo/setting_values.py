"""The values of the table of settings: each type reads what somebody wrote into one form, or says what is right."""

import json
import re
from datetime import time
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, InstanceOf

from slack_docebo import cel
from slack_docebo.domain.entries import read_each
from slack_docebo.domain.freezing import Freeze, parse_freeze
from slack_docebo.domain.guards import Limit, parse_limit
from slack_docebo.domain.rules import AttributeRule, parse_rules
from slack_docebo.domain.texts import CURLY, stripped

LONGEST_DELAY = 366 * 24 * 3600  # seconds
SEPARATORS = re.compile(r"[,;\t\r\n]")
NEVER_IN_PATTERNS = f" \t\u00a0\"'{{}}<>|,;{CURLY}"
FULL_WIDTH = re.compile("[\uff01-\uff5e\u3001\u3002]")  # letters, digits and signs as typed with an Asian keyboard
OF_MACHINES = {"posix", "right", "posixrules", "localtime", "Factory"}  # zones that not all know, or not as the same
CURLY_QUOTES = re.compile("[\u201c\u201d\u201e]")
DOMAIN = re.compile(r"(?=.{1,253}$)[\w-]{1,63}(\.[\w-]{1,63})*")
HANDLE = re.compile(r"[^\s@,;]{1,80}")
MAIL_ADDRESS = re.compile(rf"(?:[^<>@]*<)?([\w!#$%&'*+/=?^`{{|}}~.-]{{1,64}}@{DOMAIN.pattern})>?", re.ASCII)
MIRROR_EXAMPLE = "Slack ID, Slack Name, Slack Team"


def _is_true(value: object) -> bool:
    return str(value).strip().lower() == "true"


def _true_or_false(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in {"true", "false"}:
        raise ValueError("write true or false")
    return text == "true"


def _lower(value: object) -> str:
    return str(value).strip().lower()


def _words(value: object) -> tuple[str, ...]:
    """Read a list: a JSON list, or text with commas, semicolons, tabs or line breaks between its entries."""
    if isinstance(value, list):
        if not all(isinstance(word, str | int | float) for word in value):
            raise ValueError("write a list of texts")
        words = list(map(str, value))
    else:
        words = SEPARATORS.split(str(value))
    return tuple(filter(None, map(stripped, words)))


def rules_of(value: object) -> tuple[AttributeRule, ...]:
    """Read the attribute mapping: a text, or a JSON list of texts; quotes may be those that word processors make of them."""
    text = "\n".join(_words(value)) if isinstance(value, list) else str(value)
    return parse_rules(text if '"' in text else CURLY_QUOTES.sub('"', text), cel.compiled)


def _in_usual_width(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return *words*; raise ValueError for one that only looks like what addresses and ids are written in.

    An entry may be somebody's address, and what is wrong is mailed: so it is named by its place.
    """
    for place, word in enumerate(words, 1):
        if wide := FULL_WIDTH.search(word):
            raise ValueError(
                f"entry {place} fits nobody: its {wide[0]!r} is of full width, as no address or id has it; type it anew"
            )
    return words


def _patterns(value: object) -> tuple[str, ...]:
    words = _in_usual_width(_words(value))
    for place, word in enumerate(words, 1):
        if strange := next((sign for sign in word if sign in NEVER_IN_PATTERNS or not sign.isprintable()), ""):
            raise ValueError(
                f"entry {place} is no pattern, for {strange!r} is in it: write entries like ann@example.com, *@example.com or"
                " U012AB3CD with commas in between, without quotes, and ? for a blank"
            )
        if word.startswith(("@", "mailto:")):
            raise ValueError(f"entry {place} fits nobody: write ann@example.com, or *@example.com for everybody there")
    return words


def _domains(value: object) -> tuple[str, ...]:
    words = tuple(word.removeprefix("@").casefold() for word in _in_usual_width(_words(value)))
    for place, word in enumerate(words, 1):
        if not DOMAIN.fullmatch(word) or "." not in word:
            raise ValueError(
                f"entry {place} is no e-mail domain: write domains like example.com with commas in between; patterns belong"
                " into SCOPE_INCLUDE"
            )
    return words


def _handles(value: object) -> tuple[str, ...]:
    words = tuple(word.removeprefix("@") for word in _words(value))
    for place, word in enumerate(words, 1):
        if not HANDLE.fullmatch(word):
            raise ValueError(
                f"entry {place} is no handle of a user group: write handles like @learners with commas in between"
            )
    return words


def mail_addresses(value: object) -> str:
    """Read a list of addresses, each alone or as in a mail's head: `Ada <ada@example.com>`."""
    found = list(map(MAIL_ADDRESS.fullmatch, _words(value)))
    if not all(found):
        raise ValueError(
            "write an e-mail address, or several with commas in between, or leave the value empty: no server takes mail to"
            " what is there"
        )
    return ", ".join(address[1] for address in found if address)


def _percent(value: object) -> int:
    digits = str(value).strip().removesuffix("%").strip()
    if not digits.isdecimal() or int(digits) > 100:
        raise ValueError("write a percentage from 0 to 100")
    return int(digits)


def _three_titles(value: object) -> tuple[str, ...]:
    titles = _words(value)
    if titles and (len(titles), len({title.casefold() for title in titles})) != (3, 3):
        raise ValueError(
            f"write the titles of three additional fields, like {MIRROR_EXAMPLE}, or leave the value empty"
        )
    return titles


def _seconds(value: object) -> tuple[int, ...]:
    words = _words(value)
    if not all(word.isdecimal() for word in words):
        raise ValueError("write seconds, comma-separated, like 30, 120, 600")
    seconds = tuple(map(int, words))
    if max(seconds, default=0) > LONGEST_DELAY:
        raise ValueError(f"write at most a year, which is {LONGEST_DELAY} seconds")
    return seconds


def _time_of_day(value: object) -> time | None:
    text = str(value).strip()
    if not text:
        return None
    hours, _, minutes = text.partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(hours) < 24 and int(minutes) < 60):
        raise ValueError("write a time of day like 02:30, or leave the value empty")
    return time(int(hours), int(minutes))


def _time_zone(value: object) -> str:
    name = str(value).strip()
    try:
        known = ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = ""
    if not known or known.partition("/")[0] in OF_MACHINES:
        raise ValueError("write the name of a time zone like Europe/Rome, America/New_York or Etc/UTC")
    return known


def _whole(value: object) -> str:
    """Return a whole number as it is written; raise ValueError for 10.000, which may be ten thousand, or ten."""
    text = str(value).strip()
    if "." in text:
        raise ValueError("write a whole number, of digits alone")
    return text


Flag = Annotated[bool, BeforeValidator(_true_or_false)]
OnlyTrue = Annotated[bool, BeforeValidator(_is_true)]  # "anything else: off", as in the retired product
OneWord = BeforeValidator(_lower)  # before a choice of words
Whole = Annotated[int, BeforeValidator(_whole)]
WholeOrNone = Annotated[int | None, BeforeValidator(lambda value: _whole(value) or None)]
Percent = Annotated[int, BeforeValidator(_percent)]
Seconds = Annotated[tuple[int, ...], BeforeValidator(_seconds)]
TimeOfDay = Annotated[time | None, BeforeValidator(_time_of_day)]
TimeZone = Annotated[str, BeforeValidator(_time_zone)]
Days = Annotated[
    tuple[Freeze, ...], BeforeValidator(lambda value: read_each(_words(value), parse_freeze, called="entry"))
]
MailAddresses = Annotated[str, BeforeValidator(mail_addresses)]
Domains = Annotated[tuple[str, ...], BeforeValidator(_domains)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_patterns)]
Handles = Annotated[tuple[str, ...], BeforeValidator(_handles)]
ThreeTitles = Annotated[tuple[str, ...], BeforeValidator(_three_titles)]
Rules = Annotated[tuple[InstanceOf[AttributeRule], ...], BeforeValidator(rules_of)]
LimitText = Annotated[Limit, BeforeValidator(lambda value: parse_limit(", ".join(_words(value))))]


def as_written(value: object) -> str:
    """Return the text that stands for *value* in the table."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case time():
            return f"{value:%H:%M}"
        case tuple() | list():
            entries = list(map(str, value))
            # A rule holds separators in quotes and brackets only, where they part nothing.
            is_parted = any(isinstance(entry, str) and SEPARATORS.search(entry) for entry in value)
            return json.dumps(entries) if is_parted else ", ".join(entries)
        case _:
            return str(value)
