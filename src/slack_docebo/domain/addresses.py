"""E-mail addresses, compared as mailboxes are: what mail to them reaches, however they are written.

In the local part no case counts of ASCII letters. A domain may be written in Unicode or, label by label, as Punycode
(RFC 5890). An accent is the same as a part of its letter and as a character of its own (RFC 6532, 3.1). Letters that only
look alike stay different: mail to them goes to different people.
"""

import re
import unicodedata

from slack_docebo.domain.names import folded
from slack_docebo.domain.texts import COPIED_ALONG, CURLY, composed

PREFIX = "xn--"
# For what is masked, as in "a***@example.com", and what stands around an address in a mail's head: no mailbox has them.
IN_NO_ADDRESS = frozenset("*\u2022<>")
AROUND = f" \t\r\n\u00a0\"',;{COPIED_ALONG}{CURLY}"  # an address that was copied
_IN_BRACKETS = re.compile(r"<([^<>]+)>$")
# Signs of which `normalize` makes an ASCII character, which they are not: the Kelvin sign is no k.
_BECOMES_ASCII = re.compile("([\u037e\u1fef\u212a])")


def is_address(shown: str) -> bool:
    """Tell whether what is *shown* can be an address: a masked one is none, nor is what stands in its place, like "N/A"."""
    return "@" in shown and IN_NO_ADDRESS.isdisjoint(shown)


def mailbox(address: str) -> str:
    """Return the key by which *address* is compared; a text that is no address is compared without regard to case."""
    local, at, domain = address.strip().rpartition("@")
    if not at:
        return folded(_composed(address))
    if address.isascii() and PREFIX not in domain.lower():
        return f"{local}@{domain}".lower()
    return f"{_without_ascii_case(_composed(local))}@{mail_domain(domain)}"


def pattern_keys(address: str) -> tuple[str, ...]:
    """Return the keys by which patterns are compared with *address*: without regard to case, and as a mailbox.

    A letter is the same whether its accent is a part of it or a character of its own: two programs have typed it.
    """
    written = folded(address)
    if written.isascii() and PREFIX not in written:
        return (written,)
    return written, mailbox(address), unicodedata.normalize("NFC", written)


def as_meant(typed: str) -> str:
    """Return the address or the id that is *typed*: it may come as in a mail's head, from a link, or in quotes."""
    text = typed.strip(AROUND)
    bracketed = _IN_BRACKETS.search(text)
    return (bracketed[1] if bracketed else text).strip(AROUND).removeprefix("mailto:")


def mail_domain(domain: str) -> str:
    """Return the key by which a domain is compared, with Punycode decoded."""
    return ".".join(map(_in_unicode, domain.split(".")))


def spellings(address: str) -> list[str]:
    """Return *address* as it is, and in the other ways in which its accents and its domain may be written."""
    local, at, domain = address.strip().rpartition("@")
    labels = mail_domain(domain).split(".")
    is_plain = all(label.isascii() for label in labels)
    if not at or (local.isascii() and is_plain):
        return [address]
    domains = [domain] if is_plain else [".".join(labels), ".".join(map(_in_ascii, labels))]
    ways = [f"{part}@{domain}" for part in (local, _composed(local), _decomposed(local)) for domain in domains]
    return list(dict.fromkeys([address.strip(), *ways]))


def _without_ascii_case(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)


def _in_unicode(label: str) -> str:
    label = _lowered(label)
    if not label.startswith(PREFIX):
        return label
    try:
        decoded = label.removeprefix(PREFIX).encode("ascii").decode("punycode")
        is_right = not decoded.isascii() and _lowered(decoded) == decoded and _in_ascii(decoded) == label
    except UnicodeError:
        return label
    return decoded if is_right else label  # what is no right name of another label stands for itself


def _in_ascii(label: str) -> str:
    return label if label.isascii() else PREFIX + label.encode("punycode").decode("ascii")


def _lowered(label: str) -> str:
    if label.isascii():
        return label.lower()
    # Letter by letter, so that a sigma at the end stays another one.
    return _composed("".join(map(_lower, label)))


def _lower(character: str) -> str:
    return character if _BECOMES_ASCII.match(character) else character.lower()


def _composed(text: str) -> str:
    return text if text.isascii() else "".join(map(_part_composed, _BECOMES_ASCII.split(text)))


def _part_composed(part: str) -> str:
    return part if _BECOMES_ASCII.match(part) else composed(part)


def _decomposed(text: str) -> str:
    parts = _BECOMES_ASCII.split(_composed(text))
    return "".join(part if _BECOMES_ASCII.match(part) else unicodedata.normalize("NFD", part) for part in parts)
