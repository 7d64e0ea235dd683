"""Managers: who reports to whom in Slack, and for whom that cannot be written to Docebo."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.people import SLACK_ID, SourceUser
from slack_docebo.domain.sources import SCIM, said

IN_DOUBT = -1  # instead of a manager's account: one was sent, and nobody knows whether it was accepted
SEVERAL = ""  # instead of a Slack id: several people have what names the manager
NOT_KNOWN = "Slack lists nobody in scope as this manager"
NOT_ALONE = "several people have what names this manager"
NO_ACCOUNT = "the manager has no account"
NOT_THEIRS = "the manager's account may be somebody else's by now"
REPORTS_TO_THEM = (
    "in Docebo the manager, or somebody further up, reports to the person: take that out there, or correct Slack"
)
IN_A_CIRCLE = "the managers report to each other in a circle"
PERHAPS_IN_A_CIRCLE = (
    "the managers may report to each other in a circle: whom one of them has, nobody knows since a run was cut off or the"
    " account passed to somebody else, until Slack names one who can be written"
)

MayHave = Mapping[int, Collection[int]]  # by account, the managers of which it may have one


@dataclass(slots=True)
class Directory:
    """Everybody in scope, by everything with which a rule may name a manager: any Slack id, address, employee number.

    An address that Slack has not confirmed identifies nobody: it may be somebody else's.
    """

    people: dict[str, str] = field(default_factory=dict)  # Slack id, or SEVERAL

    def add(self, users: Iterable[SourceUser]) -> None:
        """Add *users*."""
        for user in users:
            number = said(user, f"{SCIM}employeeNumber")  # in the form in which a rule gives it
            address = "" if user.unconfirmed else mailbox(user.email)
            for key in filter(None, (*user.ids, address, f"{SCIM}{number}" if number else "")):
                known = self.people.setdefault(key, user.slack_id)
                if known != user.slack_id:
                    self.people[key] = SEVERAL

    def find(self, named: str) -> str | None:
        """Return the Slack id of the person who is *named*: SEVERAL if there are several, None if there is none."""
        if "@" in named:
            return self.people.get(mailbox(named))
        numbered = self.people.get(f"{SCIM}{named}")
        return self.people.get(named, numbered) if SLACK_ID.fullmatch(named) else numbered


def may_have(set_last: Mapping[int, int], in_doubt: Mapping[int, Collection[int]]) -> dict[int, Collection[int]]:
    """Return the managers that each account may have: the one we have *set_last* or, in doubt, any *in_doubt*."""
    known = {account: (manager,) for account, manager in set_last.items() if manager not in {0, IN_DOUBT}}
    doubted = {account: managers for account, managers in in_doubt.items() if set_last.get(account) == IN_DOUBT}
    return {**known, **doubted}


def not_writable(named: Mapping[int, int], set_before: MayHave) -> set[int]:
    """Return the accounts whose manager in *named* (0: none) cannot be written, because it would close a circle.

    An account that gets none, or not the one named, may keep any manager in *set_before*, which may close further
    circles. Of a circle that exists only by such kept managers, as many accounts as possible get theirs; of a circle
    within *named* itself, no account does.
    """
    written = dict(named)
    while circled := in_circles({**set_before, **_each(written)}) & written.keys():
        for account in circled:
            del written[account]
    managers = {**set_before, **_each(written)}
    waiting, tried = sorted(named.keys() - written.keys() - in_circles(_each(named))), list[int]()
    while waiting != tried:  # an account with a new manager may no longer lead back to those tried before
        waiting, tried = [], waiting
        for account in tried:
            if account in _reached(managers, named[account], set()):
                waiting.append(account)
            else:
                managers[account] = (named[account],)
                written[account] = named[account]
    return named.keys() - written.keys()


def closing_if_refused(named: Mapping[int, int], set_before: MayHave) -> set[int]:
    """Return the accounts of *named* that would close a circle if an account before them does not get its manager.

    Such an account may keep any manager in *set_before*.
    """
    managers = {account: set(any_of) for account, any_of in set_before.items()}
    found = set[int]()
    for account, manager in named.items():
        if account in _reached(managers, manager, set()):
            found.add(account)
        managers.setdefault(account, set()).add(manager)
    return found


def from_the_top(named: Mapping[int, int], set_before: MayHave) -> list[int]:
    """Return the accounts of *named* in an order in which writing one manager after the other closes no circle.

    Superiors come first: so everybody's line upwards is either the new one or the old one.
    """
    return [one for one in _above_first({**set_before, **_each(named)}, named) if one in named]


def in_circles(managers: MayHave) -> set[int]:
    """Return the accounts that may report to themselves, directly or through others; *managers* are by account."""
    below = defaultdict[int, list[int]](list)
    for account, any_of in managers.items():
        for manager in any_of:
            below[manager].append(account)
    found, seen = set[int](), set[int]()
    # Kosaraju's algorithm: backwards in this order, whoever is below *start* and was not seen before is above it as well.
    for start in reversed(_above_first(managers, managers)):
        if start not in seen:
            circle = _reached(below, start, seen)
            if len(circle) > 1 or start in managers.get(start, ()):
                found |= circle
    return found


def _each(managers: Mapping[int, int]) -> dict[int, Collection[int]]:
    return {account: (manager,) for account, manager in managers.items()}


def _above_first(managers: MayHave, accounts: Iterable[int]) -> list[int]:
    """Return *accounts* and all their superiors, each after its own superiors; within a circle, after some of them."""
    found, begun = list[int](), set[int]()
    for start in accounts:
        way = [] if start in begun else [start]
        while way:
            begun.add(way[-1])
            above = next((one for one in managers.get(way[-1], ()) if one not in begun), None)
            if above is None:
                found.append(way.pop())
            else:
                way.append(above)
    return found


def _reached(ways: MayHave, start: int, seen: set[int]) -> set[int]:
    """Return *start* and everything that *ways* lead to from there, without what was *seen*; add it to *seen*."""
    found, rest = set[int](), {start}
    while rest:
        seen |= rest
        found |= rest
        rest = {one for at in rest for one in ways.get(at, ())} - seen
    return found
