"""Attributes of accounts: the values that rules want for a person, and how they differ from the present ones."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import unescape

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.names import clean, folded
from slack_docebo.domain.operations import CANNOT_HOLD, IS_TAKEN, NO_VALUE, NOT_THERE, Value
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.domain.rules import NO_BRANCH, NO_PATHS, NOT_HELD, TAKEN, AttributeRule, Shortfall
from slack_docebo.domain.targets import CASELESS, COLUMNS, FREE_TEXTS, MANAGER, field_id_of, is_never_shown
from slack_docebo.domain.texts import unescaped

MARKUP = frozenset("<>&")  # what a platform may take out of a text, or write otherwise


def wanted(user: SourceUser, rules: Iterable[AttributeRule], *, creating: bool) -> dict[str, str]:
    """Return the attributes that the account of *user* should have, without those whose value is not known."""
    attributes = {}
    for rule in rules:
        if rule.target == MANAGER or (rule.creates_only and not creating):
            continue
        value = rule.value(user)
        if value or (value is not None and rule.clear and not creating):
            attributes[rule.target] = value
    return attributes


def differences(wanted: Mapping[str, str], account: Account) -> tuple[dict[str, str], dict[str, str]]:
    """Return the attributes of *account* to change, and their present values; what Docebo does not show is left out."""
    changes, before = {}, {}
    for name, value in wanted.items():
        current = current_value(account, name)
        if current is not None and not same(name, value, current):
            changes[name], before[name] = value, current
    return changes, before


def not_compared(wanted: Mapping[str, str], account: Account) -> dict[str, str]:
    """Return the *wanted* attributes that *account* does not show.

    An additional field that is wanted empty is left out: Docebo may not show a field that has no value.
    """
    return {
        name: value
        for name, value in wanted.items()
        if current_value(account, name) is None and (value or not field_id_of(name))
    }


def current_value(account: Account, name: str) -> str | None:
    """Return the value that *account* has for the attribute *name*; None where Docebo does not show it."""
    if is_never_shown(name) or name in account.unshown:
        return None
    if field_id := field_id_of(name):
        return account.fields.get(field_id)
    return account.columns.get(name) if name in COLUMNS else str(getattr(account, name))


def same(name: str, one: str, other: str) -> bool:
    """Tell whether two values of the attribute *name* are the same to Docebo."""
    if name not in CASELESS:
        return clean(one) == clean(other) or clean(unescaped(one)) == clean(unescaped(other))
    return folded(one) == folded(other) or mailbox(one) == mailbox(other)


def is_own_form(name: str, sent: str, shown: str) -> bool:
    """Tell whether *shown* can be a platform's own form of the text *sent*; a text with markup may become any other."""
    if not (name in FREE_TEXTS or field_id_of(name)):
        return False
    return not MARKUP.isdisjoint(sent) or (bool(letters(shown)) and letters(shown) in letters(sent))


def letters(text: str) -> str:
    """Return the letters and digits of *text*, case-folded and with HTML escapes decoded."""
    return "".join(character for character in folded(unescape(text)) if character.isalnum())


def refused_key(name: str, value: Value, option: str = "") -> str:
    """Return the key by which a refused value is remembered; it changes once the value is an *option* of the field."""
    return f"{name} {fingerprint({name: str(value)} | ({'option': option} if option else {}))}"


def fingerprint(attributes: Mapping[str, str]) -> str:
    """Return a short digest of *attributes*: equal attributes have equal fingerprints, in every process and release."""
    text = json.dumps(
        {name: folded(value) if name in CASELESS else value for name, value in attributes.items()},
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def changes_to(
    wanted: Mapping[str, str], account: Account, *, returned: bool, is_news: bool
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Return the attributes to change and their present values, as far as Docebo shows them.

    An attribute that Docebo does not show is written when *is_news* says that the wanted values are new, and not again.
    """
    differing, current = differences(wanted, account)
    changes: dict[str, Value] = {**differing, **(not_compared(wanted, account) if is_news else {})}
    before: dict[str, Value] = {**current}
    if returned:  # only what we deactivated is activated again
        changes["active"] = True
        if not account.active:  # else it was opened since, or what shows it is older than that we have shut it
            before["active"] = False
    return changes, before


def shown(account: Account, name: str) -> dict[str, Value]:
    """Return the value of the attribute *name* by its name; empty where Docebo does not show it."""
    value = current_value(account, name)
    return {} if value is None else {name: value}


def lacking_in_words(lacking: Sequence[Shortfall]) -> str:
    """Return the end of a reason that names the attributes in *lacking*, which do not get Slack's value."""
    told = ""
    whys = {NOT_HELD: CANNOT_HOLD, NO_BRANCH: NOT_THERE, NO_PATHS: NOT_THERE, TAKEN: IS_TAKEN}
    for why in (CANNOT_HOLD, NO_VALUE, NOT_THERE, IS_TAKEN):
        if names := [one.target for one in lacking if whys.get(one.why, NO_VALUE) == why]:
            told += f"; without {', '.join(names)}{why}"
    return told
