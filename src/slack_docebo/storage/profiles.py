"""Profiles: the mapped custom fields of each person, as Slack told them last."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from slack_docebo.domain.profiles import Profile
from slack_docebo.domain.stamps import NOT_BELIEVED
from slack_docebo.storage.schema import profile
from slack_docebo.storage.statements import WhereIn, upsert


class ProfileRepository:
    """The table `profile`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, team: str, slack_ids: Iterable[str]) -> dict[str, Profile]:
        """Return the profiles of those of *slack_ids* whose custom fields were read."""
        query = select(profile).where(profile.c.slack_team == team)
        rows = WhereIn(query, profile.c.slack_id).rows(self._connection, slack_ids)
        return {row.slack_id: Profile(row.fields, row.updated, row.read_at) for row in rows}

    def fields_read(self, team: str) -> frozenset[str]:
        """Return the ids of the custom fields that were read last, of whomever; none if rules have never read any."""
        newest = (
            select(profile.c.fields).where(profile.c.slack_team == team).order_by(profile.c.read_at.desc()).limit(1)
        )
        return frozenset(self._connection.scalar(newest) or ())

    def keep(self, team: str, slack_id: str, read: Profile) -> None:
        """Store the profile *read* of one person in place of an earlier one."""
        values = {"fields": dict(read.fields), "updated": read.updated, "read_at": read.read_at}
        upsert(self._connection, profile, {"slack_team": team, "slack_id": slack_id}, values)

    def doubt(self, team: str, slack_ids: Iterable[str]) -> None:
        """Mark these people's profiles as outdated, so that they are read again before they are used."""
        doubted = update(profile).where(profile.c.slack_team == team).values(updated=NOT_BELIEVED)
        WhereIn(doubted, profile.c.slack_id).change(self._connection, slack_ids)

    def purge(self, oldest: datetime) -> None:
        """Delete profiles last read before *oldest*: these people have left, or no field is mapped any more."""
        self._connection.execute(delete(profile).where(profile.c.read_at < oldest))

    def forget(self, slack_id: str) -> None:
        """Delete the profiles of one person, in whatever workspace."""
        self._connection.execute(delete(profile).where(profile.c.slack_id == slack_id))
