"""Contacts: when Slack and Docebo were last asked with our credentials, and when that last worked."""

import enum
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from slack_docebo.storage.milestones import REACH
from slack_docebo.storage.schema import milestone

ASKED, WORKED = "asked", "worked"


class Side(enum.StrEnum):
    """Who is asked."""

    SLACK = "slack"
    DOCEBO = "docebo"


@dataclass(frozen=True, slots=True)
class Contact:
    """When one side was last asked with our credentials, and when that last worked; None where it never was."""

    asked_at: datetime | None = None
    worked_at: datetime | None = None

    @property
    def is_broken(self) -> bool:
        """Whether our credentials did not work when they were last tried."""
        return self.asked_at != self.worked_at


class ContactRepository:
    """Rows of the table `milestone`, two for each side; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, docebo: str, side: Side, *, works: bool, now: datetime) -> None:
        """Record that *side* was contacted now, and whether that *works*."""
        events = (ASKED, WORKED) if works else (ASKED,)
        self._connection.execute(
            REACH, [{"docebo": docebo, "name": f"{side}-{event}", "reached_at": now} for event in events]
        )

    def last(self, docebo: str) -> dict[Side, Contact]:
        """Return the latest contact of each side."""
        query = select(milestone.c.name, milestone.c.reached_at).where(milestone.c.docebo == docebo)
        at = dict(self._connection.execute(query).tuples().all())
        return {side: Contact(at.get(f"{side}-{ASKED}"), at.get(f"{side}-{WORKED}")) for side in Side}
