"""Relinking: the database is linked to a Docebo at another address, the same platform or another one."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum

from slack_docebo.clients.docebo import DoceboClient
from slack_docebo.domain.disputes import digest
from slack_docebo.domain.observation import Present
from slack_docebo.engine.reading.connection import check_rights
from slack_docebo.engine.reading.evidence import observe_account
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.runtime import Runtime
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.platforms import Platform
from slack_docebo.storage.store import Store

SAMPLE = 20  # accounts that are asked for, one call each
PROOF = 80  # percent of them that have to bear the username last seen; the others may have been changed since


class Relation(StrEnum):
    """How the Docebo at the present address is related to the one that the database is linked to."""

    SAME = "same"
    ANOTHER = "another"


@dataclass(frozen=True, slots=True)
class Relinked:
    """What a relink has done, or would do."""

    former: str
    address: str
    relation: Relation
    asked: int = 0  # accounts of people
    alike: int = 0  # that bear the username last seen
    dry_run: bool = False

    @property
    def line(self) -> str:
        """One line without a name in it."""
        would = "would be" if self.dry_run else "is"
        if self.relation is Relation.ANOTHER:
            return f"the database {would} linked to {self.address}, with mappings of its own; those of {self.former} are kept"
        proof = f"{self.alike} of {self.asked} accounts of people that were asked for bear the username last seen"
        return f"the database {would} linked to {self.address}, the same platform as {self.former}: {proof}"


async def relink(runtime: Runtime, relation: Relation, *, dry_run: bool) -> Relinked:
    """Link the database to the Docebo at DOCEBO_URL, for at most one call for each of SAMPLE accounts.

    That it is the *same* platform has to be proven by the usernames with which people's accounts were last seen. Raises
    ConfigurationError where there is nothing to relink, NotConfirmed where the proof fails, AccessDenied where the grant
    is no superadmin's, and AlreadyRunning while a run is at work on either Docebo.
    """
    address = runtime.settings.docebo_url
    with runtime.store.reading() as tables:
        former = tables.platforms.linked()
    if former is None:
        raise ConfigurationError(
            "nothing is to be relinked: this database is linked to no Docebo yet, the next run links it"
        )
    if former.address == address:
        raise ConfigurationError(
            f"nothing is to be relinked: this database is linked to {address} already; set DOCEBO_URL to the new address"
            " first"
        )
    check_rights(runtime, await runtime.docebo.session())
    found = Relinked(former.address, address, relation, dry_run=dry_run)
    if relation is Relation.SAME:
        found = await _prove(runtime.docebo, found, _sample(runtime.store, former))
    if dry_run:
        return found
    with ExitStack() as stack:
        for docebo in (former.address, address):
            for kind in (PlanKind.BULK_IMPORT, PlanKind.REALTIME_SYNC):
                stack.enter_context(RunLock(runtime.store, docebo, kind, holder=runtime.run_name))
        tables = stack.enter_context(runtime.store.transaction())
        platforms = tables.platforms
        if relation is Relation.SAME:
            platforms.move(former.address, address)
        else:
            platforms.relink(address, now=runtime.now())
    return found


def _sample(store: Store, former: Platform) -> dict[int, str]:
    """Return digests of the last seen usernames of some accounts of people, spread over all."""
    with store.reading() as tables:
        known = sorted(tables.sightings(former.address).usernames_of_people().items())
    size = min(SAMPLE, len(known))
    return dict(known[place * len(known) // size] for place in range(size))


async def _prove(docebo: DoceboClient, found: Relinked, sample: dict[int, str]) -> Relinked:
    """Return *found* with how many accounts of *sample* are those of the former platform; raise NotConfirmed if too few are."""
    alike = 0
    for docebo_id, username in sample.items():
        seen = await observe_account(docebo, docebo_id)
        if isinstance(seen, Present) and digest(seen.value.username) == username:
            alike += 1
    if not sample or alike * 100 < PROOF * len(sample):
        raise NotConfirmed(
            f"nothing was changed: {alike} of {len(sample)} accounts of people of {found.former} that were asked for at"
            f" {found.address} bear the username last seen, so it is not shown to be the same platform. Relink it as"
            " another one, or correct DOCEBO_URL"
        )
    return replace(found, asked=len(sample), alike=alike)
