"""Attribute mapping: which Slack value goes to which Docebo attribute, and when."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import unescape

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.names import clean, folded, split_name
from slack_docebo.domain.options import Values
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.domain.texts import LONGEST_ADDRESS, LONGEST_NAME, LONGEST_VALUE, bounded, key

CASELESS = frozenset({"email", "username", "language", "time_zone"})  # attributes in which case makes no difference
FREE_TEXTS = frozenset({"first_name", "last_name"})  # and the additional fields
MARKUP = frozenset("<>&")  # what a platform may take out of a text, or write otherwise
TARGETS = ("first_name", "last_name", "email", "language", "time_zone")
TITLED = "field:"  # before the title of an additional field
CUSTOM = "custom:"  # before the label or the id of a custom profile field
_FIELD = re.compile(r"field_([1-9][0-9]{0,17})")
_PROFILE_FIELD = re.compile(r"Xf[A-Za-z0-9]+")  # the id of a custom profile field
_WORDS = re.compile(r'=|(?:[^\s="]|"[^"]*")+')


def _first_name(user: SourceUser) -> str:
    return _names(user)[0]


def _last_name(user: SourceUser) -> str:
    return _names(user)[1]


def _names(user: SourceUser) -> tuple[str, str]:
    """Take the names as given; Slack leaves `last_name` empty for a one-word name, so one of them is enough."""
    if user.first_name or user.last_name:
        return user.first_name, user.last_name
    return split_name(user.real_name or user.display_name)


def _language(user: SourceUser) -> str:
    """Reduce Slack's locale ("en-US") to the browser code that Docebo documents ("en"); Brazilian has its own."""
    locale = user.locale.lower()
    return locale if locale == "pt-br" else locale.partition("-")[0]


SOURCES: dict[str, Callable[[SourceUser], str | None]] = {
    "first_name": _first_name,
    "last_name": _last_name,
    "real_name": lambda user: user.real_name,
    "display_name": lambda user: user.display_name,
    "handle": lambda user: user.handle,
    "email": lambda user: user.email,
    "title": lambda user: user.title,
    "phone": lambda user: user.phone,
    "pronouns": lambda user: user.pronouns,
    "start_date": lambda user: user.start_date,
    "guest": lambda user: "yes" if user.guest else "no",
    "time_zone": lambda user: user.time_zone,
    "language": _language,
    "slack_id": lambda user: user.slack_id,
    "slack_team": lambda user: user.team,
}


def field_id_of(target: str) -> int | None:
    """Return the id of the additional field that an attribute of an account is, None if it is none."""
    found = _FIELD.fullmatch(target)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """One line of the attribute mapping."""

    target: str  # an attribute of the account: one of TARGETS, field_<id>, or field:<title> until Docebo was asked
    source: str  # one of SOURCES, custom:<profile field id>, or custom:<label> until Slack was asked
    on_create_only: bool = False
    clear: bool = False  # an empty source value empties the target; otherwise it leaves the target alone
    values: Values | None = field(default=None, compare=False)  # that the target can hold, once Docebo was asked

    def __str__(self) -> str:
        source = "" if self.source == self.target else f" = {_quoted(self.source)}"
        return f"{_quoted(self.target)}{source}{' on-create-only' * self.on_create_only}{' clear' * self.clear}"

    @property
    def is_custom(self) -> bool:
        """Whether a custom profile field is read."""
        return self.source.startswith(CUSTOM)

    @property
    def label(self) -> str:
        """The label of the custom profile field that is read, where the rule does not name it by its id; else ""."""
        name = self.source.removeprefix(CUSTOM)
        return "" if not self.is_custom or _PROFILE_FIELD.fullmatch(name) else name

    @property
    def title(self) -> str:
        """The title of the additional field that is written, where the rule does not name it by its id; else ""."""
        return self.target.removeprefix(TITLED) if self.target.startswith(TITLED) else ""

    @property
    def field_id(self) -> int | None:
        """The id of the additional field that is written, if it is one."""
        return field_id_of(self.target)

    def value(self, user: SourceUser) -> str | None:
        """Return the source value in the form in which Docebo shows it, or None if Slack did not say it.

        An address that Slack has not confirmed counts as not said, and so does what the target cannot hold: neither may
        touch what the account has.
        """
        said = self._said(user)
        return self.values.named(said) if self.values and said else said

    def is_too_much_for(self, user: SourceUser) -> bool:
        """Tell whether Slack says something that the target cannot hold."""
        return bool(self.values and self._said(user)) and self.value(user) is None

    def _said(self, user: SourceUser) -> str | None:
        if self.source == "email" and user.unconfirmed:
            return None
        if self.is_custom:
            said = (user.custom or {}).get(self.source.removeprefix(CUSTOM))
            return None if said is None or self.label else self._fitting(clean(said))
        said = SOURCES[self.source](user)
        return None if said is None else self._fitting(clean(said))

    def _fitting(self, text: str) -> str:
        """Cut *text* to the length that is read back from Docebo; a longer one would differ for ever."""
        if len(text) <= LONGEST_ADDRESS:  # the shortest of the bounds
            return text
        if self.target in CASELESS:
            return key(text, LONGEST_ADDRESS)
        return bounded(text, LONGEST_VALUE if self.field_id else LONGEST_NAME).rstrip()


