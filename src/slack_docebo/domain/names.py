"""Names, and the forms in which text of Slack and of Docebo can be compared."""

import re
import unicodedata

from slack_docebo.domain.texts import composed, stripped

_BRACKET = re.compile(r"([<>])")
_LOOKS_ASCII = re.compile("[\u00df\u017f\u1e9e\u212a\ufb00-\ufb06]")  # what case folding makes ASCII letters of
_PARTICLES = frozenset(("af", "al", "bin", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos", "du"))
_PARTICLES |= {"el", "la", "le", "los", "ten", "ter", "van", "vom", "von", "zu", "zum", "zur"}


def clean(text: str) -> str:
    """Return *text* as Docebo keeps it, so that what was written compares equal to what is read back.

    Docebo sanitises names on writing; what is known is that angle-bracketed content is dropped. Control
    characters and runs of white space are folded and the composition of accents is fixed for the same reason. Half
    an emoji, which JSON can hold and no request can, is dropped.
    """
    if "<" in text:
        text = _without_markup(text)
    text = composed(text)
    if not text.isprintable():  # nearly all text is, and to look at each character takes long
        text = "".join(" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in text)
    return " ".join(text.split())


def _without_markup(text: str) -> str:
    """Drop each pair of angle brackets and the text between, repeatedly until no pair is left."""
    kept: list[str] = []
    opened: list[int] = []  # where in *kept* the brackets stand that are not closed yet
    for part in _BRACKET.split(text):
        if part == ">" and opened:
            del kept[opened.pop() :]
            continue
        if part == "<":
            opened.append(len(kept))
        kept.append(part)
    return "".join(kept)


def split_name(real_name: str) -> tuple[str, str]:
    """Return first and last name of someone who has only a full name.

    The last word is the last name, together with the particles before it ("van Beethoven"); "Lovelace, Ada" is
    turned round; a single word is a first name.
    """
    if real_name.count(",") == 1:
        last, first = (part.strip() for part in real_name.split(","))
        if last and first:
            return first, last
    words = real_name.split()
    if len(words) < 2:
        return " ".join(words), ""
    start = len(words) - 1
    while start > 1 and words[start - 1] in _PARTICLES:
        start -= 1
    return " ".join(words[:start]), " ".join(words[start:])


def folded(text: str) -> str:
    """Return *text* as a key for comparison without regard to case, as Docebo compares usernames.

    No other letter becomes an ASCII one: the Kelvin sign is no k, and "straße" is not "strasse". In an address that is
    another mailbox, and may be another person's.
    """
    text = text.strip()
    if text.isascii() or not _LOOKS_ASCII.search(text):
        return text.casefold()
    return "".join(character if _LOOKS_ASCII.match(character) else character.casefold() for character in text)


def as_compared(text: str) -> str:
    """Return *text* as names, labels and titles are compared: in any case, with whatever blanks, however an accent is composed.

    Signs that nobody sees, which copying leaves around a text, make no difference either.
    """
    return folded(clean(stripped(text)))
