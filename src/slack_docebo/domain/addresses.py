"""E-mail addresses, compared as mailboxes are: what mail to them reaches, however they are written.

In the local part no case counts of ASCII letters. A domain may be written in Unicode or, label by label, as Punycode
(RFC 5890). Letters that only look alike stay different: mail to them goes to different people.
"""

import re
import unicodedata

from slack_docebo.domain.names import folded
from slack_docebo.domain.texts import COPIED_ALONG, CURLY

PREFIX = "xn--"
AROUND = f" \t\r\n\u00a0\"',;{COPIED_ALONG}{CURLY}"  # an address that was copied
_IN_BRACKETS = re.compile(r"<([^<>]+)>$")
KELVIN = "\u212a"  # a sign of which `lower` and `normalize` make a k, which it is not


def mailbox(address: str) -> str:
    """Return the key by which *address* is compared; what is no address is compared without regard to case."""
    local, at, domain = address.strip().rpartition("@")
    if not at:
        return folded(address)
    if address.isascii() and PREFIX not in domain.lower():
        return f"{local}@{domain}".lower()
    return f"{_without_ascii_case(local)}@{mail_domain(domain)}"


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
    """Return the key by which a domain is compared, without what is written in Punycode."""
    return ".".join(map(_in_unicode, domain.split(".")))


def spellings(address: str) -> list[str]:
    """Return *address* as it is, and with its domain written the other way where there is one."""
    local, at, domain = address.strip().rpartition("@")
    labels = mail_domain(domain).split(".")
    if not at or all(label.isascii() for label in labels):
        return [address]
    written = (".".join(labels), ".".join(map(_in_ascii, labels)))
    return list(dict.fromkeys([address.strip(), *(f"{local}@{domain}" for domain in written)]))


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
    parts = ("".join(character.lower() for character in part) for part in label.split(KELVIN))
    return KELVIN.join(unicodedata.normalize("NFC", part) for part in parts)
