"""Deactivations: the accounts that are inactive because of us."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from slack_docebo.storage.account_rows import CHANGE, HERE, account_insertion, account_row, select_accounts
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import account
from slack_docebo.storage.statements import WhereIn, carry_out

NOTE = account_insertion(
    "deactivated_at",
    on_conflict="""(platform_id, user_id) DO UPDATE SET
        deactivated_at = excluded.deactivated_at, deactivated_by = excluded.deactivated_by
        WHERE account.deactivated_at IS NULL""",
)
CLEAR = WhereIn(CHANGE.values(deactivated_at=None, deactivated_by=""), account.c.user_id)
SINCE = WhereIn(
    select(account.c.user_id, account.c.deactivated_at).where(HERE, account.c.deactivated_at.is_not(None)),
    account.c.user_id,
)


class DeactivationRepository:
    """Which accounts of the platform at *docebo* we have made inactive; the caller owns the transaction."""

    def __init__(self, connection: Connection, platforms: PlatformRepository, docebo: str) -> None:
        self._connection = connection
        self._platforms = platforms
        self._docebo = docebo

    def note(self, docebo_ids: Iterable[int], *, now: datetime, run: str) -> None:
        """Note that we have made these accounts inactive; an earlier note stays."""
        platform_id = self._platforms.take(self._docebo)
        rows = (account_row(platform_id, docebo_id, deactivated_at=now, deactivated_by=run) for docebo_id in docebo_ids)
        carry_out(self._connection, NOTE, rows)

    def since(self, docebo_ids: Iterable[int]) -> dict[int, datetime]:
        """Return which of these accounts are inactive because of us, and since when."""
        rows = SINCE.rows(self._connection, docebo_ids, platform=self._platforms.find(self._docebo))
        return {row.user_id: row.deactivated_at for row in rows}

    def before(self, moment: datetime) -> set[int]:
        """Return the accounts that are inactive because of us, and were so before *moment*."""
        return set(
            self._connection.scalars(
                select_accounts(self._platforms.find(self._docebo)).where(account.c.deactivated_at < moment)
            )
        )

    def clear(self, docebo_ids: Iterable[int]) -> None:
        """Delete the note that these accounts are inactive because of us: they are active, or somebody else did it."""
        CLEAR.change(self._connection, docebo_ids, platform=self._platforms.take(self._docebo))
