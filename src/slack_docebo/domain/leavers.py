"""Leavers: who has left Slack, and what happens to their accounts and mappings then."""

from dataclasses import replace

from slack_docebo.domain.attributes import shown
from slack_docebo.domain.disputes import doubt_about, seen_on
from slack_docebo.domain.expiry import has_expired
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Gone, Present, Unknown
from slack_docebo.domain.operations import (
    CONTENDED,
    DEACTIVATED_BEFORE,
    MAY_BE_BACK,
    OPEN_AGAIN,
    Kind,
    Operation,
    Value,
    leave_alone,
)
from slack_docebo.domain.people import Mapping, SourceUser
from slack_docebo.domain.policy import SHUT_OUT, Leavers, Policy
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.scope import STATUS_NOT_KNOWN, WORKSPACE_NOT_KNOWN
from slack_docebo.domain.targets import EXPIRATION


def is_leaver(user: SourceUser, policy: Policy) -> bool:
    """Tell whether *user* counts as a leaver."""
    return bool(policy.scope.reason_against(user)) and counts_as_leaver(user, policy)


def counts_as_leaver(user: SourceUser, policy: Policy) -> bool:
    """Tell whether *user*, who is out of scope, counts as a leaver."""
    if user.deactivated or user.forgotten:
        return True
    against = policy.scope.reason_against_kind(user)
    # An address that is missing or not confirmed makes nobody a leaver, nor does anything else that Slack does not say.
    if not policy.out_of_scope_leaves or against in {WORKSPACE_NOT_KNOWN, STATUS_NOT_KNOWN}:
        return False
    return bool(against) or (bool(user.email) and not user.unconfirmed)


def acts_on_leaver(mapping: Mapping, policy: Policy, accounts: Accounts) -> bool:
    """Tell whether a run does anything about a leaver with this *mapping*, as far as is known."""
    if mapping.deactivated or policy.leavers is Leavers.KEEP:
        return False
    if policy.leavers is Leavers.UNMAP:
        return policy.map
    match accounts.look(mapping.docebo_id):
        case Present(account):
            return policy.provision and account.active and not shielded(account, policy.protected)
        case Gone():
            return policy.map
        case Unknown():
            return policy.provision or policy.map


def plan_leaver(
    user: SourceUser,
    mapping: Mapping,
    policy: Policy,
    *,
    accounts: Accounts,
    why: str,
    heir: str,
    contender: str,
    unheard: str,
    is_reopened: bool,
) -> Operation:
    """Return the operation for the account and the *mapping* of *user*, a leaver; *why* begins its reason.

    *heir* is the Slack id under which the same person is back and gets the mapping, or ""; *contender* is that of somebody
    who may be the same person, and waits for a decision; *unheard* says why nobody knows whether there is such a one;
    *is_reopened* says that the account, which we have shut, is shown as open.
    """
    seen = accounts.look(mapping.docebo_id)
    account = seen.value if isinstance(seen, Present) else None

    def leave(because: str = "", *, docebo_id: int | None = None) -> Operation:
        return leave_alone(user, policy.scope.team, why + because, account, docebo_id=docebo_id)

    if mapping.deactivated:
        is_open = is_reopened and account is not None and not doubt_about(account, mapping, user, accounts)
        return leave(DEACTIVATED_BEFORE + (OPEN_AGAIN if is_open else ""))
    if heir:
        return leave(f"; {heir} is back in this place")
    if contender and policy.leavers is not Leavers.UNMAP:  # which would free the account for that one
        return leave(f"; {contender}{CONTENDED}")
    if policy.leavers is Leavers.KEEP:
        return leave()
    if unheard:
        return leave(f"; {MAY_BE_BACK}: {unheard}")
    if policy.leavers in SHUT_OUT and isinstance(seen, Unknown):
        return leave(f"; {seen.why}", docebo_id=mapping.docebo_id)
    if policy.leavers is Leavers.UNMAP or account is None:
        if not policy.map:
            return leave("; mapping is off")
        return replace(leave(), kind=Kind.UNMAP, docebo_id=mapping.docebo_id, prior=mapping)
    if not policy.provision:
        return leave("; provisioning is off")
    if against := doubt_about(account, mapping, user, accounts) or shielded(account, policy.protected):
        return leave(f"; {against}")
    if not account.active:
        return leave("; inactive already")
    changes: dict[str, Value] = {"active": False}
    before: dict[str, Value] = {"active": True}
    if policy.leavers is Leavers.EXPIRE:
        if has_expired(account, policy.today):
            return leave("; expired already")
        changes, before = {EXPIRATION: policy.today.isoformat()}, shown(account, EXPIRATION)
    return replace(
        leave(),
        kind=Kind.DEACTIVATE,
        changes=changes,
        before=before,
        maps=True,
        deactivated=True,
        prior=mapping,
        seen=seen_on(account),
    )
