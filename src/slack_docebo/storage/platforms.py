"""The platforms: each Docebo that this database knows, by address, and the one that the database is linked to."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, func, or_, select, update

from slack_docebo.errors import PlatformMismatch
from slack_docebo.storage.reads import docebo_source
from slack_docebo.storage.schema import (
    applied,
    batch_gate,
    call_budget,
    halt,
    mapping,
    milestone,
    plan,
    platform,
    proven_read,
    standing,
    workspace_link,
)
from slack_docebo.storage.statements import insertion

UNKNOWN = ""  # address of the platform whose mappings were stored before anybody said of which Docebo they are

# Made once: an import carries them out before almost everything else that it reads or writes.
FOUND = (  # what `PlatformRepository.find` returns for an "address" that is known
    select(platform.c.id)
    .where(platform.c.address.in_([bindparam("address"), UNKNOWN]))
    .order_by(platform.c.address.desc())
    .limit(1)
    .scalar_subquery()
)
KNOWN = select(platform.c.id, platform.c.address)
_kept = (exists().where(table.c.platform_id == platform.c.id) for table in (mapping, applied))
WITH_RECORDS = (
    select(platform.c.id, platform.c.address, platform.c.linked_at)
    .where(platform.c.address != UNKNOWN, or_(platform.c.linked_at.is_not(None), *_kept))
    .order_by(platform.c.id)
)


@dataclass(frozen=True, slots=True)
class Platform:
    """A Docebo of which the database has records."""

    id: int
    address: str
    linked_at: datetime | None = None  # by a relink


class PlatformRepository:
    """The table `platform`; the caller owns the transaction, in which nothing but this changes the table."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, int] = {}  # by address, as read last in this transaction
        self._checked: set[str] = set()  # addresses

    def find(self, address: str) -> int | None:
        """Return the id of the platform at *address*, else of the one without an address, if there is one.

        For UNKNOWN, return the only platform or the one that the database is linked to, else the one without an
        address.
        """
        if not self._known:
            self._known = {row.address: row.id for row in self._connection.execute(KNOWN)}
        known = self._known
        if not address and len(known) == 1:
            return next(iter(known.values()))
        if not address and (linked := self.linked()):
            return linked.id
        return known.get(address, known.get(UNKNOWN))

    def take(self, address: str) -> int:
        """Return the id of the platform like `find`, after it was added, or given *address*, where that is needed.

        Raises PlatformMismatch where the database is linked to another one.
        """
        self.check(address)
        found = self.find(address)
        if found is None:
            self._connection.execute(
                insertion(self._connection, platform).values(address=address).on_conflict_do_nothing()
            )
            found = self._connection.execute(select(platform.c.id).where(platform.c.address == address)).scalar_one()
            self._known[address] = found
        elif address and self._known.get(UNKNOWN) == found:
            self._connection.execute(update(platform).where(platform.c.id == found).values(address=address))
            self._known[address] = self._known.pop(UNKNOWN)
        return found

    def linked(self) -> Platform | None:
        """Return the platform that the database is linked to: by the newest relink, else the only one with records.

        None while there are no records, or where a release that did not check has made records of several.
        """
        known = self._with_records()
        relinked = [one for one in known if one.linked_at]
        if relinked:
            return max(relinked, key=lambda one: (one.linked_at, one.id))
        return known[0] if len(known) == 1 else None

    def check(self, address: str) -> None:
        """Raise PlatformMismatch where the database is linked to another platform than the one at *address*.

        Mappings without an address belong to whichever platform comes first.
        """
        if address in self._checked:
            return
        linked = self.linked()
        if linked is None and (known := self._with_records()) and self.find(address) is None:
            linked = known[0]
        if not address or linked is None or linked.address == address:
            self._checked.add(address)
            return
        raise PlatformMismatch(
            f"nothing was written: the mappings in this database are those of {linked.address}, and DOCEBO_URL is"
            f" {address}. Correct DOCEBO_URL; or run `slack-docebo relink same` if that is the same platform under a new"
            " address, `slack-docebo relink another` if it is another one (in Prefect: relink/link-another-docebo-address)"
        )

    def relink(self, address: str, *, now: datetime) -> None:
        """Link the database to the platform at *address*, which has mappings of its own or none yet.

        This becomes the newest link even if the clock was ahead at the last one.
        """
        newest = self._connection.scalar(select(func.max(platform.c.linked_at)))
        now = max(now, newest + timedelta(microseconds=1)) if newest else now
        self._connection.execute(insertion(self._connection, platform).values(address=address).on_conflict_do_nothing())
        self._connection.execute(update(platform).where(platform.c.address == address).values(linked_at=now))
        self._forget()

    def move(self, former: str, address: str) -> None:
        """Change the address of a platform from *former* to *address*, with all its records.

        Raises PlatformMismatch where there are records for *address* already.
        """
        if address in {one.address for one in self._with_records()}:
            raise PlatformMismatch(
                f"nothing was changed: the database has mappings of {address} already, so that is another platform than"
                f" {former}: run `slack-docebo relink another`"
            )
        self._connection.execute(delete(platform).where(platform.c.address == address))
        self._connection.execute(update(platform).where(platform.c.address == former).values(address=address))
        for table in (workspace_link, standing, halt, batch_gate, call_budget, milestone):
            self._connection.execute(delete(table).where(table.c.docebo == address))
        for table in (workspace_link, standing, halt, batch_gate, call_budget, milestone, plan):
            self._connection.execute(update(table).where(table.c.docebo == former).values(docebo=address))
        of_former = proven_read.c.source == docebo_source(former)
        self._connection.execute(update(proven_read).where(of_former).values(source=docebo_source(address)))
        self._forget()

    def linked_since(self, address: str) -> datetime | None:
        """Return when the database was linked to the platform at *address*; None where it always was."""
        return self._connection.scalar(select(platform.c.linked_at).where(platform.c.address == address))

    def _forget(self) -> None:
        self._known.clear()
        self._checked.clear()

    def _with_records(self) -> list[Platform]:
        """Return the platforms with an address that have mappings or applied records, or were linked by hand."""
        return [Platform(*row) for row in self._connection.execute(WITH_RECORDS)]
