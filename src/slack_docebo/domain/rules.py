"""The attribute mapping: rules, each of which fills one attribute of the account by a formula.

What a rule says stays as it is written, for the settings are compared, shown and kept as text.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from slack_docebo.domain.branches import PATH, Branches
from slack_docebo.domain.entries import read_each
from slack_docebo.domain.expressions import TEXT, Compile, Expression
from slack_docebo.domain.formulas import TABLE_NAME, Formula, Lookup, OneSource, Result, as_in_rules
from slack_docebo.domain.lookup import LookupTable, NoValue
from slack_docebo.domain.names import as_compared
from slack_docebo.domain.options import Options, Values
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.sources import CUSTOM, SCIM_SOURCES, UNKNOWN_SOURCE, is_custom, is_source, label_of
from slack_docebo.domain.targets import (
    BRANCH,
    CASELESS,
    MANAGER,
    TARGETS,
    TITLED,
    USERNAME,
    field_id_of,
    is_target,
    title_of,
)
from slack_docebo.domain.texts import LONGEST_ADDRESS, LONGEST_NAME, LONGEST_VALUE, bounded

ON_CREATE_ONLY, CLEAR = OPTIONS = ("on-create-only", "clear")
NOT_FOR = {  # options that a target cannot have, and why
    (USERNAME, CLEAR): "username cannot be cleared: nobody signs in without",
    (BRANCH, CLEAR): "branch cannot be cleared: each account is in one",
    (MANAGER, ON_CREATE_ONLY): "manager cannot be on-create-only: managers are written when all accounts exist",
}
SEPARATORS = ",;\r\n"  # between rules, outside quotes and brackets
UNKNOWN_OPTION = f"unknown option: allowed are {' and '.join(OPTIONS)}; a name with a blank is put in quotes"
NOT_HELD = "Docebo's field cannot hold it"
UNCLEAR = "in Docebo's field this is the label of one option and the id of another: give the option another label"
TAKEN = "another account has this username, or gets it"
NO_TITLES: Mapping[str, str] = {}
NO_BRANCH = "Docebo has no such branch, or several"
NO_PATHS = "Docebo does not show which branch is below which: name it by its code or its title"
# What tells rules from each other: texts in quotes (an apostrophe within a word begins none), brackets, separators.
_PIECE = re.compile(
    rf"(?P<text>{TEXT})|(?P<opening>[(\[{{])|(?P<closing>[)\]}}])|(?P<separator>[{SEPARATORS}])|(?P<quote>\")",
    re.DOTALL,
)
_WORD = re.compile(r'(?:[^\s="]|"[^"]*")+')
_OPTIONS_BEHIND = re.compile(rf"(?:\s+(?:{'|'.join(OPTIONS)}))*$")
_ONE_SOURCE = re.compile(r'[a-z_]+|[a-z]+:(?:"[^"]*"|[^\s="()?:]*)')
_OPTION_LIKE = re.compile(r"[a-z][a-z-]*")
_TABLE = re.compile(rf"table\(\s*({TABLE_NAME.pattern})\s*,\s*({_ONE_SOURCE.pattern})\s*\)")


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A value that an attribute does not get, though Slack says something; the attribute stays as it is."""

    target: str
    value: str  # for which there is no row, or which cannot be held
    why: str


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """One line of the attribute mapping."""

    target: str  # an attribute of the account: one of TARGETS, field_<id>, or field:<title> until Docebo was asked
    formula: Formula
    on_create_only: bool = False
    clear: bool = False  # an empty result empties the target; otherwise it leaves the target alone
    values: Values | None = field(default=None, compare=False)  # that the target can hold, once Docebo was asked
    written: str = field(default="", compare=False)  # with titles and labels as somebody wrote them

    def __str__(self) -> str:
        formula = "" if self.formula == OneSource(self.target) else f" = {self.formula}"
        on_create_only = " on-create-only" if self.on_create_only else ""
        clear = " clear" if self.clear else ""
        return f"{as_in_rules(self.target)}{formula}{on_create_only}{clear}"

    @property
    def creates_only(self) -> bool:
        """Whether only accounts that are created get the value."""
        return self.on_create_only or self.target == BRANCH

    @property
    def moves(self) -> bool:
        """Whether the rule may move existing accounts, if the settings allow it."""
        return self.target == BRANCH and not self.on_create_only

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that the rule reads."""
        return self.formula.sources

    @property
    def is_custom(self) -> bool:
        """Whether a custom profile field is read."""
        return any(map(is_custom, self.sources))

    @property
    def title(self) -> str:
        """The title of the additional field that is written, where the rule does not name it by its id; else ""."""
        return title_of(self.target)

    @property
    def field_id(self) -> int | None:
        """The id of the additional field that is written, if it is one."""
        return field_id_of(self.target)

    def with_sources(self, renamed: Callable[[str], str]) -> Self:
        """Return the rule with its sources renamed, like ids in place of labels."""
        return replace(self, formula=self.formula.with_sources(renamed))

    def with_tables(self, tables: Mapping[str, LookupTable]) -> Self:
        """Return the rule with the *tables* that its formula uses."""
        return replace(self, formula=self.formula.with_tables(tables))

    def value(self, user: SourceUser) -> str | None:
        """Return the value for *user* in the form in which Docebo shows it, or None if it is not known.

        It is not known where Slack does not say what is read, where the formula has no value for it, and where the
        target cannot hold it: in none of these cases is the account's value changed.
        """
        result = self._result(user)
        if isinstance(result, NoValue):
            return None
        return self.values.named(result) if self.values and result else result

    def shortfall(self, user: SourceUser) -> Shortfall | None:
        """Return why the target does not get Slack's value, if it does not."""
        result = self._result(user)
        if isinstance(result, NoValue):
            return Shortfall(self.target, result.value, result.why)
        if result and self.values and self.values.named(result) is None:
            return Shortfall(self.target, result, _why_not_held(result, self.values))
        return None

    @property
    def may_fall_short(self) -> bool:
        """Whether the target may lack values that Slack has."""
        if self.values is not None or not isinstance(self.formula, OneSource):
            return True
        return self.target in CASELESS and self.is_custom  # which may be too long

    def _result(self, user: SourceUser) -> Result:
        copies_language = self.target == "language" and self.formula == OneSource("language")
        if copies_language and self.values and self.values.named(user.locale):
            return user.locale  # on this platform a language of its own, like fr-CA; elsewhere it is French
        result = self.formula.result(user)
        return self._fitting(result) if isinstance(result, str) else result

    def _fitting(self, text: str) -> Result:
        """Cut *text* to the length that Docebo returns; a longer one would always seem to differ.

        A value by which something is found is not cut: where it is too long, the account does not get it.
        """
        if len(text) <= LONGEST_ADDRESS or self.target == BRANCH:  # the shortest of the bounds; a path may be long
            return text
        if self.target in CASELESS:
            return NoValue(text, NOT_HELD)
        return bounded(text, LONGEST_VALUE if self.field_id else LONGEST_NAME).rstrip()


