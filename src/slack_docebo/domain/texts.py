r"""Text of others: bounded where it comes in, escaped where it goes out.

Members write their names, titles and handles, and Slack and Docebo write messages. No such text is trusted to be short,
or to be harmless where it is shown. A character that cannot be seen, or that moves those around it, is shown as its
escape in Python, like `\u202e`, and a backslash as two: different texts look different, and `revealed` turns them back.
"""

import html
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

# Docebo and Slack publish no limits but for addresses; databases keep names in 255 characters.
LONGEST_NAME = 255
LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
LONGEST_VALUE = 10_000  # of a custom profile field or an additional field, which may be a whole paragraph
LONGEST_LINE = 4_000  # for people; the longest message of ours lists every setting

MARKS_KEPT = 30  # in a row; https://unicode.org/reports/tr15/#Stream_Safe_Text_Format
NAMED_AT_MOST = 5  # in a message
MARKS_SHOWN = 4  # in a row; https://unicode.org/reports/tr39/#Optional_Detection

COPIED_ALONG = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"  # what copying from a page may leave around a text
# Quotes as word processors make them.
CURLY = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2039\u203a"

# What Python calls printable and nobody sees: fillers, blanks and selectors, by Default_Ignorable_Code_Point.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_JOINER = "\u200d"  # holds an emoji together that is made of several
_ESCAPE = re.compile(r"\\(?:[\\ntr]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})")
# The characters of HTML's own markup, in all the ways to escape them. Nobody escapes others: read by HTML's rules, Law&ethics
# would be another text, and a user name of somebody's choice another one's address.
_HTML = re.compile(r"&(?:amp|lt|gt|quot|apos|#0?3[489]|#6[02]|#x2[267]|#x3[ce]);", re.IGNORECASE)
_FORMULA = re.compile(r"""[ "']*[=+\-@＝＋－＠]""")
_FORMULA_INSIDE = re.compile(f";(?={_FORMULA.pattern})")  # where the spreadsheet parts cells at semicolons
_BECOMES_LINK = re.compile(r"://|@|www\.", re.IGNORECASE)
# An e-mail address without a sign of markup.
_ADDRESS = re.compile(r"(?ai)(?!.*www\.)[a-z0-9]+([.+_-][a-z0-9]+)*@[a-z0-9]+([.-][a-z0-9]+)*")
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])")
# What a page that reads a cell as Markdown might take for more than text. Of two backslashes such a page shows one, and of
# the characters of HTML's markup that are escaped it shows these: both are harmless.
_MARKUP = re.compile(
    "|".join(
        (
            r"://|@|www\.",
            r"`.*`|~.*~",
            r"<[a-z/!?]",
            r"\][(\[:]",
            rf"(?!{_HTML.pattern})&(?=#?\w+;)",
            r"\*(?:.*\S)?\*",
            r"(?<![^\W_])_(?:.*\S)?_(?![^\W_])",
            r"^(?:>|(?:\d+[.)]|[-+*]|#{1,6})(?: |$)|[-*_= ]+$)",  # which begins a block
        )
    ),
    re.IGNORECASE,
)
_CODE_OR_CALL = re.compile(r"\\`|`[^`]*`|\\?[<>@]")  # a quote that is text and begins no code, code, what calls
_CALLS = re.compile("[<>@]")
_BEGINS_BLOCK = re.compile(r"^(\d+(?=[.)]$)|(?=(?:\+|#{1,6}|=+|-+)$))")  # as the first word of a line


# Where text comes in


def bounded(text: str, longest: int) -> str:
    """Return the first *longest* characters of *text*, or a few less so that no letter is parted from its marks.

    Not for text by which something is found, for half an address is another person's: see `whole_or_nothing`.
    """
    if len(text) <= longest:
        return text
    end = longest
    while end > longest - MARKS_KEPT and (_continues(text[end]) or text[end - 1] == _JOINER):
        end -= 1
    return text[:end]


