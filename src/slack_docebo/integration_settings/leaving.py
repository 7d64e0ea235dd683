"""Who leaves, and who returns."""

from typing import Annotated

from pydantic import Field

from slack_docebo.domain.policy import Leavers
from slack_docebo.domain.returns import Rehires
from slack_docebo.integration_settings.section import Section
from slack_docebo.setting_values import Flag, OneWord, Whole


class LeavingSettings(Section):
    """The rows about people who have left Slack, or come back."""

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
