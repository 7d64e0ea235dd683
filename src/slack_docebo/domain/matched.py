"""Matched people: those who have an account, and what brings it in line, maps it, or leaves it as it is."""

from collections.abc import Collection
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.attributes import changes_to, fingerprint, is_own_form, lacking_in_words, same, shown, wanted
from slack_docebo.domain.claims import Claims, Rank
from slack_docebo.domain.expiry import former_end, is_over, may_have_ended
from slack_docebo.domain.findings import Findings
from slack_docebo.domain.matching import Accounts, FoundBy
from slack_docebo.domain.operations import (
    IN_LINE,
    NOT_TAKEN,
    OWN_FORM,
    PROVISIONING_OFF,
    READ_FIRST,
    Kind,
    Operation,
    leave_alone,
)
from slack_docebo.domain.people import Account, Applied, Mapping, SourceUser
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.rules import TAKEN, Shortfall, shortfalls
from slack_docebo.domain.scope import NOT_LET_IN
from slack_docebo.domain.targets import EXPIRATION, USERNAME


@dataclass(frozen=True, slots=True)
class Matched:
    """Somebody who has an account, how it was found, and what is known of the two."""

    user: SourceUser
    account: Account
    by: FoundBy
    mapping: Mapping | None
    applied: Applied | None  # what was last applied to the person, to this account or another one

    @property
    def prior(self) -> Applied | None:
        """What was last applied to this account."""
        return self.applied if self.applied and self.applied.docebo_id == self.account.docebo_id else None

    @property
    def shut_by_us(self) -> bool:
        """Whether we have shut this account, so that it is to be opened again."""
        return self.prior is not None and self.prior.deactivated

    @property
    def known_as(self) -> str:
        """The part of the reason that names the other id under which the person is mapped so far, or ""."""
        mapping = self.mapping
        return f"known as {mapping.slack_id} so far" if mapping and mapping.slack_id != self.user.slack_id else ""

    @property
    def is_outdated(self) -> bool:
        """Whether the mapping names an id or an account that is gone: then it is renewed even while mapping is off.

        Otherwise a person who comes back would get an account that is somebody else's by now, and nothing would lead to
        this one.
        """
        mapping = self.mapping
        return mapping is not None and (
            mapping.slack_id not in self.user.ids or mapping.docebo_id != self.account.docebo_id
        )

    def mapped(self, policy: Policy, otherwise: str, known: Applied) -> Operation:
        """Return the operation that maps the account, with what is *known*, or leaves it alone for the reason *otherwise*."""
        user, mapping = self.user, self.mapping
        as_it_was = mapping is not None and (
            (mapping.slack_id, mapping.slack_name, mapping.docebo_id, mapping.fingerprint, mapping.deactivated)
            == (user.slack_id, user.handle, known.docebo_id, known.fingerprint, known.deactivated)
        )
        if as_it_was or not (policy.map or self.is_outdated):
            return leave_alone(user, policy.scope.team, otherwise, self.account)
        return replace(
            leave_alone(user, policy.scope.team, self.known_as or f"found by {self.by}", self.account),
            kind=Kind.MAP,
            maps=True,
            fingerprint=known.fingerprint,
            echo=known.echo,
            deactivated=known.deactivated,
            prior=mapping,
        )


