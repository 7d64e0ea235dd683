"""What the rows of the table say, each with its default and description, and what follows from them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from slack_docebo.domain.freezing import frozen_until
from slack_docebo.domain.guards import Change, Limit
from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.matching import MatchBy
from slack_docebo.domain.options import Values
from slack_docebo.domain.people import LARGEST_ID, PeopleShown
from slack_docebo.domain.policy import Leavers, Policy
from slack_docebo.domain.returns import Rehires
from slack_docebo.domain.rules import DEFAULT_RULES, AttributeRule
from slack_docebo.domain.scope import Guests, Scope, ids_named
from slack_docebo.domain.sources import SCIM_SOURCES, SOURCES
from slack_docebo.domain.targets import TARGETS
from slack_docebo.domain.unmatched import UnmatchedEntries
from slack_docebo.domain.unused_tables import UnusedTables
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings.rows import VARIABLE
from slack_docebo.setting_values import (
    MIRROR_EXAMPLE,
    Days,
    Domains,
    Flag,
    Handles,
    LimitText,
    MailAddresses,
    OneWord,
    OnlyTrue,
    Patterns,
    Percent,
    Rules,
    Seconds,
    ThreeTitles,
    TimeOfDay,
    TimeZone,
    Whole,
    WholeOrNone,
    as_written,
    rules_of,
)

LARGEST_NUMBER = 10**9
LONGEST_KEPT = 36_600  # days
LIMITED = (
    "a count of people, a percentage of those looked after, both, where the smaller number counts (25, 5%), or none."
)


class ReportMail(StrEnum):
    """After which imports of everybody a report is mailed."""

    NEVER = "never"
    WHEN_CHANGED = "when-changed"
    ALWAYS = "always"


class IntegrationSettings(BaseModel):
    """The table, read; the first three rows must be there, the others have the default shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=str.upper, hide_input_in_errors=True)
    _remarks: tuple[str, ...] = PrivateAttr(())
    _members: tuple[frozenset[str] | None, frozenset[str]] | None = PrivateAttr(None)  # of user groups, once read
    _tables: Mapping[str, LookupTable] = PrivateAttr(default_factory=dict)  # that rules look something up in, once read
    _refused: frozenset[str] = PrivateAttr(frozenset())
    _other_ids: dict[str, str] = PrivateAttr(default_factory=dict)  # of people whom the scope names by an id

    notification_mail_id: MailAddresses = Field(
        title="Mail address for notifications",
        description="Where error notifications go: an address, or several with commas in between. Empty: nowhere.",
    )
    provision_slack_user_data: OnlyTrue = Field(
        title="Create and update accounts",
        description="true: create missing Docebo users and update existing ones. Anything else: no provisioning.",
    )
    map_slack_user_data: OnlyTrue = Field(
        title="Keep the mapping", description="true: write the mapping. Anything else: no mapping."
    )

    report_mail: Annotated[ReportMail, OneWord] = Field(
        ReportMail.NEVER,
        title="Report by mail",
        description="Whether each import of everybody that was carried out is reported to the same address, in numbers and"
        " without names: never, when-changed (if somebody was changed, or refused without being acknowledged) or always.",
    )

    scope_guests: Annotated[Guests, OneWord] = Field(
        Guests.NONE, title="Guests", description="Which guests are in scope: none, multi-channel or all."
    )
    scope_invited: Flag = Field(
        False,
        title="Invited people",
        description="true: people who have not signed in to Slack yet are in scope. While Slack marks their address as"
        " not confirmed, they are left alone all the same.",
    )
    scope_email_domains: Domains = Field(
        (),
        title="Only these e-mail domains",
        description="Only these e-mail domains, comma-separated. Empty: every one.",
    )
    scope_include: Patterns = Field(
        (),
        title="Only these people",
        description="Only these people: patterns on e-mail or Slack id. Empty: everybody.",
    )
    scope_exclude: Patterns = Field(
        (),
        title="Not these people",
        description="Not these people: patterns on e-mail or Slack id. Whose account is mapped is a leaver all the same once Slack"
        " deactivates them; PROTECTED_ACCOUNTS keeps an account.",
    )
    scope_usergroups: Handles = Field(
        (),
        title="Only these user groups",
        description="Only people in one of these Slack user groups: handles like @learners, comma-separated. Empty: everybody."
        " Needs the scope usergroups:read.",
    )
    scope_exclude_usergroups: Handles = Field(
        (),
        title="Not these user groups",
        description="Nobody in one of these Slack user groups: handles like @contractors.",
    )
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
    leavers: Annotated[Leavers, OneWord] = Field(
        Leavers.KEEP,
        title="Who has left Slack",
        description="What happens when a person has left Slack: keep, unmap, deactivate, or expire, by which the account ends with that day.",
    )
    leavers_out_of_scope: Flag = Field(
        False,
        title="Who drops out of scope has left",
        description="true: who drops out of scope counts as having left.",
    )
    leavers_branch: str = Field(
        "",
        max_length=200,
        title="Branch for leavers",
        description="To which branch accounts of people who have left Slack are moved after an import: its code, title, path or"
        " id. It counts in LIMIT_BRANCH_MOVES. Not with LEAVERS unmap, by which nobody's is known any more. Empty: they stay"
        " where they are.",
    )
    leavers_after_days: Whole = Field(
        0,
        ge=0,
        le=366,
        title="Days until leavers are acted on",
        description="How many days after somebody was first seen to have left LEAVERS and LEAVERS_BRANCH take effect; the plan"
        " says from when. Who returns before is untouched. 0: at once.",
    )
    rehires: Annotated[Rehires, OneWord] = Field(
        Rehires.REPORT,
        title="Who returns under a new id",
        description="What happens when a person returns under a new Slack id with the address of an account that is mapped"
        " to one who is gone, or, with MAP_SLACK_USER_DATA off, was given to that one: report, or hand-over, by which the"
        " mapping, and the account, go to the new id, and an account that we deactivated is activated.",
    )
    protected_accounts: Patterns = Field(
        ("service.connect",),
        title="Accounts never touched",
        description="Accounts that are never touched: patterns on username, e-mail or Docebo id.",
    )
    limit_creations: LimitText = Field(Limit(), title="Most creations", description="Most creations: " + LIMITED)
    limit_updates: LimitText = Field(Limit(), title="Most updates", description="Most updates: " + LIMITED)
    limit_deactivations: LimitText = Field(
        Limit(50, 5), title="Most deactivations", description="Most deactivations: " + LIMITED
    )
    limit_branch_moves: LimitText = Field(
        Limit(50, 5),
        title="Most moves to other branches",
        description="Most moves of accounts to other branches: " + LIMITED,
    )
    limit_unmappings: LimitText = Field(
        Limit(50, 5), title="Most mappings removed", description="Most mappings removed: " + LIMITED
    )
    limit_remappings: LimitText = Field(
        Limit(50, 5),
        title="Most mappings moved",
        description="Most mappings moved to another account, or to another person, as REHIRES hand-over does; with"
        " MAP_SLACK_USER_DATA off, most accounts that pass on to another person: " + LIMITED,
    )
    limit_renames: LimitText = Field(
        Limit(50, 5),
        title="Most changes of the username",
        description="Most accounts whose username a rule of ATTRIBUTES changes: " + LIMITED,
    )
    limit_window_hours: Whole = Field(
        24,
        ge=1,
        le=24 * 31,
        title="Hours that the limits count",
        description="The limits count people changed within so many hours, over all runs and real time together. What was"
        " let through by its id over a limit does not count in that one.",
    )
    limit_minimum_sample: Whole = Field(
        20,
        ge=0,
        le=LARGEST_NUMBER,
        title="People from whom on percentages count",
        description="Percentages count only from this many people on; 0% is nobody, of however many.",
    )
    limit_rejections: Percent = Field(
        20,
        ge=0,
        le=100,
        title="Percentage that Docebo may refuse",
        description="A run stops when Docebo refuses more than this percentage of its rows, or of the people of all runs"
        " within LIMIT_WINDOW_HOURS; from a hundred on.",
    )
    max_accounts: WholeOrNone = Field(
        None,
        ge=0,
        le=LARGEST_NUMBER,
        title="Most accounts in Docebo",
        description="Most accounts that Docebo may have: nothing is created beyond that, whoever lets it through. Empty:"
        " no limit.",
    )
    source_may_shrink: Percent = Field(
        10,
        ge=0,
        le=100,
        title="Percentage by which Slack's list may shrink",
        description="By how many percent Slack's list may be shorter than at the last complete read, those apart who have left"
        " as Slack says when asked for them.",
    )
    target_may_shrink: Percent = Field(
        10,
        ge=0,
        le=100,
        title="Percentage by which Docebo's list may shrink",
        description="By how many percent Docebo's list may be shorter than at the last complete read, those accounts apart that"
        " are gone as Docebo says when asked for them. With 100 the first list of all is taken as it is.",
    )
    evidence_calls: Whole = Field(
        1000,
        ge=0,
        le=LARGEST_NUMBER,
        title="Most calls for evidence",
        description="Most calls in one run to ask for single people and accounts: those that a list does not show, and those"
        " whom a saved plan, or an undo, is about. A run that needs more stops before the first of them. At most as many on"
        " top ask for accounts right before they are shut. The calls that check whether accounts were really shut,"
        " or opened, count as well, and are made in any case. Who bears the address that an account shows is asked only as"
        " far as the number allows.",
    )
    evidence_minutes: Whole = Field(
        10,
        ge=0,
        le=LARGEST_NUMBER,
        title="Minutes that a list is evidence",
        description="How old, in minutes, the list may be on which an activation, a change of the username or a moved mapping"
        " rests, and a deactivation for which EVIDENCE_CALLS leaves no call, or where Docebo shows no account by its id. Beyond"
        " that the account is asked for by its id right before, at one call each, and so is Slack"
        " for those who have left or are back; before somebody is placed in a branch, the branches are read again in one call."
        " Other changes may rest on a list of up to an hour, or of twice the time that"
        " reading it took.",
    )

    reconcile_at: TimeOfDay = Field(
        None,
        title="Time of the reconciliation",
        description="When the reconciliation begins each day, like 02:30, by the clock of TIME_ZONE. Empty: as the schedule"
        " of its deployment in Prefect says.",
    )
    time_zone: TimeZone = Field(
        "Etc/UTC",
        title="Time zone",
        description="Whose clock and calendar RECONCILE_AT, FREEZE, the day on which an account expires and the times on the status page go by,"
        " like Europe/Rome.",
    )
    freeze: Days = Field(
        (),
        title="Days on which nothing is written",
        description="For an audit or a migration, like 2026-12-20 to 2027-01-06: on these days no run writes to Docebo, but one"
        " that was at work when this was saved; dry runs work, events wait. Several with commas in between.",
    )

    people_shown: Annotated[PeopleShown, OneWord] = Field(
        PeopleShown.IDS,
        title="How people are shown",
        description="How Prefect's pages show people: ids, or names, which are names and e-mail addresses as well. names"
        " wants a login on Prefect.",
    )
    realtime_retry_delays: Seconds = Field(
        (30, 120, 600, 3600),
        title="Seconds to the next tries of an event",
        description="After how many seconds a Slack event that failed is tried again; after the last it is parked.",
    )
    inbox_keep_days: Whole = Field(
        30,
        ge=1,
        le=LONGEST_KEPT,
        title="Days that events are kept",
        description="How many days Slack's events are kept after they were applied.",
    )
    journal_keep_days: Whole = Field(
        90,
        ge=1,
        le=LONGEST_KEPT,
        title="Days that plans are kept",
        description="How many days plans, everybody's outcomes, reports and backups of resets are kept, plans at least"
        " for LIMIT_WINDOW_HOURS. What is older can be neither explained nor undone.",
    )

    @property
    def ids_excluded(self) -> frozenset[str]:
        """The Slack ids of excluded people, also those excluded by a user group once it is read."""
        _, members = self._members or (None, frozenset[str]())
        return ids_named(self.scope_exclude) | members

    @property
    def ids_named(self) -> frozenset[str]:
        """The Slack ids by which the scope names people."""
        return self.ids_excluded | ids_named(self.scope_include)

    @property
    def ids_of_members(self) -> frozenset[str]:
        """The Slack ids of people in the user groups in scope, once these are read."""
        members, _ = self._members or (None, None)
        return members or frozenset()

    def with_other_ids(self, named: Mapping[str, str]) -> Self:
        """Return these settings with further ids of people whom the scope names: the named id by each further one."""
        return self._knowing(_other_ids=dict(named))

    def with_refused_values(self, values: Iterable[str]) -> Self:
        """Return these settings with the digests of the attribute *values* that Docebo refuses."""
        return self._knowing(_refused=frozenset(values))

    @property
    def today(self) -> date:
        """The day by the clock of TIME_ZONE."""
        return datetime.now(ZoneInfo(self.time_zone)).date()

    def frozen_until(self, now: datetime) -> date | None:
        """Return the last of the days, today among them, on which nothing is written; None if today is none."""
        return frozen_until(self.freeze, now, self.time_zone)

    def policy(self, team: str) -> Policy:
        """Return these settings as the policy for the workspace *team*."""
        if self._members is None and self.reads_user_groups:
            raise ConfigurationError("Slack's user groups, which the scope names, have not been read")
        members, excluded_members = self._members or (None, frozenset())
        return Policy(
            provision=self.provision_slack_user_data,
            map=self.map_slack_user_data,
            scope=Scope(
                team=team,
                guests=self.scope_guests,
                invited=self.scope_invited,
                email_domains=self.scope_email_domains,
                include=self.scope_include,
                exclude=self.scope_exclude,
                members=None if members is None else members | self._others_of(members),
                excluded_members=excluded_members,
                included_ids=self._others_of(ids_named(self.scope_include)),
                excluded_ids=self._others_of(self.ids_excluded),
            ),
            match_by=self.match_by,
            rules=self.attributes,
            leavers=self.leavers,
            branch_moves=self.branch_moves,
            leavers_branch=self.leavers_branch.strip(),
            out_of_scope_leaves=self.leavers_out_of_scope,
            today=self.today,
            grace=timedelta(days=self.leavers_after_days),
            rehires=self.rehires,
            refused=self._refused,
            protected=self.protected_accounts,
        )

    def _others_of(self, slack_ids: frozenset[str]) -> frozenset[str]:
        return frozenset(other for other, named in self._other_ids.items() if named in slack_ids)

    def with_members(self, included: frozenset[str] | None, excluded: frozenset[str]) -> Self:
        """Return these settings with the Slack ids of those in the user groups that they name; None: they name none."""
        return self._knowing(_members=(included, excluded))

    def with_members_as(self, other: Self) -> Self:
        """Return these settings with the members that *other* knows; raise ValueError if it names other groups."""
        named = (self.scope_usergroups, self.scope_exclude_usergroups)
        if named != (other.scope_usergroups, other.scope_exclude_usergroups):
            raise ValueError("it was made with other user groups in the settings")
        return self._knowing(_members=other._members)

    @property
    def reads_user_groups(self) -> bool:
        """Whether the scope names user groups."""
        return bool(self.scope_usergroups or self.scope_exclude_usergroups)

    def with_values(self, values: Mapping[str, Values]) -> Self:
        """Return these settings with the *values* that attributes can hold; values of other attributes stay known."""
        rules = tuple(replace(rule, values=values.get(rule.target, rule.values)) for rule in self.attributes)
        return self.model_copy(update={"attributes": rules})

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

    def with_remarks(self, remarks: Iterable[str]) -> Self:
        """Return these settings, which keep *remarks* on how the table is written."""
        return self._knowing(_remarks=tuple(remarks))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What in the table is not wrong but perhaps not meant."""
        return self._remarks

    def unmatched(self) -> UnmatchedEntries:
        """Return the lists of these settings, to be compared with people and accounts as they are read."""
        default = type(self).model_fields["protected_accounts"].default
        protected = ["" if entry in default else entry for entry in self.protected_accounts]
        return UnmatchedEntries(
            people={"SCOPE_INCLUDE": self.scope_include, "SCOPE_EXCLUDE": self.scope_exclude},
            domains={"SCOPE_EMAIL_DOMAINS": self.scope_email_domains},
            accounts={"PROTECTED_ACCOUNTS": protected},
        )

    def unused_tables(self) -> UnusedTables:
        """Return the lookup tables of these settings, to be held against people as they are read."""
        return UnusedTables((rule.formula for rule in self.attributes), self._tables)

    @property
    def written(self) -> dict[str, str]:
        """The values by key as the table holds them, without the mail address, as a plan stores them."""
        names = set(type(self).model_fields) - {"notification_mail_id"}
        return {name.upper(): as_written(getattr(self, name)) for name in sorted(names)}

    def _knowing(self, **known: object) -> Self:
        """Return these settings, to which something is *known* besides the rows of the table."""
        copy = self.model_copy()
        for name, value in known.items():
            setattr(copy, name, value)
        return copy

    @property
    def limits(self) -> dict[Change, Limit]:
        return {
            Change.CREATE: self.limit_creations,
            Change.UPDATE: self.limit_updates,
            Change.MOVE: self.limit_branch_moves,
            Change.DEACTIVATE: self.limit_deactivations,
            Change.UNMAP: self.limit_unmappings,
            Change.REMAP: self.limit_remappings,
            Change.RENAME: self.limit_renames,
        }
