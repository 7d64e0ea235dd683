"""Scope: whose accounts are looked after, and why others are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from slack_docebo.domain.names import folded
from slack_docebo.domain.patterns import named
from slack_docebo.domain.people import SourceUser


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

    def reason_against(self, user: SourceUser) -> str:
        """Return why *user* is out of scope, or "" if in scope; a leaver is always out of it."""
        return self.reason_against_kind(user) or self._reason_against_address(user)

    def reason_against_kind(self, user: SourceUser) -> str:
        """Return why *user* is out of scope for a reason other than the address, or ""."""
        if user.bot:
            return "Slackbot" if user.slack_id == "USLACKBOT" else "bot"
        if user.external or (self.team and user.team and user.team != self.team):
            return "external"
        if user.forgotten:
            return "erased in Slack"
        if user.deactivated:
            return "deactivated in Slack"
        if user.guest and not self._admits_guest(user):
            return "single-channel guest" if user.single_channel else "multi-channel guest"
        if user.invited and not self.invited:
            return "invited, not yet joined"
        return ""

    def _admits_guest(self, user: SourceUser) -> bool:
        return self.guests is Guests.ALL or (self.guests is Guests.MULTI_CHANNEL and not user.single_channel)

    def _reason_against_address(self, user: SourceUser) -> str:
        if not user.email:
            return "no e-mail"
        email = folded(user.email)
        domain = email.rpartition("@")[2]
        if self.email_domains and domain not in map(folded, self.email_domains):
            return "e-mail domain"
        keys = (email, user.slack_id.casefold())
        if named(self.exclude, keys):
            return "excluded"
        if self.include and not named(self.include, keys):
            return "not included"
        return ""
