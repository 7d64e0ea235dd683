"""Expirations: the accounts that we have let expire, with the date that they had before."""

from collections.abc import Collection
from collections.abc import Mapping as MappingType

from sqlalchemy import Connection

from slack_docebo.storage.account_rows import select_accounts, update_account
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import account
from slack_docebo.storage.statements import rows_in


class ExpirationRepository:
    """Which accounts of the platform at *docebo* we have let expire; the caller owns the transaction."""

    def __init__(self, connection: Connection, platforms: PlatformRepository, docebo: str) -> None:
        self._connection = connection
        self._platforms = platforms
        self._docebo = docebo

    def note(self, dates: MappingType[int, str | None]) -> None:
        """Note the expiration date that each account we let expire had before, "" for none; None if it was shut otherwise."""
        platform_id = self._platforms.take(self._docebo)
        for docebo_id, date in dates.items():
            self._connection.execute(update_account(platform_id, docebo_id).values(end_before=date))

    def of(self, docebo_ids: Collection[int]) -> dict[int, str]:
        """Return those of these accounts that we have let expire, whoever had them, with their former expiration date.

        The date is "" where there was none or nobody knows it. Accounts that we have deactivated since are left out.
        """
        query = select_accounts(self._platforms.find(self._docebo), account.c.end_before).where(
            account.c.end_before.is_not(None)
        )
        return {row.user_id: row.end_before for row in rows_in(self._connection, query, account.c.user_id, docebo_ids)}