def plan_matched(
    one: Matched,
    policy: Policy,
    *,
    accounts: Accounts,
    claims: Claims,
    found: Findings,
    ended: MappingType[int, str],
) -> Operation:
    """Return the operation that brings the account of *one* in line, maps it, or leaves it alone.

    A new username is claimed, and what else shows is added to what was *found*. *ended* are the accounts that we have let expire, with the date that they had before.
    """
    user, account, prior = one.user, one.account, one.prior
    if not policy.provision:
        # What was last written stays known: it is written no other way while provisioning is off. Who is met in line
        # would be mapped once more when it is switched on, for that alone.
        print_ = prior.fingerprint if prior else _fingerprint_in_line(one, policy)
        return one.mapped(policy, PROVISIONING_OFF, Applied(account.docebo_id, print_, deactivated=one.shut_by_us))
    if shield := shielded(account, policy.protected):
        # The digest stays: a row written for an account that comes under protection by it would be written again.
        print_ = prior.fingerprint if prior else ""
        return one.mapped(policy, shield, Applied(account.docebo_id, print_, deactivated=one.shut_by_us))
    if one.shut_by_us and (doubt := policy.scope.kind_in_doubt(user)):
        return leave_alone(user, policy.scope.team, f"{doubt}{NOT_LET_IN}", account)
    target = wanted_of(user, policy)
    print_, echo = policy.fingerprint(target), ""
    taken = _taken_username(one, target, accounts, claims)
    if taken:
        del target[USERNAME]
    lacking = shortfalls(policy.scope.as_member(user), policy.rules, creating=False, moving=policy.branch_moves) + taken
    found.note_shortfalls(user.slack_id, lacking)
    is_news = prior is None or prior.fingerprint != print_
    was_shut = one.shut_by_us and (not account.active or account.docebo_id not in ended)
    changes, before = changes_to(target, account, returned=was_shut, is_news=is_news)
    if one.shut_by_us and EXPIRATION not in target and may_have_ended(account, ended, policy.today):
        changes = {**changes, EXPIRATION: former_end(account, ended, policy.today)}
        # Where it has not ended, what is shown may be older than that we have let it expire.
        if is_over(account, ended, policy.today):
            before = {**before, **shown(account, EXPIRATION)}
    if changes and prior and prior.fingerprint == print_:  # written before, and yet read back otherwise
        echo = fingerprint({name: str(value) for name, value in before.items()})
        if echo == prior.echo:
            is_form = all(is_own_form(name, str(changes[name]), str(value)) for name, value in before.items())
            kept = f"{OWN_FORM if is_form else NOT_TAKEN}{', '.join(changes)}"
            return one.mapped(policy, kept, Applied(account.docebo_id, print_, echo))
    if changes and all(policy.is_refused(name, value) for name, value in changes.items()):
        kept = f"{NOT_TAKEN}{', '.join(changes)}"  # a row would hold nothing
        return one.mapped(policy, kept, Applied(account.docebo_id, print_))
    if held := to_read_first(user, policy, changes):
        found.to_read_first.add(user.slack_id)
        changes = {name: value for name, value in changes.items() if name not in held}
        before = {name: value for name, value in before.items() if name not in held}
        if not changes:
            return one.mapped(policy, READ_FIRST, prior or Applied(account.docebo_id))
        print_, echo = policy.fingerprint({name: target[name] for name in target.keys() - held}), ""
    if changes:
        differs = f"differs: {', '.join(changes)}{lacking_in_words(lacking)}"
        return replace(
            leave_alone(user, policy.scope.team, "; ".join(filter(None, [one.known_as, differs])), account),
            kind=Kind.UPDATE,
            changes=changes,
            before=before,
            # undoing brings the mark back
            maps=policy.map or (one.shut_by_us and one.mapping is not None) or one.is_outdated,
            fingerprint=print_,
            echo=echo,
            prior=one.mapping,
        )
    if prior and prior.echo:
        found.no_echo.append(user.slack_id)
    return one.mapped(policy, IN_LINE, Applied(account.docebo_id, print_))


def wanted_of(user: SourceUser, policy: Policy) -> dict[str, str]:
    """Return the attributes that the existing account of *user* is to have."""
    return wanted(policy.scope.as_member(user), policy.rules, creating=False)


def to_read_first(user: SourceUser, policy: Policy, changes: Collection[str]) -> set[str]:
    """Return which of *changes* come from custom fields whose reading is outdated: they are read again first."""
    return {rule.target for rule in policy.rules if user.outdated and rule.is_custom}.intersection(changes)


def _fingerprint_in_line(one: Matched, policy: Policy) -> str:
    """Return the fingerprint of what *one* is to have, or "" where the account does not show all of it."""
    target = wanted_of(one.user, policy)
    changes, _ = changes_to(target, one.account, returned=False, is_news=True)
    return "" if changes else policy.fingerprint(target)


def _taken_username(
    one: Matched, target: MappingType[str, str], accounts: Accounts, claims: Claims
) -> tuple[Shortfall, ...]:
    """Return the username of *target* as a shortfall if another account has it, or will get it; else nothing."""
    username = target.get(USERNAME, "")
    if not username or same(USERNAME, username, one.account.username):
        return ()
    other = accounts.with_username(username)
    if other is None or other.docebo_id == one.account.docebo_id:
        rank = Rank.MAPPING if one.by is FoundBy.MAPPING else Rank.EMAIL
        if claims.stake(mailbox(username), one.user.slack_id, rank) == one.user.slack_id:
            return ()
    return (Shortfall(USERNAME, username, TAKEN),)
