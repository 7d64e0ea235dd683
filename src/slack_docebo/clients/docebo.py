"""The Docebo endpoints this project needs, typed."""

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx

from slack_docebo.clients.answers import BoundedClient
from slack_docebo.clients.docebo_accounts import AccountReader
from slack_docebo.clients.docebo_answers import Answered, check_count, counts_some, items_of, refuse_within
from slack_docebo.clients.docebo_auth import Grant
from slack_docebo.clients.docebo_branches import DoceboBranches
from slack_docebo.clients.docebo_fields import DoceboFields
from slack_docebo.clients.docebo_levels import Levels
from slack_docebo.clients.docebo_requests import PAGE_SIZE, DoceboRequests, for_one_call, unguarded, unlimited
from slack_docebo.clients.docebo_rows import Row, RowResult, batch_item, correlate
from slack_docebo.clients.docebo_values import read_flag, read_id, read_text
from slack_docebo.clients.docebo_wire import (
    NO_USER,
    ManagerType,
    Service,
    Session,
    changed_of,
    manager_type_of,
    session_of,
    subordinate_of,
)
from slack_docebo.clients.exchanges import Recorder
from slack_docebo.clients.retries import Wait, wait_as_asked
from slack_docebo.domain.addresses import mailbox, spellings
from slack_docebo.domain.dialect import MOST_ROWS, Pages
from slack_docebo.domain.languages import Languages
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.people import Account, View
from slack_docebo.domain.texts import without_unseen
from slack_docebo.errors import (
    AccessDenied,
    ContractViolation,
    IncompleteRead,
    OutcomeUnknown,
    Rejected,
    RemoteError,
)

MOST_PAGES_OF_USERS = 5_000  # a million accounts
FOUND_FOR = 60.0  # seconds for which a search that has found somebody is believed when it finds nobody
MOST_SEARCHED = 2  # accounts that are there, before the search is taken to find nobody
MOST_PAGES_FOUND = 10  # by the search for one address
HTTPX_LOGS = 5  # method, address, version, status, and the words beside the status
PROVISIONED_BY = "slack-docebo"
SEES_ADDRESSES = (
    "sign in as a superadmin who may see the e-mail addresses of all users (DOCEBO_USERNAME), and run again"
)
AMBIGUOUS = "Docebo answers 400 for the account's id"


