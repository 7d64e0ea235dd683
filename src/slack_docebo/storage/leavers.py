"""Leavers: since when mapped people have been seen to have left, for the days of grace."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, select

from slack_docebo.storage.schema import leaver, proven_read
from slack_docebo.storage.statements import WhereIn, insertion

_IN_TEAM = leaver.c.slack_team == bindparam("team")
SINCE = WhereIn(select(leaver.c.slack_id, leaver.c.since).where(_IN_TEAM), leaver.c.slack_id)
CLEAR = WhereIn(delete(leaver).where(_IN_TEAM), leaver.c.slack_id)


class LeaverRepository:
    """The table `leaver`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def since(self, team: str, slack_ids: Iterable[str]) -> dict[str, datetime]:
        """Return when those of *slack_ids* who are leavers were first seen as leavers."""
        return {row.slack_id: row.since for row in SINCE.rows(self._connection, slack_ids, team=team)}

    def note(self, team: str, slack_ids: Iterable[str], *, now: datetime) -> None:
        """Note that these people have left; an earlier note stays.

        The time is not earlier than the last proven read: a clock that is behind would end the days of grace too soon.
        """
        newest = self._connection.scalar(select(func.max(proven_read.c.proven_at)))
        since = max(now, newest or now)
        for slack_id in slack_ids:
            self._connection.execute(
                insertion(self._connection, leaver)
                .values(slack_team=team, slack_id=slack_id, since=since)
                .on_conflict_do_nothing()
            )

    def clear(self, team: str, slack_ids: Iterable[str]) -> None:
        """Delete these people, who are not leavers any more or were acted on."""
        CLEAR.change(self._connection, slack_ids, team=team)

    def purge(self, oldest: datetime) -> None:
        """Delete leavers first seen before *oldest*: no plan is about them any more."""
        self._connection.execute(delete(leaver).where(leaver.c.since < oldest))

    def forget(self, slack_id: str) -> None:
        """Delete what is known of one person, in whatever workspace."""
        self._connection.execute(delete(leaver).where(leaver.c.slack_id == slack_id))
