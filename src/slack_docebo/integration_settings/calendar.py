"""When something is done, and when nothing."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from pydantic import Field

from slack_docebo.domain.freezing import frozen_until
from slack_docebo.integration_settings.section import Section
from slack_docebo.setting_values import Days, TimeOfDay, TimeZone


class CalendarSettings(Section):
    """The rows about times and days."""

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

    @property
    def today(self) -> date:
        """The day by the clock of TIME_ZONE."""
        return datetime.now(ZoneInfo(self.time_zone)).date()

    def frozen_until(self, now: datetime) -> date | None:
        """Return the last of the days, today among them, on which nothing is written; None if today is none."""
        return frozen_until(self.freeze, now, self.time_zone)
