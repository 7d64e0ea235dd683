"""What is believed."""

from pydantic import Field

from slack_docebo.integration_settings.section import LARGEST_NUMBER, Section
from slack_docebo.setting_values import Percent, Whole


class EvidenceSettings(Section):
    """The rows about how far a list is believed, and how many questions may be asked beside it."""

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
        " for those who have left or are back, and for the user groups of the scope, at most once a minute; before somebody is placed in a branch, the branches are read again in one call."
        " Other changes may rest on a list of up to an hour, or of twice the time that"
        " reading it took.",
    )