class DoceboClient:
    """Reads and writes accounts.

    Every method raises what `DoceboRequests` raises. A method that reads raises ContractViolation if the answer is not
    as documented; one that writes raises OutcomeUnknown if there is no answer that can be relied on.
    """

    def __init__(
        self, requests: DoceboRequests, *, wanted_fields: frozenset[int] = frozenset(), user_level: str = ""
    ) -> None:
        self._requests = requests
        self._wanted_fields = wanted_fields
        self._there: int | None = None  # an account that a list has shown, or else our own
        self._shows_accounts: bool | None = None  # that are there and were asked for; None where none was yet
        self._searchable = list[str]()  # usernames of accounts that are there: our own, and one that a list has shown
        self._found_at = -FOUND_FOR  # when a search has found an account last, by the monotonic clock
        self.languages = Languages()  # of the platform, as far as its answers have told them
        self.levels = Levels(user_level)
        self.fields = DoceboFields(requests)
        self.branches = DoceboBranches(requests)

    @property
    def calls(self) -> Counter[str]:
        """How many requests were made, by operation."""
        return self._requests.calls

    @property
    def clock_ahead(self) -> timedelta | None:
        """By how much our clock is ahead of Docebo's, by the date of its latest answer; None if that had no date."""
        return self._requests.clock_ahead

    @property
    def paging(self) -> frozenset[Pages]:
        """In which ways pages are known to differ from those that are asked for by number."""
        return frozenset(self._requests.paging)

    def want_fields(self, field_ids: Iterable[int]) -> None:
        """Also read these additional fields with each account from now on."""
        self._wanted_fields |= frozenset(field_ids)

    async def session(self) -> Session:
        """Return the user to whom the credentials belong; raise AccessDenied, with advice, if there is none."""
        try:
            session = session_of(await self._requests.get("session", "/manage/v1/user/session"))
        except (AccessDenied, Rejected) as refusal:
            if refusal.status is None or refusal.operation != "session":  # what to do with the token, it says itself
                raise
            advice = f"{refusal.detail or 'it is refused'}; if {NO_USER}"
            raise AccessDenied("session", advice, status=refusal.status, said=refusal.said) from None
        self.languages.know(session.languages)
        self._there = self._there or session.docebo_id
        if session.username and not self._searchable:
            self._searchable.append(session.username)
        return session

    async def list_users(self, *, unlisted: int = 0, is_first: bool = False) -> AsyncIterator[list[Account]]:
        """Yield all accounts, page by page; one that was renamed while they are read may come twice, the later as it is.

        As many as *unlisted* may be counted by Docebo and not listed. Of a list that *is_first*, so that nothing tells what it
        has to show, the page behind its end is asked for; so it is where Docebo does not count. Of a list that is too short,
        a page 0 is: if that shows others than all after it, pages are numbered from 0, and the list is to be begun anew.

        Raises IncompleteRead, at the latest at the end, if some were left out: conclude nothing from an account's
        absence before the iteration has ended.
        """
        params: dict[str, str | int] = {"sort_attr": "username", "sort_dir": "asc", "get_total_count": 1}
        read = self._reader().read
        seen: set[int] = set()
        expected: int | None = None
        announced, pages, data = False, 0, None
        async for data, more in self._requests.pages(
            "list users", "/manage/v1/user", params, MOST_PAGES_OF_USERS, unlisted=unlisted
        ):
            pages += 1
            items = items_of("list users", data)
            if announced and expected is None and not items:
                raise IncompleteRead(f"Docebo announced more than {len(seen)} accounts, and sent an empty page.")
            if isinstance(data, dict):
                announced = read_flag(data.get("has_more_data"), missing=False)
                if expected is None:
                    # The first count: accounts made while reading need not be among those read, but all others do.
                    expected = read_id(data.get("total_count"))
            accounts = list(map(read, items))
            before = len(seen)
            seen.update(account.docebo_id for account in accounts)
            is_over = len(seen) == before
            if is_over and more:
                if not _is_whole(data, len(seen), expected):
                    raise IncompleteRead(
                        f"Docebo repeats itself: after {len(seen)} accounts a page showed none that is new."
                    )
                if isinstance(data, dict):
                    self._requests.paging.add(Pages.ENDLESS)
            self._there = accounts[-1].docebo_id if accounts else self._there
            if accounts and len(self._searchable) < MOST_SEARCHED:
                self._searchable.append(accounts[0].username)
            yield accounts
            if is_over:
                break
        await self._check_end(params, data, seen, expected, pages=pages, unlisted=unlisted, is_first=is_first)

    async def _check_end(
        self,
        params: Mapping[str, str | int],
        last: object,
        seen: set[int],
        expected: int | None,
        *,
        pages: int,
        unlisted: int,
        is_first: bool,
    ) -> None:
        """Raise IncompleteRead if a list that ended with the page *last* has left out accounts, as far as that shows."""
        number = self._requests.first_page
        if number and (expected is None or len(seen) + unlisted < expected):
            first = set[int]()
            with suppress(RemoteError):  # some may have no such page
                first = await self._shown_on(params, 0)
            # Page 1 is asked for once more: it may have been empty by accident, where a page 0 is the same.
            if first and first.isdisjoint(seen) and first.isdisjoint(await self._shown_on(params, 1)):
                self._requests.paging.add(Pages.FROM_0)
                raise IncompleteRead("Docebo's pages are numbered from 0: the list is to be begun anew.")
        if not seen:
            raise IncompleteRead("Docebo's list shows nobody, not even our own account: run again later")
        check_count("accounts", len(seen), expected, unlisted=unlisted)
        is_in_doubt = expected is None or is_first
        if is_in_doubt and items_of("list users", last):
            behind = await self._shown_on(params, number + pages, last)
            if not behind <= seen:
                raise IncompleteRead(f"Docebo ended its list after {len(seen)} accounts, and has more.")

    async def _shown_on(self, params: Mapping[str, str | int], number: int, before: object = None) -> set[int]:
        """Return the accounts that page *number* of the list shows; none where it refuses that page, or sends something else."""
        try:
            data = await self._requests.page("list users", "/manage/v1/user", params, number=number, before=before)
            items = items_of("list users", data)
        except (Rejected, ContractViolation):
            return set()
        return {read_id(item.get("user_id")) or 0 for item in items if isinstance(item, dict)} - {0}

    async def find_users(self, text: str, *, in_parts: bool = False, counted_as: str = "find users") -> list[Account]:
        """Return the accounts whose username or e-mail address is *text*, compared as mailboxes are.

        It takes one call, or several for an address whose domain can be written in Unicode and in Punycode. Docebo
        searches for the full text, which is documented for names only or, *in_parts*, for texts that contain it. Raises
        IncompleteRead if Docebo hides the e-mail address by which it has found an account, or sends fewer than it
        announces.
        """
        found: dict[int, Account] = {}
        for spelling in spellings(text) if text.strip() else []:
            found |= await self._find_users(spelling, in_parts=in_parts, operation=counted_as)
        if found:
            self._found_at = time.monotonic()
        return list(found.values())

    async def _find_users(self, text: str, *, in_parts: bool, operation: str) -> dict[int, Account]:
        wanted, found, is_first = mailbox(text), dict[int, Account](), True
        read = self._reader().read
        params = {"search_text": text.strip(), **({} if in_parts else {"match_type": "full"})}
        async for data, more in self._requests.pages(operation, "/manage/v1/user", params, MOST_PAGES_FOUND):
            items = items_of(operation, data)
            # Docebo's search also finds names and parts of them.
            for account in map(read, items):
                borne = (account.username, account.email)
                # A part of an address may be all that can be seen of it.
                if wanted in (mailbox(without_unseen(name) if in_parts else name) for name in borne):
                    found[account.docebo_id] = account
                elif "email" in account.unshown and not is_found_by_names(account, text):
                    raise IncompleteRead(
                        f"Docebo finds account {account.docebo_id} by an e-mail address that it does not show: {SEES_ADDRESSES}"
                    )
            if not items and (more or (is_first and counts_some(data))):
                raise IncompleteRead("Docebo announced more search results and sent none.")
            is_first = False
        return found

    async def finds_listed(self) -> bool:
        """Tell whether the search finds an account that exists: our own, or else one that a list has shown.

        It takes one or two calls, and none if a search has found an account within the last minute.
        """
        for username in self._searchable:
            if time.monotonic() - self._found_at < FOUND_FOR or await self.find_users(username, counted_as="witness"):
                return True
        return not self._searchable

    async def user(self, docebo_id: int) -> Observation[Account]:
        """Return what Docebo says of exactly this account: the account of `view` only."""
        seen = await self.view(docebo_id)
        return Present(seen.value.account) if isinstance(seen, Present) else seen

    async def view(self, docebo_id: int) -> Observation[View]:
        """Return everything that Docebo shows of exactly this account.

        A 404 in Docebo's own form says that the account is gone. Any other 404 is a gateway's, and proves nothing. If
        Docebo does not show an account that it has listed either, which takes one more call to find out, the whole
        endpoint is missing, and the account is unknown. It is also unknown after a 400, with which some endpoints
        answer for missing things and all for requests that they do not understand; and after an answer about another
        account, as after a merge.
        """
        try:
            data = await self._requests.get("user", f"/manage/v1/user/{docebo_id}")
        except Rejected as error:
            if error.status not in {400, 404}:
                raise
            if not isinstance(error, Answered):
                return Unknown(f"the {error.status} for the account's id is not Docebo's")
            if error.status == 400:
                return Unknown(AMBIGUOUS)
            if self._shows_accounts is None:
                self._shows_accounts = await self.shows_listed()
            if not self._shows_accounts:
                return Unknown("Docebo does not show an account of its own list either")
            return Gone(f"Docebo has no account {docebo_id} (404)")
        seen = self._reader().view(data)
        if seen is None:
            return Unknown(f"Docebo's answer shows nothing of account {docebo_id}")
        if seen.account.docebo_id != docebo_id:
            return Unknown(f"asked for account {docebo_id}, Docebo shows account {seen.account.docebo_id}")
        self._shows_accounts = True
        if seen.besides.get("level"):
            return Present(seen)
        return await self._with_listed_level(seen)

    async def _with_listed_level(self, seen: View) -> Observation[View]:
        """Return what was *seen* of an account whose view leaves out its level, with the level that the list shows."""
        with suppress(IncompleteRead):
            for listed in await self.find_users(seen.account.username, counted_as="level"):
                if listed.docebo_id == seen.account.docebo_id:
                    return Present(replace(seen, account=replace(seen.account, administrator=listed.administrator)))
        return Unknown(f"neither the view nor the search shows the level of account {seen.account.docebo_id}")

    async def shows_listed(self) -> bool:
        """Tell whether Docebo shows, by its id, an account that it has listed, or else the one of the grant.

        True without a call if neither is known yet.
        """
        if self._there is None:
            return True
        try:
            data = await self._requests.get("witness", f"/manage/v1/user/{self._there}")
        except Rejected:
            return False
        return AccountReader(frozenset(), self.languages).view(data) is not None

    async def upsert_users(
        self,
        rows: Sequence[Row],
        *,
        create: bool,
        branch: int | None = None,
        welcome: bool = False,
        without: Collection[str] = (),
    ) -> list[RowResult]:
        """Create accounts, or change existing ones, and return the result of each row in their order.

        A row that creates never changes an existing account: it fails instead. A new account has a password only if its
        row gives one, and gets Docebo's own mail if *welcome*. It is put into *branch*; None leaves that to Docebo. The
        options in *without* are not sent, because the platform does not know them.
        """
        if any((row.docebo_id is None) is not create for row in rows):
            raise ValueError("rows that create have no docebo_id, rows that update have one")
        if len(rows) > MOST_ROWS:
            raise ValueError(f"{len(rows)} rows in one call, at most {MOST_ROWS} are allowed")
        if not rows:
            return []
        operation = "create users" if create else "update users"
        options: dict[str, Any] = {
            "update_user_info": not create,
            "branch_option": "do_nothing" if branch is None else "existing",
            "force_create_branches": False,
            "change_user_password": False,
            "ignore_password_change_for_existing_users": True,
            "send_notification_email": create and welcome,
            "powerUser_option": "no_association",
            "provisioned_by": PROVISIONED_BY,
        }
        if branch is not None:
            options["destination_branch"] = branch
        known = {name: value for name, value in options.items() if name not in without}
        body = {"items": [batch_item(row) for row in rows], "options": known}
        data = await self._requests.write(operation, "POST", "/manage/v1/user/batch", body)
        refuse_within(operation, data)
        return correlate(rows, data, operation=operation)

    async def change_status(self, docebo_ids: Iterable[int], *, active: bool) -> set[int]:
        """Activate or deactivate accounts, and return the ids of those that the answer shows as changed.

        Nothing is known of the others: an account that is not named may have had that status before.
        """
        ids = for_one_call(docebo_ids)
        if not ids:
            return set()
        body = {"user_ids": ids, "status": int(active)}
        data = await self._requests.write("change status", "PUT", "/manage/v1/user/change_status", body)
        changed = changed_of(data)
        if changed is None:
            raise OutcomeUnknown("change status", "the answer does not tell who was changed")
        return changed & set(ids)

    async def manager_types(self) -> list[ManagerType]:
        """Return the platform's types of managers."""
        return await self._requests.entries(
            "manager types",
            "/manage/v1/managers",
            {"as_array": 1},
            read=manager_type_of,
            identity=lambda one: one.id,
        )

    async def subordinates(self, docebo_id: int) -> set[int] | None:
        """Return the accounts that have this one as their manager, of any type; None if Docebo does not tell.

        Source: another project's client; what a row holds besides the account's id is not known.
        """
        path = f"/manage/v1/managers/{docebo_id}/subordinates"
        try:
            return set(await self._requests.entries("subordinates", path, {}, read=subordinate_of, identity=int))
        except (Rejected, AccessDenied, ContractViolation):
            return None

    async def importer_columns(self) -> set[str]:
        """Return the columns that the platform's importer knows; none if it does not tell.

        Source: Docebo's description of its API of 2017, `GET /manage/v1/user/importer_fields`.
        """
        try:
            data = await self._requests.get("importer columns", "/manage/v1/user/importer_fields")
        except Rejected:
            return set()
        columns = data.get("fields") if isinstance(data, dict) else None
        return set(map(str, columns)) if isinstance(columns, dict) else set()

    async def services(self) -> list[Service]:
        """Return the parts of this tenant's API and where each is described."""
        items = items_of("services", await self._requests.get("services", "/manage/v1/site/microservices"))
        return [
            Service(read_text(item.get("app")), read_text(item.get("url"))) for item in items if isinstance(item, dict)
        ]

    async def described(self, service: Service) -> object:
        """Return the description of *service* in the form of Swagger, from the tenant's own host only.

        Raises ContractViolation where it is on another host: that one is shown no token.
        """
        address = httpx.URL(service.url)
        if address.is_absolute_url and address.netloc.decode("ascii") != self._requests.host:
            raise ContractViolation("description", "it is on another host, which is not asked")
        return await self._requests.get_bare("description", address.raw_path.decode("ascii"))

    def _reader(self) -> AccountReader:
        return AccountReader(self._wanted_fields, self.languages, self.fields.options, self.levels)


