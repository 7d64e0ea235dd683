"""Accounts: what was last seen of them, and what we did to them."""

from collections.abc import Collection, Iterable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    TextClause,
    Update,
    bindparam,
    delete,
    exists,
    or_,
    select,
    update,
)

from slack_docebo.domain.disputes import digest
from slack_docebo.domain.managers import IN_DOUBT, may_have
from slack_docebo.domain.operations import Outcome
from slack_docebo.domain.people import LastSeen
from slack_docebo.storage.schema import (
    account,
    applied,
    identity,
    manager,
    mapping,
    operation,
    plan,
    platform,
    possible_manager,
)
from slack_docebo.storage.statements import WhereIn, carry_out, insertion_text, upsert

WRITTEN_BY_US = "written"  # what shows the address: our own word, and nothing seen since
SEEN = "seen"
CLAIMED = "claimed"  # by a table that was imported or restored; nobody has seen whether it is so
# Of an operation on an account that was the person's, or was to be; when it was skipped, it may be somebody else's.
FOR_THE_PERSON = [outcome.value for outcome in (Outcome.PLANNED, Outcome.APPLIED, Outcome.FAILED)]
BLANK = {"username_digest": "", "address_digest": "", "level": "", "verified_by": "", "deactivated_by": ""}


def _insertion(*columns: str, on_conflict: str) -> TextClause:
    """Return the INSERT of an account with these *columns* and those that every row has."""
    return insertion_text([account.c[name] for name in ("platform_id", "user_id", *BLANK, *columns)], on_conflict)


