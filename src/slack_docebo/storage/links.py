"""The link between a Docebo and the Slack workspace it belongs to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from slack_docebo.storage.schema import workspace_link
from slack_docebo.storage.statements import insertion_text

# Made once: a statement costs more to build than to carry out.
GET = select(workspace_link).where(workspace_link.c.docebo == bindparam("docebo"))
PIN = insertion_text(
    workspace_link.columns,
    """(docebo) DO UPDATE SET slack_team_name = excluded.slack_team_name
        WHERE workspace_link.slack_team = excluded.slack_team
            AND workspace_link.slack_team_name <> excluded.slack_team_name""",
)


@dataclass(frozen=True, slots=True)
class WorkspaceLink:
    """The one workspace whose people may be written to *docebo*."""

    docebo: str  # base URL
    slack_team: str
    slack_team_name: str
    pinned_at: datetime


class LinkRepository:
    """The table `workspace_link`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, docebo: str) -> WorkspaceLink | None:
        row = self._connection.execute(GET, {"docebo": docebo}).one_or_none()
        return None if row is None else _link(row)

    def of(self, docebo: str | None) -> WorkspaceLink | None:
        """Return the link of *docebo* or, where none is named, that of this database, unless it has none or several."""
        if docebo:
            return self.get(docebo)
        rows = self._connection.execute(select(workspace_link).limit(2)).all()
        return _link(rows[0]) if len(rows) == 1 else None

    def pin(self, docebo: str, team: str, name: str, *, now: datetime) -> WorkspaceLink:
        """Link *docebo* to the workspace unless it is linked already; return the link in force.

        A link to another workspace stays as it is, so the caller compares; a workspace that was renamed is renamed.
        """
        pinned = {"docebo": docebo, "slack_team": team, "slack_team_name": name, "pinned_at": now}
        self._connection.execute(PIN, pinned)
        return _link(self._connection.execute(GET, {"docebo": docebo}).one())


def _link(row: Row[Any]) -> WorkspaceLink:
    return WorkspaceLink(row.docebo, row.slack_team, row.slack_team_name, row.pinned_at)
