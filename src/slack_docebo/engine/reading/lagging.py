"""Lagging: a list may show an account as it was before we wrote it, for Docebo's index is behind by minutes.

By that an account of which we have changed user name, address and name together would seem to be somebody else's.
"""

from dataclasses import replace
from datetime import timedelta

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.disputes import is_same, look
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import Account, LastSeen
from slack_docebo.engine.reading.evidence import can_ask, counted, observe_account
from slack_docebo.runtime import Runtime

BEHIND = timedelta(hours=1)  # at most
BORNE = ("username", "email", "first_name", "last_name")


async def catch_up(runtime: Runtime, accounts: Accounts) -> None:
    """Let those of all *accounts* that are shown otherwise than we know them be as Docebo says when asked.

    Asked is for those that we have written or looked at in the last hour, one call each, within
    EVIDENCE_CALLS: others bear what somebody else gave them.
    """
    known = await to_completion(_known, runtime)
    lagging = [listed for listed in map(accounts.get, known) if listed and not _bears(listed, known[listed.docebo_id])]
    if not can_ask(runtime, accounts=len(lagging)):
        return
    for listed in lagging:
        with counted(runtime):
            seen = await observe_account(runtime, listed.docebo_id)
        if isinstance(seen, Present):
            borne = {name: getattr(seen.value, name) for name in BORNE if name not in seen.value.unshown}
            accounts.add([replace(listed, **borne, unshown=listed.unshown - borne.keys())])


def _bears(account: Account, known: LastSeen) -> bool:
    """Tell whether the account shows the user name or the address by which it is *known*."""
    return is_same(look(account), replace(known, address_written=False))


def _known(runtime: Runtime) -> dict[int, LastSeen]:
    with runtime.store.reading() as tables:
        known = tables.accounts_at(runtime.settings.docebo_url)
        return known.last_seen(known.known_since(runtime.now() - BEHIND))