def custom_fields(rules: Iterable[AttributeRule]) -> frozenset[str]:
    """Return the ids of the custom profile fields that *rules* read, but for those named by a label so far."""
    return frozenset(rule.source.removeprefix(CUSTOM) for rule in rules if rule.is_custom and not rule.label)


DEFAULT_RULES = tuple(AttributeRule(name, name) for name in ("first_name", "last_name", "email"))


def parse_rules(text: str) -> tuple[AttributeRule, ...]:
    """Read rules like `first_name, time_zone on-create-only, field:Role = title clear, field_12 = custom:"Cost centre"`.

    A rule that names only a target takes the source of the same name. Raises ValueError that says what is allowed.
    """
    return distinct(_parse_rule(part.strip()) for part in text.split(",") if part.strip())


def distinct(rules: Iterable[AttributeRule]) -> tuple[AttributeRule, ...]:
    """Return *rules*; raise ValueError where two of them have one target."""
    rules = tuple(rules)
    targets = Counter(rule.target for rule in rules)
    if doubled := [target for target, count in targets.items() if count > 1]:
        raise ValueError(f"{min(doubled)} is the target of two rules")
    return rules


def _parse_rule(text: str) -> AttributeRule:
    if text.count('"') % 2:
        raise ValueError(f"{text!r} has a quote without its other half")
    words = [word.replace('"', "") for word in _WORDS.findall(text)]
    target, rest = words[0], words[1:]
    source, options = (rest[1], rest[2:]) if len(rest) > 1 and rest[0] == "=" else (target, rest)
    if target not in TARGETS and not _FIELD.fullmatch(target) and not _names_one(TITLED, target):
        raise ValueError(f"unknown target {target!r}: allowed are {', '.join(TARGETS)}, field_<id> and field:<title>")
    if source not in SOURCES and not _names_one(CUSTOM, source):
        raise ValueError(
            f"unknown source {source!r}: allowed are {', '.join(SOURCES)} and custom:<label or id of a profile field>"
        )
    if unknown := set(options) - {"on-create-only", "clear"}:
        raise ValueError(f"unknown option {min(unknown)!r}: allowed are on-create-only and clear")
    return AttributeRule(target, source, "on-create-only" in options, "clear" in options)


def _names_one(prefix: str, name: str) -> bool:
    return name.startswith(prefix) and bool(name.removeprefix(prefix).strip())


def _quoted(name: str) -> str:
    """Return *name* as it is written in a rule: a title or a label with a blank in it is quoted."""
    prefix, colon, rest = name.partition(":")
    return f'{prefix}{colon}"{rest}"' if set(rest).intersection(" \t=") else name


def wanted(user: SourceUser, rules: Iterable[AttributeRule], *, creating: bool) -> dict[str, str]:
    """Return the attributes that the account of *user* should have, without those that Slack does not say."""
    attributes = {}
    for rule in rules:
        if rule.on_create_only and not creating:
            continue
        value = rule.value(user)
        if value or (value is not None and rule.clear and not creating):
            attributes[rule.target] = value
    return attributes


def differences(wanted: Mapping[str, str], account: Account) -> tuple[dict[str, str], dict[str, str]]:
    """Return the attributes of *account* that must change, and the values they have now."""
    changes, before = {}, {}
    for name, value in wanted.items():
        current = current_value(account, name)
        if not same(name, value, current):
            changes[name], before[name] = value, current
    return changes, before


def current_value(account: Account, name: str) -> str:
    """Return the value that *account* has for the attribute *name*."""
    if found := _FIELD.fullmatch(name):
        return account.fields.get(int(found[1]), "")
    return str(getattr(account, name))


def same(name: str, one: str, other: str) -> bool:
    """Tell whether two values of the attribute *name* are the same to Docebo."""
    if name not in CASELESS:
        return clean(one) == clean(other)
    return folded(one) == folded(other) or mailbox(one) == mailbox(other)


def is_own_form(name: str, sent: str, shown: str) -> bool:
    """Tell whether *shown* can be what a platform made of a text that was *sent*; of markup it may leave nothing."""
    if not (name in FREE_TEXTS or _FIELD.fullmatch(name)):
        return False
    return not MARKUP.isdisjoint(sent) or (bool(letters(shown)) and letters(shown) in letters(sent))


def letters(text: str) -> str:
    """Return the letters and digits of *text*, without regard to case and to how HTML writes characters."""
    return "".join(character for character in folded(unescape(text)) if character.isalnum())


def fingerprint(attributes: Mapping[str, str]) -> str:
    """Return a short digest of *attributes*: equal attributes have equal fingerprints, in every process and release."""
    text = json.dumps(
        {name: folded(value) if name in CASELESS else value for name, value in attributes.items()},
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
