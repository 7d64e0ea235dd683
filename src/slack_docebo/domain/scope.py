"""Scope: whose accounts are looked after, and why others are not."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from slack_docebo.domain.addresses import mail_domain, mailbox, pattern_keys
from slack_docebo.domain.patterns import any_fits
from slack_docebo.domain.people import SLACK_ID, SourceUser

STATUS_NOT_KNOWN = "Slack does not say whether this person is active"
WORKSPACE_NOT_KNOWN = "in another workspace of the organisation, and Slack does not say whether in this one, too"
KIND_NOT_KNOWN = "Slack does not say whether this is a "  # before what
NO_ACCOUNT_MADE = (
    ", so no account is made. Where one is wanted, make it in Docebo with this address: the next run finds it"
)
NOT_LET_IN = ", so nobody is let in again. Where the person is to get in, activate the account in Docebo"
KINDS = {"bot": "bot", "guest": "guest", "single_channel": "single-channel guest"}  # in words


class Guests(StrEnum):
    """Which guests are in scope."""

    NONE = "none"
    MULTI_CHANNEL = "multi-channel"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope filter; the defaults take every active full member with an e-mail address.

    Patterns are shell-style (`*@example.com`), compared without regard to case with the e-mail address and with
    the Slack id. *exclude* wins over *include*.
    """

    team: str = ""  # the workspace that is provisioned; "" accepts every workspace
    guests: Guests = Guests.NONE
    invited: bool = False
    email_domains: Sequence[str] = ()
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    members: frozenset[str] | None = None  # Slack ids of those in the user groups; None: there is no such filter
    excluded_members: frozenset[str] = frozenset()
    # Further Slack ids of people whom the patterns name by another one, as far as Slack has said.
    included_ids: frozenset[str] = frozenset()
    excluded_ids: frozenset[str] = frozenset()

    def reason_against(self, user: SourceUser) -> str:
        """Return why *user* is out of scope, or "" if in scope; a leaver is always out of scope."""
        return self.reason_against_kind(user) or self._reason_against_address(user)

    def as_member(self, user: SourceUser) -> SourceUser:
        """Return *user* as a member of this workspace, whichever Slack names first."""
        return user if self.team in {"", user.team} else replace(user, team=self.team)

    def reason_against_kind(self, user: SourceUser) -> str:
        """Return why *user* is out of scope for a reason other than the address, or ""."""
        if absent := self._reason_against_presence(user):
            return absent
        if user.guest and not self._admits_guest(user):
            return "single-channel guest" if user.single_channel else "multi-channel guest"
        if user.invited and not self.invited:
            return "invited, not yet joined"
        return ""

    def is_here(self, user: SourceUser) -> bool:
        """Tell whether *user* is a person of this workspace who has not left, as Slack says, in scope or not."""
        return not self._reason_against_presence(user)

    def _reason_against_presence(self, user: SourceUser) -> str:
        if user.bot:
            return "Slackbot" if user.slack_id == "USLACKBOT" else "bot"
        if user.external:
            return "external"
        if elsewhere := self._reason_against_workspace(user):
            return elsewhere
        if user.forgotten:
            return "erased in Slack"
        if user.deactivated:
            return "deactivated in Slack"
        if "deactivated" in user.unsaid:
            return STATUS_NOT_KNOWN
        return ""

    def kind_in_doubt(self, user: SourceUser) -> str:
        """Return what Slack does not say about *user*, who is otherwise in scope, or "".

        Without it nobody gets an account or is let in again; an account that is open is looked after.
        """
        excluded = {"bot"}
        if self.guests is not Guests.ALL:
            excluded.add("guest" if self.guests is Guests.NONE else "single_channel")
        kinds = [words for kind, words in KINDS.items() if kind in excluded and kind in user.unsaid]
        return f"{KIND_NOT_KNOWN}{' or a '.join(kinds)}" if kinds else ""

    def _reason_against_workspace(self, user: SourceUser) -> str:
        if not (self.team and user.workspaces) or user.is_member_of(self.team):
            return ""
        is_clear = user.teams or not user.organisation
        return "external" if is_clear and self.team not in user.workspaces else WORKSPACE_NOT_KNOWN

    def _admits_guest(self, user: SourceUser) -> bool:
        return self.guests is Guests.ALL or (self.guests is Guests.MULTI_CHANNEL and not user.single_channel)

    def _reason_against_address(self, user: SourceUser) -> str:
        if user.hidden:
            return f"the e-mail address holds characters that nobody can see ({user.hidden}): correct it in Slack"
        if not user.email:
            return "no e-mail"
        if self.email_domains:
            domain = mailbox(user.email).rpartition("@")[2]
            if domain not in map(mail_domain, self.email_domains):
                return "e-mail domain"
        if against := self.reason_against_membership(user.ids):
            return against
        keys = person_keys(user)
        if any_fits(self.exclude, keys):
            return "excluded"
        if self.include and not any_fits(self.include, keys) and self.included_ids.isdisjoint(user.ids):
            return "not included"
        return ""

    def reason_against_membership(self, slack_ids: Collection[str]) -> str:
        """Return why the person with these *slack_ids* is out of scope by ids alone, or "".

        That is by Slack's user groups, or by another id of somebody who is excluded.
        """
        if not self.excluded_ids.isdisjoint(slack_ids):
            return "excluded"
        if not self.excluded_members.isdisjoint(slack_ids):
            return "in an excluded user group"
        if self.members is not None and self.members.isdisjoint(slack_ids):
            return "in none of the user groups"
        return ""


def ids_named(patterns: Sequence[str]) -> frozenset[str]:
    """Return which of *patterns* are Slack ids."""
    return frozenset(id_ for pattern in patterns if SLACK_ID.fullmatch(id_ := pattern.strip().upper()))


def person_keys(user: SourceUser) -> tuple[str, ...]:
    """Return the keys with which patterns are compared for *user*."""
    return (*pattern_keys(user.email), *(slack_id.casefold() for slack_id in user.ids))
