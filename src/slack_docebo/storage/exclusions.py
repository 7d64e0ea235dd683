"""Exclusions: digests by which the forgotten are recognised without being named."""

import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, select

from slack_docebo.domain.addresses import spellings
from slack_docebo.domain.disputes import digest
from slack_docebo.domain.exclusion import Exclusions
from slack_docebo.storage.schema import exclusion
from slack_docebo.storage.statements import insertion

ALL = select(exclusion.c.digest)  # made once: read for every event and every page of an import


class ExclusionRepository:
    """The table `exclusion`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> Exclusions:
        """Return all exclusions."""
        return Exclusions(frozenset(self._connection.scalars(ALL)))

    def add(self, names: Iterable[str], *, now: datetime, digests: Iterable[str] = ()) -> None:
        """Exclude the person with these Slack ids and e-mail addresses, or *digests* of such."""
        person_key = secrets.randbits(62)
        for name in sorted({*map(digest, names), *digests} - {""}):
            row = insertion(self._connection, exclusion).values(digest=name, person_key=person_key, since=now)
            # The newest key for all of them, so that one name lifts the whole exclusion.
            known = row.on_conflict_do_update(index_elements=["digest"], set_={"person_key": person_key})
            self._connection.execute(known)

    def note_other_id(self, slack_id: str, known_as: str) -> None:
        """Also exclude *slack_id*, another id of the person excluded as *known_as*; lifting one lifts both."""
        of_person = select(exclusion.c.person_key, exclusion.c.since).where(exclusion.c.digest == digest(known_as))
        for person_key, since in self._connection.execute(of_person).all():
            row = insertion(self._connection, exclusion).values(
                digest=digest(slack_id), person_key=person_key, since=since
            )
            self._connection.execute(row.on_conflict_do_nothing())

    def pass_on(self, addresses: Iterable[str]) -> None:
        """Exclude nobody by these *addresses* any more, which somebody else has by now; the Slack ids still exclude."""
        digests = [digest(spelling) for address in addresses for spelling in spellings(address)]
        self._connection.execute(delete(exclusion).where(exclusion.c.digest.in_(digests)))

    def lift(self, name: str) -> bool:
        """Stop excluding the person with this Slack id or address; tell whether anybody was excluded by it."""
        digests = list(map(digest, spellings(name)))
        keys = select(exclusion.c.person_key).where(exclusion.c.digest.in_(digests)).scalar_subquery()
        return self._connection.execute(delete(exclusion).where(exclusion.c.person_key.in_(keys))).rowcount > 0
