"""Hidden addresses: a list in which accounts have no e-mail address is believed as far as the accounts have none.

Docebo may show an account that has none in the same way as one whose address we may not see. By the latter everybody whose
username is another one would get a second account.
"""

from collections.abc import Iterable

from slack_docebo.clients.docebo import SEES_ADDRESSES
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import IN_NO_ADDRESS
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import Account
from slack_docebo.engine.reading.evidence import counted, observe_account, reserve_calls
from slack_docebo.engine.reading.missing import FEW
from slack_docebo.errors import IncompleteRead
from slack_docebo.runtime import Runtime
from slack_docebo.storage.reads import ProvenRead


async def check_addresses(runtime: Runtime, accounts: Accounts) -> None:
    """Raise IncompleteRead where the list of all *accounts* hides e-mail addresses.

    That is so where one of a few without is shown with one, be it masked, when Docebo is asked for it; first those that had
    one when they were last seen. What is no address, and is shown by either way, counts as none of a few. A list without any
    address is believed only if Docebo was asked for each of its accounts. Asked is for those that are news: of whom it was
    found out that they have none is remembered.
    """
    without = [account for account in accounts if "email" in account.unshown]
    hiding, instead = [account.docebo_id for account in without], _borne_instead(without)
    known = await to_completion(_known, runtime)
    news = [docebo_id for docebo_id in hiding if docebo_id not in known]
    told = f"Docebo's list shows no e-mail address of {len(hiding)} of {len(accounts)} accounts"
    few = await to_completion(_few, runtime, news) if news else []
    if len(few) < len(news) and len(hiding) == len(accounts):
        raise IncompleteRead(
            f"{told}: {SEES_ADDRESSES}. If none of them has one, give one of them an address in Docebo"
        )
    for docebo_id in few:
        with counted(runtime):
            seen = await observe_account(runtime, docebo_id)
        if not isinstance(seen, Present):
            hiding.remove(docebo_id)
        elif seen.value.email and seen.value.email != instead.get(docebo_id):
            raise IncompleteRead(
                f"{told}, and account {docebo_id} has one: {SEES_ADDRESSES}. If what it has is no address, correct it in Docebo"
            )
    if known != set(hiding) and (few or not news):
        await to_completion(_remember, runtime, hiding)


def _borne_instead(accounts: Iterable[Account]) -> dict[int, str]:
    """Return what a few *accounts* whose addresses the list hides bear instead of one, like "n/a", by account.

    None where many do, or several the same, or anything is left of an address: these are perhaps not shown to us.
    """
    borne = {account.docebo_id: account.email for account in accounts if account.email}
    is_nothing_left = all("@" not in text and IN_NO_ADDRESS.isdisjoint(text) for text in borne.values())
    return borne if is_nothing_left and len(set(borne.values())) == len(borne) <= FEW else {}


def _known(runtime: Runtime) -> set[int]:
    """Return the accounts of which it was found out, at the last list, that they have no address."""
    with runtime.store.reading() as tables:
        return set(tables.reads.listed(_source(runtime.settings.docebo_url)))


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


def _few(runtime: Runtime, news: list[int]) -> list[int]:
    """Return which of the accounts are to be asked for, as far as EVIDENCE_CALLS allows that."""
    with runtime.store.reading() as tables:
        seen = tables.accounts_at(runtime.settings.docebo_url).last_seen(news)
    had_one = [docebo_id for docebo_id in news if docebo_id in seen and seen[docebo_id].address]
    few = list(dict.fromkeys([*had_one[:: len(had_one) // FEW + 1], *news[:: (len(news) - 1) // FEW + 1]]))[:FEW]
    return few if reserve_calls(runtime, accounts=len(few)) else []
