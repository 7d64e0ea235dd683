"""Who is looked after."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, PrivateAttr

from slack_docebo.domain.scope import Guests, Scope, ids_named
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings.section import Section
from slack_docebo.setting_values import Domains, Flag, Handles, OneWord, Patterns


class ScopeSettings(Section):
    """The rows about people in scope, and what is known of the people whom they name."""

    _members: tuple[frozenset[str] | None, frozenset[str]] | None = PrivateAttr(None)  # of user groups, once read
    _other_ids: dict[str, str] = PrivateAttr(default_factory=dict)  # of people whom the scope names by an id

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

    @property
    def reads_user_groups(self) -> bool:
        """Whether the scope names user groups."""
        return bool(self.scope_usergroups or self.scope_exclude_usergroups)

    def with_other_ids(self, named: Mapping[str, str]) -> Self:
        """Return these settings with further ids of people whom the scope names: the named id by each further one."""
        return self._knowing(_other_ids=dict(named))

    def with_members(self, included: frozenset[str] | None, excluded: frozenset[str]) -> Self:
        """Return these settings with the Slack ids of those in the user groups that they name; None: they name none."""
        return self._knowing(_members=(included, excluded))

    def with_members_as(self, other: Self) -> Self:
        """Return these settings with the members that *other* knows; raise ValueError if it names other groups."""
        named = (self.scope_usergroups, self.scope_exclude_usergroups)
        if named != (other.scope_usergroups, other.scope_exclude_usergroups):
            raise ValueError("it was made with other user groups in the settings")
        return self._knowing(_members=other._members)

    def scope(self, team: str) -> Scope:
        """Return who is in scope in the workspace *team*."""
        if self._members is None and self.reads_user_groups:
            raise ConfigurationError("Slack's user groups, which the scope names, have not been read")
        members, excluded_members = self._members or (None, frozenset())
        return Scope(
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
        )

    def _others_of(self, slack_ids: frozenset[str]) -> frozenset[str]:
        return frozenset(other for other, named in self._other_ids.items() if named in slack_ids)
