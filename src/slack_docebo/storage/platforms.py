"""The platforms: each Docebo that this database knows, by its address."""

from sqlalchemy import Connection, select, update

from slack_docebo.storage.schema import platform
from slack_docebo.storage.statements import insertion

UNKNOWN = ""  # address of the platform whose mappings were stored before anybody said of which Docebo they are


class PlatformRepository:
    """The table `platform`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, address: str) -> int | None:
        """Return the id of the platform at *address*; of one without an address, if that is still free to be taken.

        With UNKNOWN return the only platform there is, else the one without an address.
        """
        known: dict[str, int] = {row.address: row.id for row in self._connection.execute(select(platform))}
        if not address and len(known) == 1:
            return next(iter(known.values()))
        return known.get(address, known.get(UNKNOWN))

    def take(self, address: str) -> int:
        """Return, like `find`, the id of the platform; from now on it bears *address*, and a missing one is there."""
        found = self.find(address)
        if found is None:
            self._connection.execute(
                insertion(self._connection, platform).values(address=address).on_conflict_do_nothing()
            )
            found = self._connection.execute(select(platform.c.id).where(platform.c.address == address)).scalar_one()
        elif address:
            unnamed = platform.c.id == found, platform.c.address == UNKNOWN
            self._connection.execute(update(platform).where(*unnamed).values(address=address))
        return found
