"""Which account is whose, and what it shows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Self

from pydantic import Field, PrivateAttr

from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.matching import MatchBy
from slack_docebo.domain.options import Values
from slack_docebo.domain.people import LARGEST_ID
from slack_docebo.domain.rules import DEFAULT_RULES, AttributeRule
from slack_docebo.domain.sources import SCIM_SOURCES, SOURCES
from slack_docebo.domain.targets import TARGETS
from slack_docebo.domain.unused_tables import UnusedTables
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings.rows import VARIABLE
from slack_docebo.integration_settings.section import Section
from slack_docebo.setting_values import (
    MIRROR_EXAMPLE,
    Flag,
    OneWord,
    Patterns,
    Rules,
    ThreeTitles,
    Whole,
    WholeOrNone,
    rules_of,
)


class AccountSettings(Section):
    """The rows about accounts and their attributes, and what is known of the values that attributes get."""

    _tables: Mapping[str, LookupTable] = PrivateAttr(default_factory=dict)  # that rules look something up in, once read
    _refused: frozenset[str] = PrivateAttr(frozenset())  # digests of values

    match_by: Annotated[MatchBy, OneWord] = Field(
        MatchBy.BOTH,
        title="How an account is found",
        description="How an unmapped account is found: email, username or email-and-username.",
    )
    attributes: Rules = Field(
        DEFAULT_RULES,
        title="Attribute mapping",
        description="The attribute mapping: target = source, with on-create-only or clear behind it. Targets:"
        f' {", ".join(TARGETS)} and additional fields, as field_12 or field:"Cost centre". Sources: {", ".join((*SOURCES, *SCIM_SOURCES))} and'
        " custom profile fields, as custom:Department or by id. Slack's list leaves custom profile fields out: imports read"
        " them person by person, as PROFILE_MINUTES allows. table(NAME, SOURCE) looks the value up in the Variable"
        " table_NAME, or in the file NAME.csv in TABLES_DIR. Or an expression in CEL of sources, texts in quotes"
        " and functions: see docs/attributes.md.",
    )
    profile_minutes: Whole = Field(
        60,
        ge=0,
        le=24 * 60,
        title="Minutes for custom profile fields",
        description="How long an import may read custom profile fields, person by person, once everything else is done; the"
        " next one goes on. 90 people take a minute. Only if ATTRIBUTES names such fields.",
    )
    profile_max_age_days: Whole = Field(
        7,
        ge=1,
        le=366,
        title="Days that custom profile fields are believed",
        description="After so many days, an import reads a person's custom profile fields again although Slack shows no"
        " change of the profile; a night later where more people fall due than a day's part of all.",
    )
    destination_branch: WholeOrNone = Field(
        None,
        ge=0,
        le=LARGEST_ID,
        title="Branch for new accounts",
        description="Id of the Docebo branch for new users. Empty: none.",
    )
    branch_moves: Flag = Field(
        False,
        title="Move accounts to the branch of their rule",
        description="true: after each import, accounts are moved to the branch that the rule for branch in ATTRIBUTES gives, if"
        " that is another than the one to which we have brought them. false: only new accounts get it.",
    )
    manager_type: str = Field(
        "",
        max_length=200,
        title="Type of managers",
        description="As what a person's manager is written, where ATTRIBUTES has a rule for manager: the title or the id of one"
        " of Docebo's manager types. Empty: the only one there is.",
    )
    welcome_mail: Flag = Field(
        False,
        title="Welcome new accounts",
        description="true: Docebo sends its own mail to accounts that we create. It cannot be called back. People of a saved"
        " plan get it if it was true when the plan was made, and still is.",
    )
    mirror_fields: ThreeTitles = Field(
        (),
        title="Fields that show the mapping",
        description="Titles of the Docebo user fields that show Slack id, name and workspace of a mapped user, like"
        f" {MIRROR_EXAMPLE}. Empty: none.",
    )
    protected_accounts: Patterns = Field(
        ("service.connect",),
        title="Accounts never touched",
        description="Accounts that are never touched: patterns on username, e-mail or Docebo id.",
    )

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the lookup tables that the attribute mapping uses."""
        return tuple(dict.fromkeys(name for rule in self.attributes for name in rule.formula.tables))

    def with_rules(self, rules: str) -> Self:
        """Return these settings with other *rules*, saved or not; raise ConfigurationError if they are wrong."""
        try:
            return self.model_copy(update={"attributes": rules_of(rules)})
        except ValueError as error:
            raise ConfigurationError(f"these rules cannot be used: {error}") from None

    def with_tables(self, tables: Mapping[str, LookupTable]) -> Self:
        """Return these settings with the *tables* in the rules that look something up."""
        rules = tuple(rule.with_tables(tables) for rule in self.attributes)
        return self._knowing(_tables=tables).model_copy(update={"attributes": rules})

    def with_mirror(self, rules: tuple[AttributeRule, ...]) -> Self:
        """Return these settings with *rules*, which fill the mirrored fields, in the attribute mapping."""
        added = tuple(rule for rule in rules if rule not in self.attributes)
        taken = {rule.target for rule in self.attributes}
        if doubled := [rule.target for rule in added if rule.target in taken]:
            raise ConfigurationError(
                f"{VARIABLE}: {doubled[0]} is one of MIRROR_FIELDS and the target of another rule in ATTRIBUTES"
            )
        return self.model_copy(update={"attributes": (*self.attributes, *added)})

    def with_values(self, values: Mapping[str, Values]) -> Self:
        """Return these settings with the *values* that attributes can hold; values of other attributes stay known."""
        rules = tuple(replace(rule, values=values.get(rule.target, rule.values)) for rule in self.attributes)
        return self.model_copy(update={"attributes": rules})

    def with_refused_values(self, values: Iterable[str]) -> Self:
        """Return these settings with the digests of the attribute *values* that Docebo refuses."""
        return self._knowing(_refused=frozenset(values))

    def unused_tables(self) -> UnusedTables:
        """Return the lookup tables of these settings, to be held against people as they are read."""
        return UnusedTables((rule.formula for rule in self.attributes), self._tables)
