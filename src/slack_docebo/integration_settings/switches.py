"""What is done at all, and who is told."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from slack_docebo.integration_settings.section import Section
from slack_docebo.setting_values import MailAddresses, OneWord, OnlyTrue


class ReportMail(StrEnum):
    """After which imports of everybody a report is mailed."""

    NEVER = "never"
    WHEN_CHANGED = "when-changed"
    ALWAYS = "always"


class SwitchSettings(Section):
    """The rows that must be there, and when a report is mailed."""

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