DEFAULT_RULES = tuple(AttributeRule(name, OneSource(name)) for name in ("first_name", "last_name", "email"))


def parse_rules(text: str, engine: Compile) -> tuple[AttributeRule, ...]:
    """Read rules like `first_name, time_zone on-create-only, field:Role = title clear, field_12 = table(centres, title)`.

    A rule that names only a target takes the source of the same name; expressions are read by *engine*. Raises ValueError
    that says what is allowed; as what was written may hold somebody's address or name, the wrong rule is named by its place.
    """
    rules = distinct(read_each(_parted(text), lambda rule: _parse_rule(rule, engine), called="rule"))
    targets = {rule.target for rule in rules}
    if USERNAME in targets and "email" not in targets:
        raise ValueError("username wants a rule for email beside it: by its address an account is found again")
    return rules


def distinct(rules: Iterable[AttributeRule]) -> tuple[AttributeRule, ...]:
    """Return *rules*; raise ValueError where two of them have one target."""
    rules = tuple(rules)
    places: dict[str, int] = {}
    for place, rule in enumerate(rules, 1):
        if (before := places.setdefault(rule.target, place)) != place:
            raise ValueError(f"rule {before} and rule {place} have one target")
    return rules


def no_longer_filled(
    before: Iterable[AttributeRule], after: Iterable[AttributeRule], titles: Mapping[str, str] = NO_TITLES
) -> list[str]:
    """Return the targets that a rule in *before* fills and none in *after*, as rules name them.

    A field may be named by its id in one of them and by its title in the other: `field_16` and `field:Unit`. *titles*,
    by the targets with ids, tell which are the same; where they do not, targets that may be the same are left out.
    """

    def name(target: str) -> str:
        return as_compared(TITLED + titles[target] if target in titles else target)

    former, latter = {name(rule.target): rule.target for rule in before}, {name(rule.target) for rule in after}
    news = latter - former.keys()
    by_title, by_id = any(map(title_of, news)), any(map(field_id_of, news))

    def may_be_news(target: str) -> bool:
        return by_id if title_of(target) else by_title and target not in titles and field_id_of(target) is not None

    return [as_in_rules(target) for known, target in former.items() if known not in latter and not may_be_news(target)]


