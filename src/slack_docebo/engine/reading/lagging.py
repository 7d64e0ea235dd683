"""Lagging: a list may show an account as before our last write, for Docebo's index is minutes behind.

Without a second look, an account of which we have changed username, address and name together would seem to be somebody
else's; one that we have given another address would seem to differ from its own view; and one that we have opened would
seem to be shut already when its person leaves.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.disputes import bears_new_address, is_same, seen_on
from slack_docebo.domain.expiry import has_expired
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import Account, LastSeen, View
from slack_docebo.domain.targets import EXPIRATION
from slack_docebo.engine.reading.evidence import counted, reserve_calls
from slack_docebo.runtime import Runtime
from slack_docebo.storage.statements import chunks

BEHIND = timedelta(hours=1)  # at most
BORNE = ("username", "email", "first_name", "last_name")


async def catch_up(runtime: Runtime, accounts: Accounts, docebo_ids: Collection[int] | None = None) -> None:
    """Ask Docebo for accounts that its list shows otherwise than we know them; keep the answers in *accounts*.

    Only accounts written or seen in the last hour are asked for; where another one differs, somebody else has changed
    it. That is one call each, and none if EVIDENCE_CALLS does not allow all of them. With *docebo_ids*, only these are
    checked.
    """
    lagging = await to_completion(_lagging, runtime, accounts, docebo_ids)
    if not reserve_calls(runtime, accounts=len(lagging)):
        return
    for listed in lagging:
        with counted(runtime):
            seen = await runtime.docebo.view(listed.docebo_id)
        if isinstance(seen, Present):
            accounts.add([as_viewed(listed, seen.value)])


def as_viewed(listed: Account, view: View) -> Account:
    """Return the *listed* account with names, level, status and expiration date as its *view* shows them."""
    seen = view.account
    borne = {name: getattr(seen, name) for name in BORNE if name not in seen.unshown}
    shown = replace(listed, **borne, unshown=listed.unshown - borne.keys())
    if "status" in view.besides:
        shown = replace(shown, active=seen.active, unshown=shown.unshown - {"active"} | seen.unshown & {"active"})
    if view.besides.get("level"):
        shown = replace(shown, administrator=seen.administrator or listed.administrator)
    if EXPIRATION in seen.columns:
        shown = replace(shown, columns={**shown.columns, EXPIRATION: seen.columns[EXPIRATION]})
    return shown


def _lagging(runtime: Runtime, accounts: Accounts, docebo_ids: Collection[int] | None) -> list[Account]:
    """Return the *accounts* (of *docebo_ids*, if given) that are listed otherwise than known within the last hour.

    After a first import these may be all accounts, so the records are read in parts.
    """
    now, found = runtime.now(), list[Account]()
    with runtime.store.reading() as tables:
        sightings = tables.sightings(runtime.settings.docebo_url)
        for some in chunks(sightings.known_since(now - BEHIND, docebo_ids)):
            known, opened = sightings.last_seen(some), sightings.opened(some)
            for listed in filter(None, map(accounts.get, known)):
                is_shut = not listed.active or has_expired(listed, runtime.behaviour.today)
                if not _bears(listed, known[listed.docebo_id]) or (is_shut and listed.docebo_id in opened):
                    found.append(listed)
    return found


def _bears(account: Account, known: LastSeen) -> bool:
    """Tell whether the account shows the *known* username or address, and the address if we have written it."""
    lacks_address = known.address_written and bears_new_address(account, known)
    return is_same(seen_on(account), replace(known, address_written=False)) and not lacks_address
