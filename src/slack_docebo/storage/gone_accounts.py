"""Gone accounts: those of which Docebo has said that they are no more."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from slack_docebo.storage.account_rows import CHANGE, account_insertion, account_row, select_accounts
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import account
from slack_docebo.storage.statements import WhereIn, carry_out

NOTE = account_insertion(
    "verified_at",
    "gone_since",
    on_conflict="""(platform_id, user_id) DO UPDATE SET
        verified_at = excluded.verified_at, gone_since = excluded.gone_since
        WHERE account.gone_since IS NULL""",
)
CLEAR = WhereIn(CHANGE.values(gone_since=None), account.c.user_id)


class GoneAccountRepository:
    """Which accounts of the platform at *docebo* are gone; the caller owns the transaction."""

    def __init__(self, connection: Connection, platforms: PlatformRepository, docebo: str) -> None:
        self._connection = connection
        self._platforms = platforms
        self._docebo = docebo

    def since(self) -> dict[int, datetime]:
        """Return since when each account that is gone is known to be."""
        query = select_accounts(self._platforms.find(self._docebo), account.c.gone_since).where(
            account.c.gone_since.is_not(None)
        )
        return {row.user_id: row.gone_since for row in self._connection.execute(query)}

    def note(self, docebo_ids: Iterable[int], *, now: datetime) -> None:
        """Note that these accounts are gone, as Docebo has answered for their ids."""
        platform_id = self._platforms.take(self._docebo)
        rows = (
            account_row(platform_id, docebo_id, verified_at=now, verified_by="asked for", gone_since=now)
            for docebo_id in docebo_ids
        )
        carry_out(self._connection, NOTE, rows)

    def clear(self, docebo_ids: Iterable[int]) -> None:
        """Note that these accounts exist."""
        CLEAR.change(self._connection, docebo_ids, platform=self._platforms.find(self._docebo))