# Made once: a statement costs more to build than to carry out.
WRITTEN = _insertion(
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
DEACTIVATED = _insertion(
    "deactivated_at",
    on_conflict="""(platform_id, user_id) DO UPDATE SET
        deactivated_at = excluded.deactivated_at, deactivated_by = excluded.deactivated_by
        WHERE account.deactivated_at IS NULL""",
)
GONE = _insertion(
    "verified_at",
    "gone_since",
    on_conflict="""(platform_id, user_id) DO UPDATE SET
        verified_at = excluded.verified_at, gone_since = excluded.gone_since
        WHERE account.gone_since IS NULL""",
)
CLAIM = _insertion(
    on_conflict="""(platform_id, user_id) DO UPDATE SET
        username_digest = excluded.username_digest,
        address_digest = excluded.address_digest,
        verified_by = excluded.verified_by""",
)
_HERE = account.c.platform_id == bindparam("platform")
_SET = update(account).where(_HERE)
FORGET_SEEN = WhereIn(_SET.values(username_digest="", address_digest="", verified_by=""), account.c.user_id)
CLEAR_PLACED = WhereIn(_SET.values(branch_placed=None), account.c.user_id)
CLEAR_LEFT = WhereIn(_SET.values(branch_left=None), account.c.user_id)
CLEAR_GONE = WhereIn(_SET.values(gone_since=None), account.c.user_id)
CLEAR_DEACTIVATED = WhereIn(_SET.values(deactivated_at=None, deactivated_by=""), account.c.user_id)
DOUBT_MANAGERS = WhereIn(
    update(manager).where(manager.c.platform_id == bindparam("platform")).values(manager_id=IN_DOUBT), manager.c.user_id
)
NOTE_POSSIBLE = insertion_text(possible_manager.columns, "(platform_id, user_id, type_id, manager_id) DO NOTHING")
FORGET_POSSIBLE = WhereIn(
    delete(possible_manager).where(
        possible_manager.c.platform_id == bindparam("platform"), possible_manager.c.type_id == bindparam("type")
    ),
    possible_manager.c.user_id,
)
LAST_SEEN = WhereIn(
    select(account.c.user_id, account.c.username_digest, account.c.address_digest, account.c.verified_by).where(_HERE),
    account.c.user_id,
)
DEACTIVATED_SINCE = WhereIn(
    select(account.c.user_id, account.c.deactivated_at).where(_HERE, account.c.deactivated_at.is_not(None)),
    account.c.user_id,
)


@dataclass(frozen=True, slots=True)
class Written:
    """What Docebo accepted for the account; "" and None where nothing was written."""

    docebo_id: int
    username: str = ""
    email: str = ""
    active: bool | None = None


class AccountRepository:
    """The table `account`, the rows of one platform; the caller owns the transaction."""

    def __init__(self, connection: Connection, platform_id: int | None) -> None:
        self._connection = connection
        self._platform_id = platform_id

    def note_written(self, accounts: Iterable[Written], *, now: datetime) -> None:
        """Note what was written, with names and addresses as digests."""
        rows = (
            self._row(
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
        rows = (
            self._row(
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

    def last_seen(self, docebo_ids: Iterable[int]) -> dict[int, LastSeen]:
        """Return what these accounts were last seen to show, without those of which nothing is known."""
        return {
            row.user_id: LastSeen(row.username_digest, row.address_digest, row.verified_by == WRITTEN_BY_US)
            for row in LAST_SEEN.rows(self._connection, docebo_ids, platform=self._platform_id)
        }

    def known_since(self, moment: datetime, docebo_ids: Collection[int] | None) -> list[int]:
        """Return the accounts, or those of *docebo_ids*, whose name or address was written or seen since *moment*."""
        query = self._select().where(account.c.verified_at >= moment)
        return [row.user_id for row in self._of(query, account.c.user_id, docebo_ids)]

    def opened(self, docebo_ids: Collection[int]) -> set[int]:
        """Return which of these accounts are active by what we last wrote."""
        query = self._select().where(account.c.active.is_(True))
        return {row.user_id for row in self._of(query, account.c.user_id, docebo_ids)}

    def forget_seen(self, docebo_ids: Iterable[int]) -> None:
        """Forget what these accounts were last seen to show, because somebody has said whose they are."""
        self._change(FORGET_SEEN, docebo_ids)

    def note_claimed(self, docebo_ids: Iterable[int]) -> None:
        """Note that a table says whose these accounts are: they have to prove it, whatever was seen of them before."""
        rows = (self._row(docebo_id, verified_by=CLAIMED) for docebo_id in docebo_ids)
        carry_out(self._connection, CLAIM, rows)

    def note_deactivated(self, docebo_ids: Iterable[int], *, now: datetime, run: str) -> None:
        """Note that we have made these accounts inactive; an earlier note stays."""
        rows = (self._row(docebo_id, deactivated_at=now, deactivated_by=run) for docebo_id in docebo_ids)
        carry_out(self._connection, DEACTIVATED, rows)

    def note_placed(self, branches: MappingType[int, int | None]) -> None:
        """Note the branch into which we have moved each account, which must have a row; None where that is in doubt."""
        for docebo_id, branch_id in branches.items():
            self._connection.execute(self._update(docebo_id).values(branch_placed=branch_id))

    def placed(self, docebo_ids: Collection[int] | None = None) -> dict[int, int]:
        """Return the branch into which we have moved each account: all accounts, or these."""
        query = self._select(account.c.branch_placed).where(account.c.branch_placed.is_not(None))
        rows = self._of(query, account.c.user_id, docebo_ids)
        return {row.user_id: row.branch_placed for row in rows}

    def note_left(self, branches: MappingType[int, int]) -> None:
        """Note the branch out of which we have moved each leaver's account; an earlier note stays."""
        for docebo_id, branch_id in branches.items():
            first = self._update(docebo_id).where(account.c.branch_left.is_(None))
            self._connection.execute(first.values(branch_left=branch_id))

    def note_ended(self, dates: MappingType[int, str | None]) -> None:
        """Note the expiration date that each account we let expire had before, "" for none; None if it was shut otherwise."""
        for docebo_id, date in dates.items():
            self._connection.execute(self._update(docebo_id).values(end_before=date))

    def ended(self, docebo_ids: Collection[int]) -> dict[int, str]:
        """Return those of these accounts that we have let expire, whoever had them, with their former expiration date.

        The date is "" where there was none or nobody knows it. Accounts that we have deactivated since are left out.
        """
        query = self._select(account.c.end_before).where(account.c.end_before.is_not(None))
        return {row.user_id: row.end_before for row in self._of(query, account.c.user_id, docebo_ids)}

    def clear_placed(self, docebo_ids: Iterable[int]) -> None:
        """Note that the branch of these accounts is in doubt, so that Docebo is asked for it."""
        self._change(CLEAR_PLACED, docebo_ids)

    def doubt_given(self, docebo_ids: Collection[int]) -> None:
        """Note that branch and manager of these accounts are in doubt: what we gave was for the former owner."""
        self.clear_placed(docebo_ids)
        self._note_possible(self.managers(docebo_ids))
        self._change(DOUBT_MANAGERS, docebo_ids)

    def clear_left(self, docebo_ids: Iterable[int]) -> None:
        """Forget the branch out of which these accounts were moved: they are no longer in the leavers' branch."""
        self._change(CLEAR_LEFT, docebo_ids)

    def left(self) -> dict[int, int]:
        """Return the branch out of which we have moved each leaver's account that was not moved back."""
        query = self._select(account.c.branch_left).where(account.c.branch_left.is_not(None))
        return {row.user_id: row.branch_left for row in self._connection.execute(query)}

    def note_managers(self, managers: MappingType[tuple[int, int], int]) -> None:
        """Note the manager that we have written, by account and type; 0 for none."""
        self._set_managers(managers)
        for type_id in {type_id for _, type_id in managers}:
            known = [docebo_id for docebo_id, its_type in managers if its_type == type_id]
            FORGET_POSSIBLE.change(self._connection, known, platform=self._platform_id, type=type_id)

    def doubt_managers(self, sent: MappingType[tuple[int, int], int]) -> None:
        """Note that each manager in *sent*, by account and type, may have been written, or the former one kept."""
        before = self.managers({docebo_id for docebo_id, _ in sent})
        self._note_possible({key: manager_id for key, manager_id in before.items() if key in sent})
        self._note_possible(sent)
        self._set_managers(dict.fromkeys(sent, IN_DOUBT))

    def _note_possible(self, managers: MappingType[tuple[int, int], int]) -> None:
        rows = (
            {"platform_id": self._platform_id, "user_id": docebo_id, "type_id": type_id, "manager_id": manager_id}
            for (docebo_id, type_id), manager_id in managers.items()
            if manager_id not in {0, IN_DOUBT}
        )
        carry_out(self._connection, NOTE_POSSIBLE, rows)

    def _set_managers(self, managers: MappingType[tuple[int, int], int]) -> None:
        for (docebo_id, type_id), manager_id in managers.items():
            key = {"platform_id": self._platform_id, "user_id": docebo_id, "type_id": type_id}
            upsert(self._connection, manager, key, {"manager_id": manager_id})

    def managers(self, docebo_ids: Collection[int]) -> dict[tuple[int, int], int]:
        """Return the manager that we have written for these accounts, by account and type.

        The manager is 0 where we have removed it, and IN_DOUBT where nobody knows.
        """
        query = select(manager.c.user_id, manager.c.type_id, manager.c.manager_id).where(
            manager.c.platform_id == self._platform_id
        )
        rows = self._of(query, manager.c.user_id, docebo_ids)
        return {(row.user_id, row.type_id): row.manager_id for row in rows}

    def managers_as(self, type_id: int, docebo_ids: Collection[int] | None = None) -> dict[int, int]:
        """Return the managers of one type like `managers`, by account: of all accounts, or of these."""
        query = select(manager.c.user_id, manager.c.manager_id).where(
            manager.c.platform_id == self._platform_id, manager.c.type_id == type_id
        )
        return {row.user_id: row.manager_id for row in self._of(query, manager.c.user_id, docebo_ids)}

    def may_have_as(self, type_id: int, docebo_ids: Collection[int] | None = None) -> dict[int, Collection[int]]:
        """Return the managers of one type that accounts may have by what we have written: all accounts, or these."""
        return may_have(self.managers_as(type_id, docebo_ids), self.in_doubt_as(type_id, docebo_ids))

    def in_doubt_as(self, type_id: int, docebo_ids: Collection[int] | None = None) -> dict[int, list[int]]:
        """Return the managers of one type that each account in doubt may have: all accounts, or these."""
        query = select(possible_manager.c.user_id, possible_manager.c.manager_id).where(
            possible_manager.c.platform_id == self._platform_id, possible_manager.c.type_id == type_id
        )
        in_doubt: dict[int, list[int]] = {}
        for row in self._of(query.order_by(possible_manager.c.manager_id), possible_manager.c.user_id, docebo_ids):
            in_doubt.setdefault(row.user_id, []).append(row.manager_id)
        return in_doubt

    def gone(self) -> dict[int, datetime]:
        """Return since when each account that is gone is known to be."""
        query = self._select(account.c.gone_since).where(account.c.gone_since.is_not(None))
        return {row.user_id: row.gone_since for row in self._connection.execute(query)}

    def usernames(self, docebo_ids: Iterable[int]) -> dict[int, str]:
        """Return the digests of the last known usernames of these accounts, without those that are not known."""
        query = self._select(account.c.username_digest).where(account.c.username_digest != "")
        rows = WhereIn(query, account.c.user_id).rows(self._connection, docebo_ids)
        return {row.user_id: row.username_digest for row in rows}

    def bearing(self, usernames: Iterable[str]) -> dict[str, int]:
        """Return the accounts last seen or written with one of these usernames, by username."""
        wanted = {digest(username): username for username in usernames}
        named = WhereIn(self._select(account.c.username_digest), account.c.username_digest)
        return {wanted[row.username_digest]: row.user_id for row in named.rows(self._connection, wanted)}

    def with_addresses(self, addresses: Iterable[str]) -> dict[str, list[int]]:
        """Return the accounts last seen or written with one of these addresses, by address."""
        wanted = {digest(address): address for address in addresses}
        addressed = WhereIn(self._select(account.c.address_digest), account.c.address_digest)
        found: dict[str, list[int]] = {}
        for row in addressed.rows(self._connection, wanted):
            found.setdefault(wanted[row.address_digest], []).append(row.user_id)
        return found

    def usernames_of_people(self) -> dict[int, str]:
        """Return `usernames` of all mapped accounts or, if there are none, of those that were given to somebody."""
        named = self._select(account.c.username_digest).where(account.c.username_digest != "")
        for table in (mapping, applied):
            is_somebodys = exists().where(
                table.c.platform_id == account.c.platform_id, table.c.user_id == account.c.user_id
            )
            rows = self._connection.execute(named.where(is_somebodys))
            if found := {row.user_id: row.username_digest for row in rows}:
                return found
        return {}

    def note_gone(self, docebo_ids: Iterable[int], *, now: datetime) -> None:
        """Note that these accounts are gone, as Docebo has answered for their ids."""
        rows = (
            self._row(docebo_id, verified_at=now, verified_by="asked for", gone_since=now) for docebo_id in docebo_ids
        )
        carry_out(self._connection, GONE, rows)

    def clear_gone(self, docebo_ids: Iterable[int]) -> None:
        """Note that these accounts exist."""
        self._change(CLEAR_GONE, docebo_ids)

    def deactivated(self, docebo_ids: Iterable[int]) -> dict[int, datetime]:
        """Return which of these accounts are inactive because of us, and since when."""
        rows = DEACTIVATED_SINCE.rows(self._connection, docebo_ids, platform=self._platform_id)
        return {row.user_id: row.deactivated_at for row in rows}

    def deactivated_before(self, moment: datetime) -> set[int]:
        """Return the accounts that are inactive because of us, and were so before *moment*."""
        return set(self._connection.scalars(self._select().where(account.c.deactivated_at < moment)))

    def clear_deactivated(self, docebo_ids: Iterable[int]) -> None:
        """Delete the note that these accounts are inactive because of us: they are active, or somebody else did it."""
        self._change(CLEAR_DEACTIVATED, docebo_ids)

    def _row(self, docebo_id: int, **known: object) -> dict[str, object]:
        """Return the row of an account, with empty values for what is not *known*."""
        return {"platform_id": self._platform_id, "user_id": docebo_id, **BLANK, **known}

    def _select(self, *columns: Column[Any]) -> Select[Any]:
        """Return the query for the ids of the platform's accounts, and for these *columns* of them."""
        return select(account.c.user_id, *columns).where(account.c.platform_id == self._platform_id)

    def _update(self, docebo_id: int) -> Update:
        """Return the UPDATE of one account."""
        return update(account).where(account.c.platform_id == self._platform_id, account.c.user_id == docebo_id)

    def _of(self, query: Select[Any], column: Column[Any], docebo_ids: Collection[int] | None) -> Iterator[Row[Any]]:
        """Return the rows of *query*: all, or those in which *column* is one of these accounts."""
        if docebo_ids is None:
            return iter(self._connection.execute(query))
        return WhereIn(query, column).rows(self._connection, docebo_ids)

    def _change(self, change: WhereIn, docebo_ids: Iterable[int]) -> None:
        change.change(self._connection, docebo_ids, platform=self._platform_id)


def last_seen_of(row: Row[Any]) -> LastSeen:
    """Return what the account of *row* was last seen to show; a joined row may have no account."""
    return LastSeen(
        *(row.username_digest or "", row.address_digest or ""),
        *(row.verified_by == WRITTEN_BY_US, row.verified_by == CLAIMED),
    )


def addresses_of_accounts(connection: Connection, slack_ids: Iterable[str]) -> set[str]:
    """Return digests of the addresses of accounts given only to this person, if nobody else's account has the address.

    So is that of an account which the person had before, as the journal tells: somebody has linked another one since;
    and of one that the person would have got by a plan which nobody has carried out.
    """
    ids = list(slack_ids)
    theirs = select(identity.c.person_id).where(identity.c.slack_id.in_(ids))
    to_person, to_others = _given(theirs)
    in_journal = _in_journal(ids, operation.c.outcome.in_(FOR_THE_PERSON))
    other = account.alias()
    is_theirs_too, _ = _given(theirs, of=other)  # on another platform, say
    is_shared = exists().where(
        other.c.address_digest == account.c.address_digest, other.c.user_id != account.c.user_id, ~is_theirs_too
    )
    is_own = or_(to_person, in_journal), ~to_others, ~is_shared
    return set(connection.scalars(select(account.c.address_digest).where(*is_own, account.c.address_digest != "")))


def blank_accounts_of(connection: Connection, slack_id: str, addresses: Iterable[str]) -> None:
    """Remove the digests from accounts that were given only to this person, or that have one of *addresses*.

    Accounts that were given to nobody have digests after a dry run.
    """
    theirs = select(identity.c.person_id).where(identity.c.slack_id == slack_id)
    to_person, to_others = _given(theirs)
    planned = _in_journal([slack_id])
    digests = sorted(set(map(digest, addresses)))
    bears = or_(account.c.username_digest.in_(digests), account.c.address_digest.in_(digests))
    blank = {"username_digest": "", "address_digest": ""}
    connection.execute(update(account).where(or_(to_person, planned, bears), ~to_others).values(blank))


def _in_journal(slack_ids: list[str], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that an operation on an account, which fulfils *conditions*, was for the person with *slack_ids*."""
    return exists().where(
        operation.c.slack_id.in_(slack_ids),
        operation.c.docebo_id == account.c.user_id,
        operation.c.plan_id == plan.c.id,
        plan.c.docebo == platform.c.address,
        platform.c.id == account.c.platform_id,
        *conditions,
    )


def _given(theirs: Select[tuple[int]], of: FromClause = account) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return two conditions: that an account was given to one of *theirs*, keys of people, and to somebody else."""
    given = [
        (table.c.platform_id == of.c.platform_id, table.c.user_id == of.c.user_id, table.c.person_id)
        for table in (mapping, applied)
    ]
    to_person = or_(*(exists().where(platform, user, key.in_(theirs)) for platform, user, key in given))
    to_others = or_(*(exists().where(platform, user, key.not_in(theirs)) for platform, user, key in given))
    return to_person, to_others
