"""Newcomers: people without an account, and whether one is created for them."""

from collections.abc import Sequence
from dataclasses import replace

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.attributes import lacking_in_words, wanted
from slack_docebo.domain.claims import Claims, Rank
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import NO_USERNAME, UNLISTED, Kind, Operation, leave_alone
from slack_docebo.domain.people import Account, Mapping, SourceUser
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.rules import Shortfall
from slack_docebo.domain.scope import NO_ACCOUNT_MADE
from slack_docebo.domain.targets import USERNAME


def reason_for_none(user: SourceUser, policy: Policy, accounts: Accounts) -> str:
    """Return why no account is created for *user*, whatever its attributes would be, or ""."""
    if not policy.provision:
        return "no account, and provisioning is off"
    if accounts.may_lack(user.email):
        return UNLISTED
    doubt = policy.scope.kind_in_doubt(user)
    return f"{doubt}{NO_ACCOUNT_MADE}" if doubt else ""


def plan_newcomer(
    user: SourceUser,
    mapping: Mapping | None,
    policy: Policy,
    *,
    accounts: Accounts,
    claims: Claims,
    lacking: Sequence[Shortfall],
) -> Operation:
    """Return the operation for *user*: to create an account without the values in *lacking*, or to leave them alone.

    *mapping*, if any, leads to an account that is gone. Address and username are claimed, for Slack may list one twice.
    """

    def leave(reason: str, account: Account | None = None) -> Operation:
        return leave_alone(user, policy.scope.team, reason, account)

    member = policy.scope.as_member(user)
    changes = {USERNAME: user.email, **wanted(member, policy.rules, creating=True)}
    username = changes[USERNAME]
    if against := _reason_without_username(member, policy, lacking):
        return leave(against)
    if namesake := accounts.with_username(username):
        return leave(f"the username is taken by account {namesake.docebo_id}", namesake)
    first = claims.stake(mailbox(user.email), user.slack_id, Rank.EMAIL)
    if first != user.slack_id:
        return leave(f"an account with this address is created for {first}")
    first = claims.stake(mailbox(username), user.slack_id, Rank.EMAIL)
    if first != user.slack_id:
        return leave(f"an account with this username is for {first}")
    why = "new" if mapping is None else f"account {mapping.docebo_id} is gone"
    return replace(
        leave(why + lacking_in_words(lacking)),
        kind=Kind.CREATE,
        changes=changes,
        maps=policy.map or mapping is not None,  # else what leads to the account that is gone would hide this one
        fingerprint=policy.fingerprint(wanted(member, policy.rules, creating=False)),
        prior=mapping,
    )


def _reason_without_username(member: SourceUser, policy: Policy, lacking: Sequence[Shortfall]) -> str:
    """Return why the rule for the username gives *member* none, so that no account is created, or ""."""
    rule = next((rule for rule in policy.rules if rule.target == USERNAME), None)
    if rule is None or rule.value(member):
        return ""
    why = next((one.why for one in lacking if one.target == USERNAME), "Slack does not say what its rule reads")
    return NO_USERNAME + why
