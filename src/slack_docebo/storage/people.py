"""People, each by a key of our own, whatever ids Slack gives them."""

import secrets
from collections.abc import Iterable
from collections.abc import Mapping as MappingType
from datetime import datetime
from itertools import chain

from sqlalchemy import Connection, bindparam, delete, exists, select, text, true, update

from slack_docebo.domain.people import SourceUser
from slack_docebo.storage.schema import applied, identity, mapping, person
from slack_docebo.storage.statements import WhereIn, carry_out, insertion_text, is_postgresql

# Made once: a statement costs more to build than to carry out.
REGISTER = insertion_text(person.columns, "DO NOTHING")
IDENTIFY = insertion_text([identity.c.slack_team, identity.c.slack_id, identity.c.person_id], "DO NOTHING")
OF = WhereIn(
    select(identity.c.slack_id, identity.c.person_id).where(identity.c.slack_team == bindparam("team")),
    identity.c.slack_id,
)
_other = identity.alias()
IDS_OF = WhereIn(
    select(_other.c.slack_id).join(identity, identity.c.person_id == _other.c.person_id), identity.c.slack_id
)
LEFT_WITH = WhereIn(select(identity.c.left_with).where(identity.c.left_with != ""), identity.c.slack_id)
NOTE_LEFT_WITH = text(
    "UPDATE identity SET left_with = :address WHERE slack_team = :team AND slack_id = :by_id AND left_with <> :address"
)
OTHER_IDS = WhereIn(
    select(identity.c.slack_id, _other.c.slack_id.label("other"))
    .join(_other, _other.c.person_id == identity.c.person_id)
    .where(
        identity.c.slack_team == bindparam("team"),
        _other.c.slack_team == bindparam("team"),
        _other.c.slack_id != identity.c.slack_id,
    ),
    identity.c.slack_id,
)


class PersonRepository:
    """The tables `person` and `identity`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, team: str, slack_ids: Iterable[str]) -> dict[str, int]:
        """Return the keys of those of *slack_ids* who are known, by Slack id."""
        return {row.slack_id: row.person_id for row in OF.rows(self._connection, slack_ids, team=team)}

    def ids_of(self, slack_ids: Iterable[str]) -> set[str]:
        """Return *slack_ids* and all other ids of the same people."""
        wanted = set(slack_ids)
        return wanted | {row.slack_id for row in IDS_OF.rows(self._connection, wanted)}

    def other_ids(self, team: str, slack_ids: Iterable[str]) -> dict[str, str]:
        """Return the one of *slack_ids* for each other id of the same person."""
        return {row.other: row.slack_id for row in OTHER_IDS.rows(self._connection, slack_ids, team=team)}

    def by_every_id(self, team: str, slack_ids: Iterable[str]) -> dict[str, set[str]]:
        """Return, for each id of the same people, those of *slack_ids* that are the same person's."""
        theirs = {slack_id: {slack_id} for slack_id in slack_ids}
        for row in OTHER_IDS.rows(self._connection, list(theirs), team=team):
            theirs.setdefault(row.other, set()).add(row.slack_id)
        return theirs

    def register(self, team: str, slack_ids: Iterable[str], *, now: datetime) -> dict[str, int]:
        """Return the key of each of *slack_ids*, with a new one for each that is not known yet."""
        wanted = set(slack_ids)
        known = self.of(team, wanted)
        # Drawn at random: two processes that register somebody at the same moment need not wait for each other.
        new = {slack_id: secrets.randbits(62) for slack_id in sorted(wanted - known.keys())}
        if not new:
            return known
        carry_out(self._connection, REGISTER, ({"id": key, "known_since": now} for key in new.values()))
        identities = ({"slack_team": team, "slack_id": name, "person_id": key} for name, key in new.items())
        carry_out(self._connection, IDENTIFY, identities)
        if not is_postgresql(self._connection):  # one transaction writes at a time: nobody else has registered them
            return known | new
        return known | self.of(team, new)

    def note_ids(self, team: str, known: MappingType[str, str]) -> None:
        """Note further ids of people; *known* gives, by the further id, one that is known.

        A further id with which an account is noted already stays with its person.
        """
        people = self.of(team, {*known, *known.values()})
        for one, other in chain(known.items(), zip(known.values(), known, strict=True)):
            if {one, other} <= people.keys() and people[one] != people[other]:
                people[one] = self._pass_on(team, one, people[one], people[other])
        identities = (
            {"slack_team": team, "slack_id": slack_id, "person_id": people[former]}
            for slack_id, former in known.items()
            if former in people
        )
        carry_out(self._connection, IDENTIFY, identities)

    def _pass_on(self, team: str, slack_id: str, former: int, now: int) -> int:
        """Give the id to the person *now* unless the *former* one has, or had, an account; return the person who has it."""
        is_theirs = identity.c.slack_team == team, identity.c.slack_id == slack_id
        had_none = (
            ~exists().where(table.c.person_id == former, table.c.user_id.is_not(None)) for table in (mapping, applied)
        )
        passed = update(identity).where(*is_theirs, *had_none).values(person_id=now)
        return now if self._connection.execute(passed).rowcount else former

    def register_both_ids(self, team: str, users: Iterable[SourceUser], *, now: datetime) -> None:
        """Make each of *users* whom Slack shows with two ids known under both, as one person."""
        local_ids = {user.slack_id: user.local_id for user in users if user.local_id}
        self.note_ids(team, local_ids)
        self.register(team, local_ids, now=now)
        self.note_ids(team, {local_id: slack_id for slack_id, local_id in local_ids.items()})

    def gone(self, team: str) -> dict[str, datetime]:
        """Return since when Slack is known to have nobody under an id, by that id."""
        query = select(identity.c.slack_id, identity.c.gone_since).where(
            identity.c.slack_team == team, identity.c.gone_since.is_not(None)
        )
        return {row.slack_id: row.gone_since for row in self._connection.execute(query)}

    def note_gone(self, team: str, slack_ids: Iterable[str], *, since: datetime | None) -> None:
        """Note that Slack has nobody under these ids *since* then, or with None that it has somebody."""
        changed = identity.c.gone_since.is_not(None) if since is None else true()
        noted = update(identity).where(identity.c.slack_team == team, changed).values(gone_since=since)
        WhereIn(noted, identity.c.slack_id).change(self._connection, slack_ids)

    def left_with(self, team: str) -> dict[str, set[str]]:
        """Return who has left with an address that their account did not bear, as Slack ids, by its digest."""
        query = select(identity.c.left_with, identity.c.slack_id).where(
            identity.c.slack_team == team, identity.c.left_with != ""
        )
        found: dict[str, set[str]] = {}
        for row in self._connection.execute(query):
            found.setdefault(row.left_with, set()).add(row.slack_id)
        return found

    def addresses_left_with(self, slack_ids: Iterable[str]) -> set[str]:
        """Return digests of the addresses with which these people have left, where their accounts bore others."""
        return {row.left_with for row in LEFT_WITH.rows(self._connection, slack_ids)}

    def note_left_with(self, team: str, addresses: MappingType[str, str]) -> None:
        """Note with which address people have left; *addresses* gives its digest by Slack id."""
        rows = ({"team": team, "by_id": slack_id, "address": address} for slack_id, address in addresses.items())
        carry_out(self._connection, NOTE_LEFT_WITH, rows)

    def forget(self, slack_id: str) -> None:
        """Delete the person with all ids, mappings and what was applied."""
        keys = select(identity.c.person_id).where(identity.c.slack_id == slack_id).scalar_subquery()
        self._connection.execute(delete(person).where(person.c.id.in_(keys)))
