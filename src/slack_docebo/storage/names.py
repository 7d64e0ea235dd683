"""The names of people in Slack, stored only while PEOPLE_SHOWN is `names`."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, delete, select

from slack_docebo.domain.functions import in_ascii
from slack_docebo.domain.people import SourceUser
from slack_docebo.storage.schema import person_name
from slack_docebo.storage.statements import WhereIn, carry_out, chunks, insertion_text

REPLACE = insertion_text(
    person_name.c, "(slack_team, slack_id) DO UPDATE SET name = excluded.name, email = excluded.email"
)


@dataclass(frozen=True, slots=True)
class PersonName:
    """A person's name and address, each "" where Slack shows none."""

    name: str = ""
    email: str = ""


class NameRepository:
    """The table `person_name`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, team: str, users: Iterable[SourceUser]) -> None:
        """Store the present names of *users*."""
        for some in chunks(users):
            known = self.of(team, [user.slack_id for user in some])
            called = {user.slack_id: PersonName(user.real_name or user.display_name, user.email) for user in some}
            news = {slack_id: name for slack_id, name in called.items() if known.get(slack_id) != name}
            rows = (
                {"slack_team": team, "slack_id": slack_id, "name": name.name, "email": name.email}
                for slack_id, name in news.items()
            )
            carry_out(self._connection, REPLACE, rows)

    def of(self, team: str, slack_ids: Iterable[str]) -> dict[str, PersonName]:
        """Return the stored names of those of *slack_ids* who have one."""
        query = select(person_name).where(person_name.c.slack_team == team)
        rows = WhereIn(query, person_name.c.slack_id).rows(self._connection, slack_ids)
        return {row.slack_id: PersonName(row.name, row.email) for row in rows}

    def find(self, team: str, words: Iterable[str], limit: int) -> list[str]:
        """Return the Slack ids of at most *limit* people whose name and address contain all *words*, by name.

        Letters with marks are also found without them: whoever searches may have no key for them.
        """
        wanted = [unicodedata.normalize("NFC", word).casefold() for word in words]
        everybody = select(person_name).where(person_name.c.slack_team == team).order_by(person_name.c.name)
        # Not in SQL: SQLite knows upper and lower case of ASCII alone.
        rows = ((row.slack_id, f"{row.name} {row.email}".casefold()) for row in self._connection.execute(everybody))
        found = (slack_id for slack_id, text in rows if all(word in text or word in in_ascii(text) for word in wanted))
        return list(islice(found, limit))

    def forget(self, slack_id: str) -> None:
        """Delete the name of one person, in whatever workspace."""
        self._connection.execute(delete(person_name).where(person_name.c.slack_id == slack_id))

    def clear(self) -> None:
        """Delete all names."""
        self._connection.execute(delete(person_name))
