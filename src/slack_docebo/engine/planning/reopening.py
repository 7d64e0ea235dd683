"""Reopening: accounts that we have shut, and that Docebo lists as open.

Either somebody has opened them, and they are to stay open, or they were never shut, although Docebo said so. Nobody can
tell which, so people decide.
"""

from slack_docebo.domain.attributes import current_value
from slack_docebo.domain.expiry import ends_by_us, has_expired
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.policy import SHUT_OUT, Policy
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.targets import EXPIRATION
from slack_docebo.engine.reading.accounts import INDEX_LAG
from slack_docebo.runtime import Runtime


def reopened(runtime: Runtime, policy: Policy, accounts: Accounts) -> set[int]:
    """Return the accounts of leavers that we have shut, and that the list of all *accounts* shows as open.

    Accounts that were shut so lately that the list may not show it yet are left out. So are accounts that we let expire
    if the list does not show their expiration date.
    """
    if policy.leavers not in SHUT_OUT or runtime.listing.began_at is None:
        return set()
    docebo = runtime.settings.docebo_url
    with runtime.store.reading() as tables:
        shut = tables.deactivations(docebo).before(runtime.listing.began_at - INDEX_LAG)
        shown = [account for docebo_id in shut if (account := accounts.get(docebo_id))]
        found = {
            account.docebo_id: account
            for account in shown
            if account.active and not has_expired(account, policy.today) and not shielded(account, policy.protected)
        }
        ended = tables.expirations(docebo).of(found)
    undated = {docebo_id for docebo_id in ended if current_value(found[docebo_id], EXPIRATION) is None}
    expired = {docebo_id for docebo_id in ended if ends_by_us(found[docebo_id], ended, policy.today)}
    return found.keys() - undated - expired
