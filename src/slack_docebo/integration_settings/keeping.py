"""What is shown and kept."""

from typing import Annotated

from pydantic import Field

from slack_docebo.domain.people import PeopleShown
from slack_docebo.integration_settings.section import Section
from slack_docebo.setting_values import OneWord, Seconds, Whole

LONGEST_KEPT = 36_600  # days


class KeepingSettings(Section):
    """The rows about how people are shown, and for how long events and plans are kept."""

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
