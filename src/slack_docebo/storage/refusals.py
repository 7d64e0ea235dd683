"""What the webhook has refused in a row, for those who look from another process."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter

from sqlalchemy import Connection, delete, insert, select

from slack_docebo.domain.moments import in_utc
from slack_docebo.storage.schema import refusal


class RefusalKind(StrEnum):
    """Why something was refused; the last two as the intake calls them."""

    UNSIGNED = "unsigned"
    FOREIGN_APP = "foreign_app"
    FOREIGN_TEAM = "foreign_team"


ADVICE = {
    RefusalKind.UNSIGNED: "requests in a row were not signed with our SLACK_SIGNING_SECRET: unless strangers try the"
    " address, copy it again from the app's Basic Information, and look at this machine's clock",
    RefusalKind.FOREIGN_APP: "events in a row were of another Slack app and dropped: correct SLACK_APP_ID, or take our request"
    " URL out of that app",
    RefusalKind.FOREIGN_TEAM: "events in a row were of another workspace and dropped: look whether SLACK_TEAM_ID, or the"
    " workspace that this Docebo is linked to, is the right one",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """How many of one kind there were since something was taken."""

    kind: RefusalKind
    since: datetime
    number: int

    @property
    def line(self) -> str:
        return f"since {in_utc(self.since)} {self.number} {ADVICE[self.kind]}"


class RefusalRepository:
    """The table `refusal`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def replace(self, former: Iterable[Refusal], refusals: Iterable[Refusal]) -> None:
        """Note *refusals* in place of the *former* ones of the same webhook; of several webhooks the longest row counts."""
        over = {(one.kind, one.since) for one in former}
        kept = {one.kind: one for one in self.all() if (one.kind, one.since) not in over}
        for one in refusals:
            kept[one.kind] = max(one, kept.get(one.kind, one), key=attrgetter("number"))
        self._connection.execute(delete(refusal))
        rows = [{"kind": one.kind, "since": one.since, "number": one.number} for one in kept.values()]
        if rows:
            self._connection.execute(insert(refusal), rows)

    def all(self) -> list[Refusal]:
        """Return what was noted last, by kind."""
        rows = self._connection.execute(select(refusal).order_by(refusal.c.kind))
        return [Refusal(RefusalKind(row.kind), row.since, row.number) for row in rows]
