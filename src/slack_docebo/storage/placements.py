"""Placements: the branch into which we have moved an account, and the one out of which we have moved a leaver's."""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as MappingType

from sqlalchemy import Connection

from slack_docebo.storage.account_rows import CHANGE, select_accounts, update_account
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import account
from slack_docebo.storage.statements import WhereIn, rows_in

DOUBT = WhereIn(CHANGE.values(branch_placed=None), account.c.user_id)
CLEAR_LEFT = WhereIn(CHANGE.values(branch_left=None), account.c.user_id)


class PlacementRepository:
    """Where we have put the accounts of the platform at *docebo*; the caller owns the transaction."""

    def __init__(self, connection: Connection, platforms: PlatformRepository, docebo: str) -> None:
        self._connection = connection
        self._platforms = platforms
        self._docebo = docebo

    def note(self, branches: MappingType[int, int | None]) -> None:
        """Note the branch into which we have moved each account, which must have a row; None where that is in doubt."""
        platform_id = self._platforms.take(self._docebo)
        for docebo_id, branch_id in branches.items():
            self._connection.execute(update_account(platform_id, docebo_id).values(branch_placed=branch_id))

    def of(self, docebo_ids: Collection[int] | None = None) -> dict[int, int]:
        """Return the branch into which we have moved each account: all accounts, or these."""
        query = select_accounts(self._platforms.find(self._docebo), account.c.branch_placed).where(
            account.c.branch_placed.is_not(None)
        )
        rows = rows_in(self._connection, query, account.c.user_id, docebo_ids)
        return {row.user_id: row.branch_placed for row in rows}

    def doubt(self, docebo_ids: Iterable[int]) -> None:
        """Note that the branch of these accounts is in doubt, so that Docebo is asked for it."""
        DOUBT.change(self._connection, docebo_ids, platform=self._platforms.take(self._docebo))

    def note_left(self, branches: MappingType[int, int]) -> None:
        """Note the branch out of which we have moved each leaver's account; an earlier note stays."""
        platform_id = self._platforms.take(self._docebo)
        for docebo_id, branch_id in branches.items():
            first = update_account(platform_id, docebo_id).where(account.c.branch_left.is_(None))
            self._connection.execute(first.values(branch_left=branch_id))

    def left(self) -> dict[int, int]:
        """Return the branch out of which we have moved each leaver's account that was not moved back."""
        query = select_accounts(self._platforms.find(self._docebo), account.c.branch_left).where(
            account.c.branch_left.is_not(None)
        )
        return {row.user_id: row.branch_left for row in self._connection.execute(query)}

    def clear_left(self, docebo_ids: Iterable[int]) -> None:
        """Forget the branch out of which these accounts were moved: they are no longer in the leavers' branch."""
        CLEAR_LEFT.change(self._connection, docebo_ids, platform=self._platforms.take(self._docebo))
