"""Profiles: the mapped custom fields of each person, as Slack told them last."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from slack_docebo.domain.profiles import Profile
from slack_docebo.domain.stamps import NOT_BELIEVED
from slack_docebo.storage.schema import profile
from slack_docebo.storage.statements import WhereIn, insertion


class ProfileRepository:
    """The table `profile`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, team: str, slack_ids: Iterable[str]) -> dict[str, Profile]:
        """Return what is known of those of *slack_ids* who were read."""
        query = select(profile).where(profile.c.slack_team == team)
        rows = WhereIn(query, profile.c.slack_id).rows(self._connection, slack_ids)
        return {row.slack_id: Profile(row.fields, row.updated, row.read_at) for row in rows}

    def keep(self, team: str, slack_id: str, read: Profile) -> None:
        """Keep what was *read* of one person, in the place of what was before."""
        values = {"fields": dict(read.fields), "updated": read.updated, "read_at": read.read_at}
        self._connection.execute(
            insertion(self._connection, profile)
            .values(slack_team=team, slack_id=slack_id, **values)
            .on_conflict_do_update(index_elements=["slack_team", "slack_id"], set_=values)
        )

    def doubt(self, team: str, slack_ids: Iterable[str]) -> None:
        """Mark what was read of these people as outdated, so that they are read again before it is used."""
        doubted = update(profile).where(profile.c.slack_team == team).values(updated=NOT_BELIEVED)
        WhereIn(doubted, profile.c.slack_id).change(self._connection, slack_ids)

    def purge(self, oldest: datetime) -> None:
        """Delete what nobody has read anew since *oldest*: these people have left, or no field is mapped any more."""
        self._connection.execute(delete(profile).where(profile.c.read_at < oldest))

    def count_of(self, slack_id: str) -> int:
        """Return of how many workspaces custom profile fields of this person are kept."""
        query = select(func.count()).select_from(profile).where(profile.c.slack_id == slack_id)
        return self._connection.scalar(query) or 0

    def forget(self, slack_id: str) -> None:
        """Delete what was read of one person, in whatever workspace."""
        self._connection.execute(delete(profile).where(profile.c.slack_id == slack_id))
