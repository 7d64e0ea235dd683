"""All rows of the table, each with its default and description, and what follows from them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Self

from pydantic import PrivateAttr

from slack_docebo.domain.policy import Policy
from slack_docebo.domain.unmatched import UnmatchedEntries
from slack_docebo.integration_settings.accounts import AccountSettings
from slack_docebo.integration_settings.calendar import CalendarSettings
from slack_docebo.integration_settings.evidence import EvidenceSettings
from slack_docebo.integration_settings.keeping import KeepingSettings
from slack_docebo.integration_settings.leaving import LeavingSettings
from slack_docebo.integration_settings.limits import LimitSettings
from slack_docebo.integration_settings.scope import ScopeSettings
from slack_docebo.integration_settings.switches import SwitchSettings
from slack_docebo.setting_values import as_written


class IntegrationSettings(  # pydantic lists the rows of the last section first
    KeepingSettings,
    CalendarSettings,
    EvidenceSettings,
    LimitSettings,
    LeavingSettings,
    AccountSettings,
    ScopeSettings,
    SwitchSettings,
):
    """The table, read; the first three rows must be there, the others have the default shown."""

    _remarks: tuple[str, ...] = PrivateAttr(())

    def policy(self, team: str) -> Policy:
        """Return these settings as the policy for the workspace *team*."""
        return Policy(
            provision=self.provision_slack_user_data,
            map=self.map_slack_user_data,
            scope=self.scope(team),
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

    @property
    def remarks(self) -> tuple[str, ...]:
        """What in the table is not wrong but perhaps not meant."""
        return self._remarks

    def with_remarks(self, remarks: Iterable[str]) -> Self:
        """Return these settings, which keep *remarks* on how the table is written."""
        return self._knowing(_remarks=tuple(remarks))

    def unmatched(self) -> UnmatchedEntries:
        """Return the lists of these settings, to be compared with people and accounts as they are read."""
        default = type(self).model_fields["protected_accounts"].default
        protected = ["" if entry in default else entry for entry in self.protected_accounts]
        return UnmatchedEntries(
            people={"SCOPE_INCLUDE": self.scope_include, "SCOPE_EXCLUDE": self.scope_exclude},
            domains={"SCOPE_EMAIL_DOMAINS": self.scope_email_domains},
            accounts={"PROTECTED_ACCOUNTS": protected},
        )

    @property
    def written(self) -> dict[str, str]:
        """The values by key as the table holds them, without the mail address, as a plan stores them."""
        names = set(type(self).model_fields) - {"notification_mail_id"}
        return {name.upper(): as_written(getattr(self, name)) for name in sorted(names)}
