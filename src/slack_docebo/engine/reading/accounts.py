"""Docebo's accounts: all, with the proof that none is missing, or some, looked up one by one."""

import logging
from collections.abc import AsyncIterable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from slack_docebo.clients.docebo import DoceboClient
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.dialect import PAGES
from slack_docebo.domain.disputes import seen_on
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Observation, Present
from slack_docebo.domain.people import Account, Known, LastSeen, Mapping, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.targets import USERNAME
from slack_docebo.engine.reading.bearers import find_bearers
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.dialects import known_dialect, learn
from slack_docebo.engine.reading.evidence import (
    answers_to,
    ask_for_accounts,
    counted,
    observe_account,
    recall_accounts,
    reserve_calls,
)
from slack_docebo.engine.reading.hidden_addresses import check_addresses
from slack_docebo.engine.reading.lagging import catch_up
from slack_docebo.engine.reading.missing import a_few, check_missing_accounts
from slack_docebo.engine.reading.outages import OutageWatch, ping_docebo
from slack_docebo.engine.reading.searching import learn_search, search_for
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.errors import IncompleteRead
from slack_docebo.runtime import Runtime
from slack_docebo.safe_points import safe_point
from slack_docebo.storage.reads import ProvenRead, docebo_source
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

_log = logging.getLogger(__name__)

LOOKED_UP = 5  # people, one by one, on any platform
DOCEBO_PAGE = 200
CALLS_PER_LOOK_UP = 2  # one to three
INDEX_LAG = timedelta(hours=1)  # after which Docebo's search and list show what was done: a generous guess


async def read_target(runtime: Runtime) -> Accounts:
    """Return every account of the platform; raise IncompleteRead if too many are missing that are not gone.

    An incomplete listing is begun again once: when an account is deleted or renamed meanwhile, others move past the
    page that is read next.
    """
    known = await to_completion(known_dialect, runtime)
    last = await to_completion(_last_read, runtime.store, runtime.settings.docebo_url)
    for is_last_try in (False, True):
        begun = runtime.now()
        try:
            accounts = await _list_accounts(runtime.docebo, unlisted=known.unlisted, is_first=last is None)
            break
        except IncompleteRead as error:
            if is_last_try:
                raise
            _log.info("Docebo's list is begun anew: %s", error)
    await to_completion(_learn_paging, runtime)
    await learn_search(runtime, accounts)
    await check_addresses(runtime, accounts)
    await to_completion(recall_accounts, runtime.store, runtime.settings.docebo_url, accounts)
    if last:
        await check_missing_accounts(runtime, accounts, last)
    await catch_up(runtime, accounts)
    runtime.listing.began_at, runtime.listing.accounts = begun, len(accounts)
    runtime.listing.took = runtime.now() - begun
    return accounts


async def _list_accounts(docebo: DoceboClient, *, unlisted: int, is_first: bool) -> Accounts:
    """Return every account that Docebo lists, as read by `DoceboClient.list_users`."""
    accounts = Accounts()
    async for page in docebo.list_users(unlisted=unlisted, is_first=is_first):
        safe_point()
        accounts.add(page)
        accounts.pages += 1
    return accounts


async def read_accounts(runtime: Runtime, docebo_ids: Collection[int]) -> Accounts:
    """Return these accounts: asked for one by one, or listed with all others if that takes fewer calls."""
    if not are_few(runtime, len(docebo_ids)):
        return await read_target(runtime)
    seen = [await observe_account(runtime.docebo, docebo_id) for docebo_id in sorted(docebo_ids)]
    return Accounts(one.value for one in seen if isinstance(one, Present))


def last_listing(runtime: Runtime, tables: Tables) -> tuple[int, datetime] | None:
    """Return how many accounts Docebo listed last, in this run or at the last complete read, and when; None if nobody knows.

    Nobody knows either when the stored time lies in the future, as the clock was ahead, be it by seconds: an account made
    since would count as made before.
    """
    if runtime.listing.began_at:
        return runtime.listing.accounts, runtime.listing.began_at
    last = tables.reads.last(docebo_source(runtime.settings.docebo_url))
    if last is None or last.proven_at > runtime.now():
        return None
    return last.people, last.proven_at


