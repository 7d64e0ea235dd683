"""Milestones: when each thing that has to recur last happened, for whoever monitors it."""

import enum
from datetime import datetime

from sqlalchemy import Connection, select

from slack_docebo.domain.stamps import TOLERANCE
from slack_docebo.storage.schema import milestone
from slack_docebo.storage.statements import insertion_text

REACH = insertion_text(milestone.columns, "(docebo, name) DO UPDATE SET reached_at = excluded.reached_at")


class Milestone(enum.StrEnum):
    """What has to recur; and a freeze, which excuses that there was no import."""

    IMPORT = "import"  # of everybody, for real, taken through to its end
    SWEEP = "sweep"
    FREEZE = "freeze"  # a day on which nothing may be written, as a run has found


class MilestoneRepository:
    """The table `milestone`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def reach(self, docebo: str, reached: Milestone, *, now: datetime) -> None:
        """Note that the milestone is reached now."""
        self._connection.execute(REACH, {"docebo": docebo, "name": reached.value, "reached_at": now})

    def last(self, docebo: str, *, now: datetime) -> dict[Milestone, datetime]:
        """Return when each milestone was last reached, without those that never were.

        A time in the future is left out: the clock was ahead, and it would hide that the milestone is not reached any
        more.
        """
        query = select(milestone.c.name, milestone.c.reached_at).where(
            milestone.c.docebo == docebo, milestone.c.reached_at <= now + TOLERANCE
        )
        return {Milestone(name): at for name, at in self._connection.execute(query) if name in set(Milestone)}
