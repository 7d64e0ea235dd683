"""Sightings: what accounts were last seen, or written by us, to show."""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from slack_docebo.domain.disputes import digest
from slack_docebo.domain.people import LastSeen
from slack_docebo.storage.account_rows import CHANGE, HERE, account_insertion, account_row, select_accounts
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import account, applied, mapping
from slack_docebo.storage.statements import WhereIn, carry_out, rows_in

WRITTEN_BY_US = "written"  # what shows the address: our own word, and nothing seen since
SEEN = "seen"
CLAIMED = "claimed"  # by a table that was imported or restored; nobody has seen whether it is so
WRITTEN = account_insertion(
    "active",
    "verified_at",
    on_conflict="""(platform_id, user_id) DO UPDATE SET
        username_digest = CASE WHEN excluded.username_digest = ''
            THEN account.username_digest ELSE excluded.username_digest END,
        address_digest = CASE WHEN excluded.address_digest = ''
            THEN account.address_digest ELSE excluded.address_digest END,
        active = COALESCE(excluded.active, account.active),
        gone_since = NULL,
        verified_at = excluded.verified_at,
        verified_by = CASE
            WHEN account.verified_by = 'claimed' AND excluded.verified_by = 'seen' THEN excluded.verified_by
            WHEN excluded.address_digest = '' THEN account.verified_by
            ELSE excluded.verified_by END""",
)
CLAIM = account_insertion(
    on_conflict="""(platform_id, user_id) DO UPDATE SET
        username_digest = excluded.username_digest,
        address_digest = excluded.address_digest,
        verified_by = excluded.verified_by""",
)
FORGET = WhereIn(CHANGE.values(username_digest="", address_digest="", verified_by=""), account.c.user_id)
LAST_SEEN = WhereIn(
    select(account.c.user_id, account.c.username_digest, account.c.address_digest, account.c.verified_by).where(HERE),
    account.c.user_id,
)


@dataclass(frozen=True, slots=True)
class Written:
    """What Docebo accepted for the account; "" and None where nothing was written."""

    docebo_id: int
    username: str = ""
    email: str = ""
    active: bool | None = None


class SightingRepository:
    """What the accounts of the platform at *docebo* show; the caller owns the transaction."""

    def __init__(self, connection: Connection, platforms: PlatformRepository, docebo: str) -> None:
        self._connection = connection
        self._platforms = platforms
        self._docebo = docebo

    def note_written(self, accounts: Iterable[Written], *, now: datetime) -> None:
        """Note what was written, with names and addresses as digests."""
        platform_id = self._platforms.take(self._docebo)
        rows = (
            account_row(
                platform_id,
                written.docebo_id,
                username_digest=digest(written.username),
                address_digest=digest(written.email),
                active=written.active,
                verified_at=now,
                verified_by=WRITTEN_BY_US,
            )
            for written in accounts
        )
        carry_out(self._connection, WRITTEN, rows)

    def note_seen(self, accounts: MappingType[int, LastSeen], *, now: datetime) -> None:
        """Note what the accounts were seen to show, as digests.

        An account whose *claimed* is set stays the claim of a table until it has shown whose it is.
        """
        platform_id = self._platforms.take(self._docebo)
        rows = (
            account_row(
                platform_id,
                docebo_id,
                username_digest=seen.username,
                address_digest=seen.address,
                active=None,
                verified_at=now,
                verified_by=CLAIMED if seen.claimed else SEEN,
            )
            for docebo_id, seen in accounts.items()
        )
        carry_out(self._connection, WRITTEN, rows)

    def note_claimed(self, docebo_ids: Iterable[int]) -> None:
        """Note that a table says whose these accounts are: they have to prove it, whatever was seen of them before."""
        platform_id = self._platforms.take(self._docebo)
        rows = (account_row(platform_id, docebo_id, verified_by=CLAIMED) for docebo_id in docebo_ids)
        carry_out(self._connection, CLAIM, rows)

    def last_seen(self, docebo_ids: Iterable[int]) -> dict[int, LastSeen]:
        """Return what these accounts were last seen to show, without those of which nothing is known."""
        return {
            row.user_id: LastSeen(row.username_digest, row.address_digest, row.verified_by == WRITTEN_BY_US)
            for row in LAST_SEEN.rows(self._connection, docebo_ids, platform=self._platforms.find(self._docebo))
        }

    def known_since(self, moment: datetime, docebo_ids: Collection[int] | None) -> list[int]:
        """Return the accounts, or those of *docebo_ids*, whose name or address was written or seen since *moment*."""
        query = select_accounts(self._platforms.find(self._docebo)).where(account.c.verified_at >= moment)
        return [row.user_id for row in rows_in(self._connection, query, account.c.user_id, docebo_ids)]

    def opened(self, docebo_ids: Collection[int]) -> set[int]:
        """Return which of these accounts are active by what we last wrote."""
        query = select_accounts(self._platforms.find(self._docebo)).where(account.c.active.is_(True))
        return {row.user_id for row in rows_in(self._connection, query, account.c.user_id, docebo_ids)}

    def usernames(self, docebo_ids: Iterable[int]) -> dict[int, str]:
        """Return the digests of the last known usernames of these accounts, without those that are not known."""
        query = select_accounts(self._platforms.find(self._docebo), account.c.username_digest).where(
            account.c.username_digest != ""
        )
        rows = WhereIn(query, account.c.user_id).rows(self._connection, docebo_ids)
        return {row.user_id: row.username_digest for row in rows}

    def usernames_of_people(self) -> dict[int, str]:
        """Return `usernames` of all mapped accounts or, if there are none, of those that were given to somebody."""
        named = select_accounts(self._platforms.find(self._docebo), account.c.username_digest).where(
            account.c.username_digest != ""
        )
        for table in (mapping, applied):
            is_somebodys = exists().where(
                table.c.platform_id == account.c.platform_id, table.c.user_id == account.c.user_id
            )
            rows = self._connection.execute(named.where(is_somebodys))
            if found := {row.user_id: row.username_digest for row in rows}:
                return found
        return {}

    def bearing(self, usernames: Iterable[str]) -> dict[str, int]:
        """Return the accounts last seen or written with one of these usernames, by username."""
        wanted = {digest(username): username for username in usernames}
        named = WhereIn(
            select_accounts(self._platforms.find(self._docebo), account.c.username_digest), account.c.username_digest
        )
        return {wanted[row.username_digest]: row.user_id for row in named.rows(self._connection, wanted)}

    def with_addresses(self, addresses: Iterable[str]) -> dict[str, list[int]]:
        """Return the accounts last seen or written with one of these addresses, by address."""
        wanted = {digest(address): address for address in addresses}
        addressed = WhereIn(
            select_accounts(self._platforms.find(self._docebo), account.c.address_digest), account.c.address_digest
        )
        found: dict[str, list[int]] = {}
        for row in addressed.rows(self._connection, wanted):
            found.setdefault(wanted[row.address_digest], []).append(row.user_id)
        return found

    def forget(self, docebo_ids: Iterable[int]) -> None:
        """Forget what these accounts were last seen to show, because somebody has said whose they are."""
        FORGET.change(self._connection, docebo_ids, platform=self._platforms.take(self._docebo))


def last_seen_of(row: Row[Any]) -> LastSeen:
    """Return what the account of *row* was last seen to show; a joined row may have no account."""
    return LastSeen(
        *(row.username_digest or "", row.address_digest or ""),
        *(row.verified_by == WRITTEN_BY_US, row.verified_by == CLAIMED),
    )
