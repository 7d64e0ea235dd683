"""Single values as Docebo sends them: ids and numbers as text or number, a yes as boolean, number or text."""

import html
from collections.abc import Mapping
from typing import Any

from slack_docebo.clients.yes_and_no import says_no, says_yes
from slack_docebo.domain.addresses import is_address
from slack_docebo.domain.people import LARGEST_ID
from slack_docebo.domain.texts import LONGEST_VALUE, bounded, unescaped
from slack_docebo.redaction import redacted

MESSAGE_READ = 2_000  # characters of a message
MESSAGE_DEPTH = 5  # levels of lists and objects in a message


def read_id(value: object) -> int | None:
    """Read an id sent as a number or as text; None for anything else, also for more digits than an id has."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        return int(value)
    return value if type(value) is int and 0 <= value <= LARGEST_ID else None


def read_text(value: object) -> str:
    """Read a value that should be text, to LONGEST_VALUE characters; numbers are written out, anything else is ""."""
    if isinstance(value, str):
        return bounded(value, LONGEST_VALUE)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def read_words(value: object) -> str:
    """Read a text that people have written: a platform may show characters in HTML form, like O&#039;Hara."""
    return unescaped(read_text(value))


def as_list(value: object) -> list[Any] | None:
    """Return an array, None for anything else; PHP may send one as an object whose keys are positions or ids."""
    if isinstance(value, dict) and all(map(str.isdecimal, value)):
        return [value[place] for place in sorted(value, key=int)]
    return value if isinstance(value, list) else None


def is_verdict(success: object) -> bool:
    """Tell whether *success* is a readable yes or no."""
    return says_yes(success) or says_no(success)


def username_of(shown: Mapping[str, object]) -> str:
    """Read the username that is *shown*: Docebo's database has a slash before each, and may show it."""
    return read_words(shown.get("username")).removeprefix("/")


def read_flag(value: object, *, missing: bool) -> bool:
    """Read a yes or no sent as a boolean, as a number or as text."""
    return missing if value is None or value == "" else not says_no(value)


def is_hidden(email: object) -> bool:
    """Tell whether an e-mail address is not shown, and another text is in its place, which may also mean none."""
    return not isinstance(email, str) or (bool(email.strip()) and not is_address(email))


def message_of(body: object) -> str:
    """Return what Docebo says in *body*, in one line without a secret; "" if it says nothing.

    It sends messages as text, as a list of texts or of objects with a `message`, or as PHP's word "Array". They may name
    anybody: `quoted` is what may be shown.
    """
    # Secrets are taken out before the text is cut: a part of one would not be recognised.
    said = " ".join(redacted(html.unescape(_said(body, MESSAGE_DEPTH)[: 10 * MESSAGE_READ])).split())
    return "" if said == "Array" else bounded(said, MESSAGE_READ)


def _said(message: object, depth: int) -> str:
    if isinstance(message, dict):
        message = message.get("message")
    if isinstance(message, list):
        return "; ".join(filter(None, (_said(part, depth - 1) for part in message))) if depth else ""
    return read_text(message).strip()
