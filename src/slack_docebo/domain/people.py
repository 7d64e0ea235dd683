"""The people on both sides: Slack users, Docebo accounts, and the mapping between them."""

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from enum import StrEnum

LARGEST_ID = 10**18 - 1  # of an account, a branch or a field: a number that every database holds
LARGEST_STAMP = 2**63 - 1
SLACK_ID = re.compile(r"[UW][A-Z0-9]{2,}")  # https://api.slack.com/types/user: U or W

# With an event: personal, and mapped by few, who then ask Slack for it.
NOT_STORED = ("phone", "pronouns", "start_date", "scim")


class PeopleShown(StrEnum):
    """How Prefect's pages show people."""

    IDS = "ids"
    NAMES = "names"  # and e-mail addresses


@dataclass(frozen=True, slots=True)
class SourceUser:
    """One entry of Slack's user list, reduced to what the rules look at.

    What Slack left out, blanked or nulled is `""`, `0` or `False`; where None is possible, that is what Slack did not say.
    *unsaid* names the texts that are `""` because Slack did not say them.
    """

    slack_id: str  # the organisation's, where Slack gives one
    team: str  # "" where Slack names no workspace, as for some Enterprise users
    handle: str = ""  # Slack's legacy `name`
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    real_name: str = ""
    display_name: str = ""
    title: str = ""
    phone: str | None = None
    pronouns: str | None = None
    start_date: str | None = None  # like "2026-05-31"; only where the workspace has set its source
    time_zone: str = ""  # IANA name
    locale: str = ""  # like "en-US"; only when asked for with include_locale
    updated: int = 0  # unix seconds
    deactivated: bool = False
    bot: bool = False  # app bots, workflow bots, connector bots and Slackbot
    guest: bool = False
    single_channel: bool = False  # a guest of one channel only
    invited: bool = False  # has not signed in yet
    external: bool = False  # a stranger or a Slack Connect user
    forgotten: bool = False  # erased on request; the names are placeholders
    unconfirmed: bool = False  # Slack says that the e-mail address is not confirmed; often it says nothing
    confirmed: bool = False  # Slack says that the e-mail address is confirmed
    # What Slack has not said: sources that are "" then; and "deactivated", "bot", "guest" and "single_channel".
    unsaid: tuple[str, ...] = ()
    custom: MappingType[str, str] | None = None  # custom profile field id -> value
    outdated: bool = False  # *custom* was read earlier, and has to be read again before it is believed
    scim: MappingType[str, str] | None = None  # by name of the source, like "department"; None: SCIM was not asked
    hidden: str = ""  # invisible characters of the e-mail address, like "U+200B"; the address is "" then
    local_id: str = ""  # the id within the workspace, if it differs from the organisation's
    organisation: str = ""  # id of the Enterprise Grid
    profile_team: str = ""  # the workspace that the profile names, if it is not *team*
    teams: tuple[str, ...] = ()  # the organisation's workspaces of which this is a member; empty if Slack lists none

    @property
    def ids(self) -> tuple[str, ...]:
        """All Slack ids of the person, the organisation's first."""
        return (self.slack_id, self.local_id) if self.local_id else (self.slack_id,)

    @property
    def workspaces(self) -> tuple[str, ...]:
        """All workspaces that Slack names with the person."""
        return tuple(filter(None, (self.team, self.profile_team, *self.teams)))

    def is_member_of(self, workspace: str) -> bool:
        """Tell whether Slack says that this is a member; if it lists the memberships, only these count."""
        return workspace in (self.teams or (self.team, self.profile_team))

    def may_be_member_of(self, workspace: str) -> bool:
        """Tell whether Slack says that this is a member, or does not say of which workspaces this is one."""
        says_nothing = not self.workspaces or (bool(self.organisation) and not self.teams)
        return says_nothing or self.is_member_of(workspace)


@dataclass(frozen=True, slots=True)
class Account:
    """One Docebo user as the listing shows it."""

    docebo_id: int
    username: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    active: bool = True
    administrator: bool = False  # any level above "user": superadmin and power user
    language: str = ""
    time_zone: str = ""
    fields: MappingType[int, str] = field(default_factory=dict)  # additional field id -> value
    columns: MappingType[str, str] = field(default_factory=dict)  # further attributes, of COLUMNS, that are shown
    unshown: frozenset[str] = frozenset()  # attributes that Docebo does not show, whether they have a value or not


@dataclass(frozen=True, slots=True)
class View:
    """What Docebo shows of one account when asked for it: more than a listing does, and some things less."""

    account: Account
    besides: MappingType[str, str] = field(default_factory=dict)  # `status`, `level`, `force_change`, `branches`


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The username and address that an account was last seen with, as digests; "" where not known."""

    username: str = ""
    address: str = ""
    address_written: bool = False  # we have written the address, and not seen it since: so it proves nothing
    claimed: bool = False  # a table says whose the account is, and nobody has seen yet that it is right


@dataclass(frozen=True, slots=True)
class Applied:
    """What was last applied to a Slack user's account, and which account that is; it outlives the mapping."""

    docebo_id: int
    fingerprint: str = ""  # digest of the attributes last known to be in line
    echo: str = ""  # digest of the target's own form of attributes that it alters
    deactivated: bool = False  # the account is inactive because of us
    seen: LastSeen = field(default=LastSeen(), compare=False)  # what the account last showed


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which Docebo account belongs to a Slack user, and what was last applied to it."""

    slack_id: str
    slack_team: str
    slack_name: str
    docebo_id: int
    fingerprint: str = ""  # digest of the attributes last known to be in line
    echo: str = ""  # digest of the target's own form of attributes that it alters
    deactivated: bool = False  # the account is inactive because of us
    seen: LastSeen = field(default=LastSeen(), compare=False)  # what the account last showed

    @property
    def applied(self) -> Applied:
        """What was last applied to the account."""
        return Applied(self.docebo_id, self.fingerprint, self.echo, self.deactivated)


Known = Mapping | Applied  # what tells whose an account is: the mapping, else what was last applied of the person