def custom_fields(rules: Iterable[AttributeRule]) -> frozenset[str]:
    """Return the ids of the custom profile fields that *rules* read, without fields that are still named by a label."""
    sources = {source for rule in rules for source in rule.sources if is_custom(source) and not label_of(source)}
    return frozenset(source.removeprefix(CUSTOM) for source in sources)


def reads_scim(rules: Iterable[AttributeRule]) -> bool:
    """Tell whether *rules* read what only Slack's SCIM API says."""
    return any(source in SCIM_SOURCES for rule in rules for source in rule.sources)


def shortfalls(
    user: SourceUser, rules: Iterable[AttributeRule], *, creating: bool, moving: bool = False
) -> tuple[Shortfall, ...]:
    """Return Slack's values that the account of *user* does not get; with *moving*, an existing one may be moved."""
    found = (
        rule.shortfall(user)
        for rule in rules
        if rule.target != MANAGER
        and rule.may_fall_short
        and (creating or not rule.creates_only or (moving and rule.moves))
    )
    return tuple(one for one in found if one)


def _why_not_held(value: str, values: Values) -> str:
    """Return why the target cannot hold *value*, which is none of its *values*."""
    if isinstance(values, Branches):
        return NO_PATHS if PATH in value and not values.tells_paths else NO_BRANCH
    return UNCLEAR if isinstance(values, Options) and values.is_unclear(value) else NOT_HELD


def _parted(text: str) -> Iterator[str]:
    """Yield the single rules: what stands between separators that are in no quotes and no brackets."""
    start, depth = 0, 0
    for piece in _PIECE.finditer(text):
        if piece["quote"]:
            raise ValueError("a quote has no other half")
        if piece["opening"]:
            depth += 1
        elif piece["closing"]:
            depth -= 1
        elif piece["separator"] and depth <= 0:
            if rule := text[start : piece.start()].strip():
                yield rule
            start, depth = piece.end(), 0
    if depth > 0:
        raise ValueError("a bracket has no other half")
    if rule := text[start:].strip():
        yield rule


def _parse_rule(text: str, engine: Compile) -> AttributeRule:
    word = _WORD.match(text)
    target = word[0].replace('"', "") if word else ""
    rest = text[word.end() :] if word else text
    if not is_target(target):
        raise ValueError(f"unknown target: allowed are {', '.join(TARGETS)}, field_<id> and field:<title>")
    behind = _OPTIONS_BEHIND.search(rest)
    written, options = (rest[: behind.start()].strip(), behind[0].split()) if behind else (rest, [])
    if not written:
        formula: Formula = OneSource(_source(target))
    elif written.startswith("="):
        formula = _parse_formula(written[1:].strip(), engine)
    else:
        raise ValueError(UNKNOWN_OPTION)
    if wrong := next((why for (of, option), why in NOT_FOR.items() if of == target and option in options), ""):
        raise ValueError(wrong)
    rule = AttributeRule(target, formula, on_create_only=ON_CREATE_ONLY in options, clear=CLEAR in options)
    return replace(rule, written=str(rule))


def _parse_formula(text: str, engine: Compile) -> Formula:
    if _ONE_SOURCE.fullmatch(text) or not text:
        return OneSource(_source(text))
    if table := _TABLE.fullmatch(text):
        return Lookup(table[1], _source(table[2]))
    source, *others = text.split()
    if _ONE_SOURCE.fullmatch(source) and all(map(_OPTION_LIKE.fullmatch, others)) and "in" not in others:
        raise ValueError(UNKNOWN_OPTION)
    try:
        return Expression.of(text, engine)
    except ValueError as error:
        raise ValueError(f"in its expression: {error}") from None


def _source(written: str) -> str:
    name = written.replace('"', "")
    if not is_source(name):
        raise ValueError(UNKNOWN_SOURCE)
    return name
