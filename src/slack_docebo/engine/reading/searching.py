"""Searching Docebo for the accounts of one address, by a search that is known to find existing accounts."""

from slack_docebo.clients.docebo import is_found_by_names
from slack_docebo.concurrency import side_by_side
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.dialect import ADDRESS_SEARCH, AddressSearch
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import Account
from slack_docebo.engine.reading.dialects import known_dialect, learn
from slack_docebo.errors import IncompleteRead
from slack_docebo.runtime import Runtime


async def search_for(runtime: Runtime, address: str) -> list[Account]:
    """Return the accounts of `find_by_address`; raise IncompleteRead if the search does not find existing ones.

    The search is tried on our own account, one that was listed, and one that is mapped, until one is found: once a run,
    and at the same time, for somebody who joins is waiting.
    """
    found, finds_listed = await side_by_side(find_by_address(runtime, address), runtime.docebo.finds_listed())
    if not (found or finds_listed or await _finds_mapped(runtime)):
        raise IncompleteRead(
            "Docebo's search does not find an account that is there, so nobody can tell who has none: run again later; if it"
            " stays so, ask Docebo's support"
        )
    return found


async def find_by_address(runtime: Runtime, address: str) -> list[Account]:
    """Return the accounts whose username or e-mail address is *address*, for one call.

    As long as nobody knows whether Docebo's full-text search covers addresses, a search without a hit takes a second
    call.
    """
    way = known_dialect(runtime).answer(ADDRESS_SEARCH)
    if way == AddressSearch.IN_PARTS:
        return await runtime.docebo.find_users(address, in_parts=True)
    found, shown_by = await runtime.docebo.find_users(address), AddressSearch.FULL
    if not found and way != AddressSearch.FULL:
        found, shown_by = await runtime.docebo.find_users(address, in_parts=True), AddressSearch.IN_PARTS
    if way != shown_by and not all(is_found_by_names(one, address) for one in found):
        learn(runtime, ADDRESS_SEARCH, shown_by, source="an account that was found by its address alone")
    return found


async def learn_search(runtime: Runtime, accounts: Accounts) -> None:
    """Find out which search finds an account by its address, for one or two calls, if that is not known yet.

    It takes an account whose names do not contain its address. Learned here, once, it is not asked for each person who
    joins.
    """
    is_known = known_dialect(runtime).answer(ADDRESS_SEARCH) != ""
    others = (one for one in accounts if one.email and mailbox(one.email) != mailbox(one.username))
    addresses = (one.email for one in others if not is_found_by_names(one, one.email))
    if not is_known and (address := next(addresses, "")):
        await find_by_address(runtime, address)


async def _finds_mapped(runtime: Runtime) -> bool:
    """Tell whether Docebo's search finds the account of somebody who is mapped, for two calls."""
    with runtime.store.reading() as tables:
        mapped = tables.sightings(runtime.settings.docebo_url).usernames_of_people()
    seen = await runtime.docebo.user(min(mapped)) if mapped else None
    return isinstance(seen, Present) and bool(await runtime.docebo.find_users(seen.value.username))
