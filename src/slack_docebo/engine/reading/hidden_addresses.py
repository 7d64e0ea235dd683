"""Hidden addresses: a list in which accounts have no e-mail address is checked, for they may be hidden from us.

Docebo may show an account without an address in the same way as one whose address we may not see. If we took the latter
for the former, everybody with another username would get a second account.
"""

from collections.abc import Iterable

from slack_docebo.clients.docebo import SEES_ADDRESSES
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import IN_NO_ADDRESS
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import Account
from slack_docebo.engine.reading.evidence import counted, observe_account, reserve_calls
from slack_docebo.engine.reading.missing import FEW, a_few
from slack_docebo.errors import IncompleteRead
from slack_docebo.runtime import Runtime
from slack_docebo.storage.reads import ProvenRead
from slack_docebo.storage.store import Store


async def check_addresses(runtime: Runtime, accounts: Accounts) -> None:
    """Raise IncompleteRead where the list of all *accounts* hides e-mail addresses.

    Docebo is asked for a few accounts without an address, first for those that had one when last seen: if it then shows
    one, be it masked, the list hides addresses. Text that is no address, and is shown both ways, counts as none on a
    few accounts. A list without any address is believed only if Docebo was asked for each of its accounts. An account
    that was found to have no address is remembered, and not asked for again.
    """
    without = [account for account in accounts if "email" in account.unshown]
    hiding, instead = [account.docebo_id for account in without], _shown_instead(without)
    known = await to_completion(_known, runtime.store, runtime.settings.docebo_url)
    news = [docebo_id for docebo_id in hiding if docebo_id not in known]
    told = f"Docebo's list shows no e-mail address of {len(hiding)} of {len(accounts)} accounts"
    few = await to_completion(_to_ask, runtime, news) if news else []
    if len(few) < len(news) and len(hiding) == len(accounts):
        raise IncompleteRead(
            f"{told}: {SEES_ADDRESSES}. If none of them has one, give one of them an address in Docebo"
        )
    for docebo_id in few:
        with counted(runtime):
            seen = await observe_account(runtime.docebo, docebo_id)
        if not isinstance(seen, Present):
            hiding.remove(docebo_id)
        elif seen.value.email and seen.value.email != instead.get(docebo_id):
            raise IncompleteRead(
                f"{told}, and account {docebo_id} has one: {SEES_ADDRESSES}. If what it has is no address, correct it in Docebo"
            )
    if known != set(hiding) and (few or not news):
        await to_completion(_remember, runtime, hiding)


def _shown_instead(accounts: Iterable[Account]) -> dict[int, str]:
    """Return the text that a few *accounts* with a hidden address show in its place, like "n/a", by account.

    Nothing is returned where many do, or several show the same, or where it may be the rest of an address: these
    addresses are perhaps not shown to us.
    """
    borne = {account.docebo_id: account.email for account in accounts if account.email}
    is_nothing_left = all("@" not in text and IN_NO_ADDRESS.isdisjoint(text) for text in borne.values())
    return borne if is_nothing_left and len(set(borne.values())) == len(borne) <= FEW else {}


def _known(store: Store, docebo: str) -> set[int]:
    """Return the accounts that had no address, as was found out at the last list."""
    with store.reading() as tables:
        return set(tables.reads.listed(_source(docebo)))


def _remember(runtime: Runtime, hiding: list[int]) -> None:
    with runtime.store.transaction() as tables:
        found = ProvenRead(
            source=_source(runtime.settings.docebo_url),
            people=len(hiding),
            pages=0,
            proven_at=runtime.now(),
            flow_run=runtime.run_id,
        )
        tables.reads.record(found, listed=hiding)


def _source(docebo: str) -> str:
    return f"without address:{docebo}"


def _to_ask(runtime: Runtime, news: list[int]) -> list[int]:
    """Return which of the accounts in *news* to ask for, as far as EVIDENCE_CALLS allows."""
    with runtime.store.reading() as tables:
        seen = tables.sightings(runtime.settings.docebo_url).last_seen(news)
    had_one = [docebo_id for docebo_id in news if docebo_id in seen and seen[docebo_id].address]
    few = list(dict.fromkeys([*a_few(had_one), *a_few(news)]))[:FEW]
    return few if reserve_calls(runtime, accounts=len(few)) else []
