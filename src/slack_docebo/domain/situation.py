"""The situation of an operation today, and why it must not be carried out in it.

What somebody has changed since the operation was planned stays so: its account, the mapping, the branch, the managers.
"""

from collections.abc import Collection
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace

from slack_docebo.domain.branches import Branches
from slack_docebo.domain.changed_rules import reason_by_rules
from slack_docebo.domain.disputes import bears_new_address, dispute, is_same, seen_on
from slack_docebo.domain.effects import TO_ACCOUNTS, account_of, differs, holds, is_carried_out, managers_of, people_of
from slack_docebo.domain.managers import NOT_THEIRS
from slack_docebo.domain.matching import Accounts, MatchBy
from slack_docebo.domain.operations import UNLISTED, Kind, Operation, Value
from slack_docebo.domain.people import Account, LastSeen, Mapping
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.targets import BRANCH, USERNAME, is_manager, is_never_shown, manager_type_of

LINK_TO_UNDO = (
    ". If it is this person's all the same, link the two, with MAP_SLACK_USER_DATA on (the form Decide about people on the"
    " status page), import, and undo again"
)
NOT_KEPT = "nobody kept what the account bore when this was planned: plan again"


@dataclass(frozen=True, slots=True)
class Situation:
    """The account and the mappings that an operation would change, as they are today."""

    accounts: Accounts
    policy: Policy
    planned_by: Policy  # the rules that the plan was made by
    undoes: bool = False  # the plan takes back what we did
    branches: Branches | None = None  # None: not known
    # In which of them those accounts are that no rule moves, as far as their own pages were asked for and show it
    places: MappingType[int, Collection[int]] = field(default_factory=dict)
    # Who reports to whom, by manager, as far as Docebo was asked and shows it.
    reports: MappingType[int, Collection[int]] = field(default_factory=dict)
    mapping: Mapping | None = None  # of the operation's Slack user
    holder: str = ""  # Slack id to whom the operation's account is mapped
    given: Collection[str] = ()  # Slack ids of who has the operation's account while it is mapped to nobody
    seen: MappingType[int, LastSeen] = field(default_factory=dict)  # of the operation's account, and of managers
    branch: int | None = None  # to which we have brought that account last
    other_ids: Collection[str] = ()  # under which Slack knows the person besides
    # By type, the accounts that we have made its managers; 0 for removed.
    managers: MappingType[int, int] = field(default_factory=dict)

    def seen_of(self, docebo_id: int | None) -> LastSeen:
        """Return what this account last showed."""
        return self.seen.get(docebo_id or 0, LastSeen())


def reason_to_skip(operation: Operation, now: Situation) -> str:
    """Return why *operation* must not be carried out any more, or ""."""
    if reason := reason_by_mapping(operation, now.mapping, now.holder):
        return reason
    if not now.undoes:  # what went wrong is undone whatever the rules are
        account = account_of(now.accounts, operation)
        address = operation.email or operation.username or (account.email if account else "")
        if reason := reason_by_rules(operation, address, now.planned_by, now.policy, other_ids=now.other_ids):
            return reason
    if operation.kind is Kind.UNMAP:
        return ""
    if reason := (
        reason_by_given(operation, now.branch, now.managers)
        or reason_by_place(operation, now.places)
        or reason_by_reports(operation, now.reports)
    ):
        return reason
    # All is undone of a person, or nothing.
    if now.undoes and (reason := reason_by_branch(operation, now.branches) or _reason_by_holder(operation, now)):
        return reason
    if reason := reason_by_managers(operation, now.accounts, now.seen):
        return reason
    if operation.kind is Kind.CREATE and now.accounts.may_lack(operation.email):
        return UNLISTED
    seen = now.seen_of(operation.docebo_id)
    return reason_by_sight(operation, now.accounts, seen, undoes=now.undoes) or reason_by_account(
        operation, now.accounts, now.policy, undoes=now.undoes
    )


def _reason_by_holder(operation: Operation, now: Situation) -> str:
    """Return to whom the unmapped account of *operation* was given since, as with `REHIRES=hand-over`, or ""."""
    is_theirs = not {*people_of([operation]), *now.other_ids}.isdisjoint(now.given)
    return f"the account belongs to {min(now.given)} by now" if now.given and not is_theirs else ""