@asynccontextmanager
async def open_docebo(
    base_url: str,
    grant: Callable[[], Grant],
    *,
    timeout: float = 60,  # noqa: ASYNC109  (of each request, from connecting to the last byte of its answer)
    attempts: int = 5,
    wait: Wait = wait_as_asked,
    before_call: Callable[[], Awaitable[None]] = unlimited,
    before_write: Callable[[], object] = unguarded,
    wanted_fields: frozenset[int] = frozenset(),
    user_level: str = "",
    paging: Iterable[Pages] = (),
    recorder: Recorder | None = None,
) -> AsyncIterator[DoceboClient]:
    """Open a client that keeps its connection and its token, and close it at the end.

    *grant* is asked for what to sign in with whenever a token is needed.
    *before_call* is awaited before every request, repeated and token requests included; *before_write* is called just
    before every request that writes. *wanted_fields* are the additional fields that accounts are read with; *user_level* is one
    more word for the level of a plain user, and *paging* what is known of its pages. The *recorder* writes down every
    exchange.
    """
    logging.getLogger("httpx").addFilter(_without_text_of_others)
    async with BoundedClient(
        "Docebo", seconds=timeout, recorder=recorder, base_url=base_url, headers={"Accept": "application/json"}
    ) as http:
        requests = DoceboRequests(
            http,
            grant,
            attempts=attempts,
            wait=wait,
            before_call=before_call,
            before_write=before_write,
            paging=paging,
        )
        yield DoceboClient(requests, wanted_fields=wanted_fields, user_level=user_level)


def is_found_by_names(account: Account, text: str) -> bool:
    """Tell whether a search for *text* may find the *account* by its username or name, not only by its address."""
    names = (account.username, account.first_name, account.last_name, f"{account.first_name} {account.last_name}")
    return any(mailbox(text.strip()) in mailbox(without_unseen(name)) for name in names)


def _without_text_of_others(record: logging.LogRecord) -> bool:
    """Remove from the line that httpx logs of a call what may name somebody.

    That is the query of the URL, which contains the e-mail address that was searched for, and the words beside the
    status, which the other side has written.
    """
    if isinstance(record.args, tuple):
        args = [arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args]
        if len(args) == HTTPX_LOGS:
            args[-1] = ""
        record.args = tuple(args)
    return True


def _is_whole(page: object, shown: int, counted: int | None) -> bool:
    """Tell whether a list is at its end with a *page* that shows nobody new, although more may be announced.

    It has *shown* all that are counted; or it is an array that holds all accounts, whatever page is asked for, unless that
    may be cut off at the length of a page.
    """
    return len(page) != PAGE_SIZE if isinstance(page, list) else bool(counted) and shown >= (counted or 0)