def _continues(character: str) -> bool:
    return (
        unicodedata.category(character)[0] == "M" or character == _JOINER or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def whole_or_nothing(text: str, longest: int = LONGEST_NAME) -> str:
    """Return *text*, by which something is found, unchanged; "" if it has more than *longest* characters."""
    return text if len(text) <= longest else ""


def stripped(text: str) -> str:
    """Return *text* without the blanks, and the signs that nobody sees, which copying leaves around it."""
    return text.strip().strip(COPIED_ALONG).strip()


def unseen(text: str) -> str:
    """Return which characters of *text* nobody can see, like "U+200B, U+00AD"."""
    if text.isascii() and text.isprintable():
        return ""
    hidden = filter(_is_unseen, text)
    return ", ".join(f"U+{ord(character):04X}" for character in list(dict.fromkeys(hidden))[:NAMED_AT_MOST])


def without_unseen(text: str) -> str:
    """Return *text* without the characters that nobody can see."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character for character in text if not _is_unseen(character))


def _is_unseen(character: str) -> bool:
    return not character.isprintable() or bool(_UNSEEN.match(character))


def composed(text: str) -> str:
    """Return *text* in NFC; of marks in a row, those after the first MARKS_KEPT are left out.

    No script needs so many, and to sort the marks of one letter takes quadratic time.
    """
    if text.isascii():
        return text
    return _thinned(unicodedata.normalize("NFC", _thinned(text)))


def _thinned(text: str) -> str:
    if len(text) <= MARKS_KEPT:
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MARKS_KEPT:
            kept.append(character)
    return "".join(kept)


# Where text goes out


def unescaped(text: str) -> str:
    """Return *text* with the characters of HTML's markup that are written as HTML escapes them, like O&#039;Hara."""
    return _HTML.sub(lambda escaped: html.unescape(escaped[0]), text)


def visible(text: str) -> str:
    """Return all of *text* in one line, each invisible character as its escape; `revealed` turns it back."""
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    shown, marks = [], MARKS_SHOWN  # a mark at the start would sit on what stands before the text
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        plain = character.isprintable() and marks <= MARKS_SHOWN and character != "\\" and not _UNSEEN.match(character)
        shown.append(character if plain else _escaped(character))
    return "".join(shown)


def revealed(text: str) -> str:
    """Return the text that `visible` made *text* from."""
    return _ESCAPE.sub(lambda escape: escape[0].encode().decode("unicode_escape"), text)


def shortened(text: str, longest: int) -> str:
    """Return *text* or, if it has more than *longest* characters, its beginning and the number of the others."""
    start = bounded(text, longest)
    return text if start == text else f"{start}… ({len(text) - len(start):,} more)"


def line(text: str) -> str:
    """Return *text* as one line for people: on a terminal, in a log, a state or a mail."""
    return visible(shortened(text, LONGEST_LINE))


def lines(text: str) -> str:
    """Return *text* as lines for people, like a traceback: its line ends are kept, all else is shown as by `line`."""
    return "\n".join(map(line, text.split("\n")))


def markdown(text: str) -> str:
    """Return *text* as text within a line or a table cell of Markdown: no markup, no HTML, no link, no image.

    Only characters with a meaning there are escaped. Text that renderers turn into a link, escaped or not, becomes code.
    """
    words = [
        _without_link(word) if _BECOMES_LINK.search(word) else _MARKDOWN.sub(r"\\\g<0>", word)
        for word in line(text).split()
    ]
    return " ".join([_BEGINS_BLOCK.sub(r"\1\\", word) for word in words[:1]] + words[1:])


def cell(text: str) -> str:
    """Return *text* as the cell of a table artifact: as it is, unless a part of it could be taken for markup.

    Prefect's new pages show such cells as they are, so what `markdown` escapes would stand there with a backslash; its
    older ones read them as Markdown.
    """
    shown = " ".join(line(text).split())
    return markdown(text) if _MARKUP.search(shown) else shown


def address(text: str) -> str:
    """Return an e-mail address as the cell of a table artifact, as it is; whatever else *text* may be as `cell` does.

    Quotes around an address would be copied with it; Prefect's older pages make a link of it, to write to just that
    address.
    """
    return text if len(text) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(text) else cell(text)


def chat(text: str) -> str:
    """Return *text* as `markdown` does, but so that it mentions nobody in a chat.

    Text behind an @ or before an angle bracket, escaped or not, is to Apprise a mention of Slack's or Discord's, or an
    error.
    """
    return _CODE_OR_CALL.sub(_without_call, markdown(text))


def _without_call(found: re.Match[str]) -> str:
    """Spell out what calls somebody; a backslash before it means the character itself, but in code it is a backslash."""
    part = found[0] if "`" in found[0] else found[0][-1]
    return _CALLS.sub(lambda call: rf"\x{ord(call[0]):02x}", part)


def code(text: str) -> str:
    """Return *text* as code within a line or a table cell of Markdown, in which no character has a meaning."""
    return _as_code(line(text).strip())


def _without_link(word: str) -> str:
    """Return an address as code, that can be copied: what ends the sentence is no part of it."""
    address = word.rstrip(".,;:")
    return _as_code(address) + word[len(address) :]


def _as_code(shown: str) -> str:
    return "`" + shown.replace("`", r"\x60").replace("|", r"\x7c") + "`"


def people(count: int) -> str:
    """Return how many people *count* is, in words."""
    return "1 person" if count == 1 else f"{count:,} people"


def some_of(names: Sequence[object]) -> str:
    """Return the first of *names* for a message, and how many more there are."""
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return f"{', '.join(map(str, names[:NAMED_AT_MOST]))}{more}"


def number_of(noun: str, count: int) -> str:
    """Return how many of *noun*, which takes an s, there are, in words."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def without_numbers(text: str) -> str:
    """Return the words of *text* without a digit: those that messages about different people and numbers share."""
    return " ".join(word for word in text.split() if not any(map(str.isdigit, word)))


def armoured(text: str) -> str:
    """Return all of *text* as a CSV cell that no spreadsheet takes for a formula.

    https://owasp.org/www-community/attacks/CSV_Injection: a quote in front of what begins like one, also in the middle
    where some spreadsheets begin a new cell.
    """
    cell = _FORMULA_INSIDE.sub(r"\\x3b", visible(text))
    return f"'{cell}" if _FORMULA.match(cell) else cell


def bared(cell: str) -> str:
    """Return the text from which `armoured` made *cell*; a quote that `armoured` did not add stays."""
    return revealed(cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell)


def as_json(value: Any, *, indent: int | None = None) -> str:
    """Return *value* as JSON with every invisible character escaped, which UTF-8 can hold and programs read back.

    Values of types that JSON does not have are written as text.
    """
    written = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    if written.replace("\n", "").isprintable() and not _UNSEEN.search(written):
        return written  # the line ends are those of *indent*: in a text they are escaped
    return "".join(
        character
        if character == "\n" or (character.isprintable() and not _UNSEEN.match(character))
        else _as_json(character)
        for character in written
    )


def _as_json(hidden: str) -> str:
    return json.dumps(hidden)[1:-1].replace("\x7f", r"\u007f")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