def reason_by_sight(operation: Operation, accounts: Accounts, seen: LastSeen, *, undoes: bool) -> str:
    """Return why the account of *operation* may be somebody else's by now, or "".

    The judgement is the same wherever an account is read again.

    It has to show what it showed when this was planned or, where that is not known, as for an undo, what was last
    *seen* of it. Whoever hands an account over may leave the username: only a new plan finds out whose another address
    is. Where no mapping says whose it is, only what it was found by, the username has to be the same as well.
    """
    account = None if operation.docebo_id is None else accounts.get(operation.docebo_id)
    is_found = not undoes and operation.kind in {Kind.MAP, Kind.UPDATE} and _is_new(operation)
    if account is None or not (is_found or operation.kind in TO_ACCOUNTS):
        return ""
    now, then = seen_on(account), operation.seen
    if then == LastSeen():
        if is_found and operation.kind is Kind.UPDATE:
            return NOT_KEPT  # a dry run may have noted since what it bears by now
        then = seen
    if not is_found and not is_same(now, then):
        return dispute(account.docebo_id)
    changed = []
    if is_found and USERNAME not in operation.changes and then.username not in {"", now.username}:
        changed.append(USERNAME)
    if _bears_another_address(operation, account, then, is_found=is_found):
        changed.append("email")
    advice = LINK_TO_UNDO if undoes and "email" not in operation.changes else ""
    return f"changed in Docebo since: {', '.join(changed)}{advice}" if changed else ""


def _may_be_handed_over(account: Account, seen: LastSeen) -> bool:
    """Tell whether *account* may belong to somebody else than when last *seen*; only a new plan can find out."""
    return not is_same(seen_on(account), seen) or bears_new_address(account, seen)


def _is_new(operation: Operation) -> bool:
    """Tell whether no mapping gives the account to the person of *operation* yet."""
    return operation.prior is None or operation.mapped_as != operation.slack_id


def _bears_another_address(operation: Operation, account: Account, then: LastSeen, *, is_found: bool) -> bool:
    """Tell whether *account* shows neither the address of *then* nor its new one.

    One that *is_found* without a mapping counts as well if it shows no address.
    """
    if "email" in operation.changes:
        before, given = operation.before.get("email", ""), operation.changes["email"]
        return bool(before) and differs(account, "email", before) and not holds(account, "email", given)
    is_lost = is_found and not account.email and "email" not in account.unshown and bool(then.address)
    return is_lost or bears_new_address(account, then)


def reason_by_given(operation: Operation, branch: int | None, managers: MappingType[int, int]) -> str:
    """Return why *operation* rests on another *branch* or other *managers* than we last gave the account, or "".

    No list shows them; so nobody knows what somebody else has made of them.
    """
    if operation.kind is Kind.CREATE:
        return ""
    given = {
        name: managers.get(manager_type_of(name)) if is_manager(name) else branch
        for name in operation.changes
        if is_never_shown(name)
    }
    changed = [name for name, now in given.items() if str(now or "") != operation.before.get(name, "")]
    return f"changed by us since: {', '.join(changed)}" if changed else ""


def reason_by_place(operation: Operation, places: MappingType[int, Collection[int]]) -> str:
    """Return the reason if the account of *operation* is neither in its former branch nor in its new one, or "".

    *places* are the present branches by account. A rule moves an account from wherever somebody has put it by hand,
    once it gives another branch than before.
    """
    known = {int(branches[BRANCH]) for branches in (operation.before, operation.changes) if BRANCH in branches}
    is_elsewhere = BRANCH in operation.before and known.isdisjoint(places.get(operation.docebo_id or 0, known))
    return f"changed in Docebo since: {BRANCH}" if is_elsewhere else ""


def reason_by_reports(operation: Operation, reports: MappingType[int, Collection[int]]) -> str:
    """Return the reason if the account of *operation* no longer reports to the manager that we had set, or "".

    *reports* are the accounts that report to a manager, by the manager's account.
    """
    changed = [
        name
        for name, manager in managers_taken_back(operation.before).items()
        if operation.docebo_id not in reports.get(manager, {operation.docebo_id})
    ]
    return f"changed in Docebo since: {', '.join(changed)}" if changed else ""