def listed_last(tables: Tables, docebo: str) -> frozenset[int]:
    """Return the ids of the accounts that the last complete read has listed."""
    return frozenset(tables.reads.listed(docebo_source(docebo)))


def record_accounts(runtime: Runtime, tables: Tables, accounts: Accounts) -> None:
    """Store the read as the measure for the next ones, if it was of all accounts and left out none that exists.

    Accounts that it left out, and that were not asked for, count as listed too, so that the next run misses them.
    """
    if accounts.pages and not accounts.overlooked:
        ids = [account.docebo_id for account in accounts]
        # It holds none that was made since it began: those are counted with it.
        began_at = runtime.listing.began_at or runtime.now()
        read = ProvenRead(
            source=docebo_source(runtime.settings.docebo_url),
            people=len(ids),
            pages=accounts.pages,
            proven_at=began_at,
            flow_run=runtime.run_id,
        )
        tables.reads.record(read, listed=[*ids, *accounts.unlisted])


async def read_changed(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> Accounts:
    """Return the accounts of the *people* whose attributes are no longer what was last written.

    They are looked up one by one, or all accounts are listed if that takes fewer calls.
    """
    async for pages in people.listings():
        changed = await _changed(runtime, workspace, pages)
    return await (look_up(runtime, changed) if are_few(runtime, len(changed)) else read_target(runtime))


def are_few(runtime: Runtime, people: int) -> bool:
    """Tell whether looking up so many *people* one by one takes no more calls than listing every account."""
    last = _last_read(runtime.store, runtime.settings.docebo_url)
    return people <= max(LOOKED_UP, (last.people if last else 0) // (DOCEBO_PAGE * CALLS_PER_LOOK_UP))


async def look_up(
    runtime: Runtime, people: Iterable[tuple[SourceUser, Known | None]], accounts: Accounts | None = None
) -> Accounts:
    """Return *accounts* with those that may belong to a few *people* added, for one to four calls each.

    Where a rule gives usernames, it takes another call to add the account that has the username.
    """
    accounts = Accounts() if accounts is None else accounts
    naming = next((rule for rule in runtime.behaviour.attributes if rule.target == USERNAME), None)
    for user, known in people:
        accounts.add(await search_for(runtime, user.email) if user.email and not user.unconfirmed else [])
        if known:
            await add_known_account(runtime, accounts, known, user.email)
        await find_bearers(runtime, [(user, known)], accounts)
        username = (naming and naming.value(user)) or ""
        if username and accounts.with_username(username) is None:
            accounts.add(await runtime.docebo.find_users(username))
    return accounts


async def add_known_account(runtime: Runtime, accounts: Accounts, known: Known, address: str) -> None:
    """Add the *known* account to *accounts*, if it exists; its username may be the person's *address*."""
    await ask_for_accounts(runtime, accounts, {known.docebo_id: [address]})
    seen = accounts.look(known.docebo_id)
    if isinstance(seen, Present) and accounts.get(known.docebo_id) is None:
        if isinstance(known, Mapping) and known.seen == LastSeen():  # linked by hand, say
            await to_completion(note_first_sight, runtime, [seen.value])
        # The view of one user lacks attributes that the listing has.
        accounts.add(await runtime.docebo.find_users(seen.value.username))
    await catch_up(runtime, accounts, [known.docebo_id])


def note_first_sight(runtime: Runtime, accounts: Iterable[Account]) -> None:
    """Note what *accounts* show that were mapped by hand and not seen since.

    Otherwise somebody who gets such an id before the next run, or attempt, could not be told from the person.
    """
    if seen := {account.docebo_id: seen_on(account) for account in accounts}:
        with runtime.store.transaction() as tables:
            tables.sightings(runtime.settings.docebo_url).note_seen(seen, now=runtime.now())


async def ask_for_unlisted(runtime: Runtime, accounts: Accounts, newcomers: Iterable[str]) -> None:
    """Ask Docebo for accounts that it listed before and not now, as one may be a newcomer's.

    *newcomers* are addresses. Where an account stays unknown, each address is searched for. Nothing is asked beyond
    EVIDENCE_CALLS: somebody who may have an account then gets no other one.
    """

    async def search(address: str) -> Observation[list[Account]]:
        return Present(await search_for(runtime, address))

    newcomers = [address for address in newcomers if address and accounts.may_lack(address)]
    if newcomers and reserve_calls(runtime, accounts=len(accounts.unlisted)):
        await ask_for_accounts(runtime, accounts, {docebo_id: [] for docebo_id in accounts.unlisted})
        newcomers = [address for address in newcomers if accounts.may_lack(address)]
        if not reserve_calls(runtime, accounts=len(newcomers)):
            return
        watch = OutageWatch(partial(ping_docebo, runtime.docebo))
        async for address, found in answers_to(runtime, newcomers, search, watch):
            if isinstance(found, Present):
                accounts.add(found.value)
                accounts.note_searched(address)


async def check_first_list(runtime: Runtime, team: str, accounts: Accounts, newcomers: Sequence[str]) -> None:
    """Raise IncompleteRead if the first list of a platform has left out an account that exists.

    There is no earlier list to compare it with. So a few of the *newcomers*, who would get an account, are searched for
    by their addresses. An account that a run of ours has made meanwhile disproves nothing. With TARGET_MAY_SHRINK at
    100 somebody has said that any list will do.
    """
    few = a_few([address for address in newcomers if address])
    is_first = accounts.pages and await to_completion(_last_read, runtime.store, runtime.settings.docebo_url) is None
    if not is_first or runtime.behaviour.target_may_shrink == 100 or not reserve_calls(runtime, accounts=len(few)):
        return
    with counted(runtime):
        found = [account for address in few for account in await search_for(runtime, address)]
    left_out = {account.docebo_id for account in found if accounts.get(account.docebo_id) is None}
    with runtime.store.reading() as tables:
        left_out -= tables.mappings(runtime.settings.docebo_url).of_accounts(team, left_out).keys()
    if left_out:
        raise IncompleteRead(
            f"Docebo listed {len(accounts)} accounts, and its search finds account {min(left_out)}, which is not among them:"
            " run again later. Should it be so each time, ask Docebo's support why its list leaves that account out; to"
            " import all the same, decide about the person who has it, and raise TARGET_MAY_SHRINK to 100 for one run"
        )


def _learn_paging(runtime: Runtime) -> None:
    seen = runtime.docebo.paging
    if not seen <= known_dialect(runtime).pages:
        learn(runtime, PAGES, ", ".join(sorted(seen)), source="the pages of a list that was whole")


async def _changed(
    runtime: Runtime, workspace: Workspace, pages: AsyncIterable[list[SourceUser]]
) -> list[tuple[SourceUser, Known | None]]:
    """Return the people on *pages* whose attributes are no longer what was last written, with what is known of them."""
    planner = Planner(runtime.behaviour.policy(workspace.team), Accounts())
    changed: list[tuple[SourceUser, Known | None]] = []
    async for page in pages:
        with runtime.store.reading() as tables:
            mappings = tables.mappings(runtime.settings.docebo_url)
            known = mappings.known_of_people(workspace.team, page)
            excluded = tables.exclusions.all()
        for user in page:
            one = known.get(user.slack_id)
            mapping = one if isinstance(one, Mapping) else None
            if not excluded.cover(user) and planner.plan_trusting(user, mapping) is None:
                changed.append((user, one))
    return changed


def _last_read(store: Store, docebo: str) -> ProvenRead | None:
    with store.reading() as tables:
        return tables.reads.last(docebo_source(docebo))