def reason_by_managers(operation: Operation, accounts: Accounts, seen: MappingType[int, LastSeen]) -> str:
    """Return why nobody can tell that the accounts which *operation* makes managers are who was meant, or "".

    They have to show what was last *seen* of them.
    """
    managing = {one: accounts.get(one) for one in managers_of(operation)}
    if not all(managing.values()):
        return "the manager's account is gone"
    is_theirs = not any(
        _may_be_handed_over(account, seen.get(one, LastSeen())) for one, account in managing.items() if account
    )
    return "" if is_theirs else NOT_THEIRS


def reason_by_branch(operation: Operation, branches: Branches | None) -> str:
    """Return why nobody can be put into the branch of *operation*, or "".

    A row names the branch by its present code, title or path: a former one may name another branch.
    """
    branch = str(operation.changes.get(BRANCH, ""))
    if not branch or operation.kind not in {Kind.CREATE, Kind.MOVE}:
        return ""
    if operation.kind is Kind.MOVE:
        is_there = branches is None or branch in branches.all_ids  # the call takes the id
    else:
        is_there = branches is not None and branch in branches.columns
    return "" if is_there else f"branch {branch} is gone from Docebo since, or nothing tells it from others: plan again"


def reason_by_mapping(operation: Operation, mapping: Mapping | None, holder: str) -> str:
    """Return why *operation* contradicts the present mappings, or "".

    *mapping* is that of its Slack user, *holder* the Slack id to which its account is mapped.
    """
    rests_on_mapping = operation.maps or operation.kind is Kind.UNMAP or operation.prior is not None
    # What gives a person attributes does so, too, where no mapping was kept: somebody may be linked by hand since.
    if (rests_on_mapping or operation.fingerprint) and _row(mapping) != _row(operation.prior):
        return "the mapping has changed since"
    if operation.kind is not Kind.CREATE and holder not in {"", *people_of([operation])}:
        return f"the account belongs to {holder} by now"
    return ""


def reason_by_account(
    operation: Operation,
    accounts: Accounts,
    policy: Policy,
    *,
    undoes: bool,
    attributes: Collection[str] | None = None,
) -> str:
    """Return why *operation* contradicts its account as *accounts* show it, or "".

    It does where an attribute (one of *attributes*, if given) is not as it was when the operation was planned. An
    operation that *undoes* may change an account that is protected only because of what it takes back.
    """
    account = account_of(accounts, operation)
    if operation.kind is Kind.CREATE:
        email = operation.email
        namesakes = accounts.with_email(email) if email and policy.match_by is not MatchBy.USERNAME else []
        back = accounts.get(operation.prior.docebo_id) if operation.prior else None  # it was gone when this was planned
        found = account or next(iter(namesakes), back)
        docebo_id = found.docebo_id if found else accounts.hidden(email)
        return "" if docebo_id is None else f"account {docebo_id} exists by now"
    if account is None:
        return "the account is gone"
    judged = _as_undone(account, operation) if undoes else account
    if operation.kind in TO_ACCOUNTS and (shield := shielded(judged, policy.protected)):
        return shield
    before = ((name, value) for name, value in operation.before.items() if attributes is None or name in attributes)
    if changed := [name for name, value in before if differs(account, name, value)]:
        return f"changed in Docebo since: {', '.join(changed)}"
    return ""


def _as_undone(account: Account, operation: Operation) -> Account:
    """Return *account* with the username and the address that *operation* gives back."""
    changes = operation.changes
    username, email = (str(changes.get(name, getattr(account, name))) for name in ("username", "email"))
    return replace(account, username=username, email=email)


def carried_out(operation: Operation, now: Situation) -> int | None:
    """Return the account if it shows the effect of *operation*, which was sent, and is nobody else's by now."""
    account = account_of(now.accounts, operation) if operation.kind in TO_ACCOUNTS else None
    if account is None or not is_carried_out(operation, account):
        return None
    is_theirs = operation.docebo_id is None or is_same(seen_on(account), now.seen_of(operation.docebo_id))
    at_odds = reason_by_mapping(operation, now.mapping, now.holder)
    return account.docebo_id if is_theirs and not at_odds else None


def _row(mapping: Mapping | None) -> tuple[str, int, str, bool] | None:
    return None if mapping is None else (mapping.slack_id, mapping.docebo_id, mapping.fingerprint, mapping.deactivated)


def managers_taken_back(before: MappingType[str, Value]) -> dict[str, int]:
    """Return the managers among what an undo takes back, by the names of their attributes."""
    return {name: int(value) for name, value in before.items() if is_manager(name) and value}
