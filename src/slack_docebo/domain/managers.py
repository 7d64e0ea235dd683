"""Managers: who reports to whom, as Slack names them, and of whom that cannot be written."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.people import SLACK_ID, SourceUser
from slack_docebo.domain.sources import SCIM

IN_DOUBT = -1  # in the place of a manager's account: one was sent, and nobody knows whether it was taken
SEVERAL = ""  # in the place of an id, for what several people have
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

MayHave = Mapping[int, Collection[int]]  # by account, the managers of whom it has one, as far as anybody knows


@dataclass(slots=True)
class Directory:
    """Everybody in scope, by what a rule may name a manager: any Slack id, the address, the employee number.

    An address that Slack has not confirmed names nobody: it may be somebody else's.
    """

    people: dict[str, str] = field(default_factory=dict)  # Slack id, or SEVERAL

    def add(self, users: Iterable[SourceUser]) -> None:
        """Take in *users*."""
        for user in users:
            number = (user.scim or {}).get("employeeNumber")
            address = "" if user.unconfirmed else mailbox(user.email)
            for key in filter(None, (*user.ids, address, f"{SCIM}{number}" if number else "")):
                known = self.people.setdefault(key, user.slack_id)
                if known != user.slack_id:
                    self.people[key] = SEVERAL

    def find(self, named: str) -> str | None:
        """Return the Slack id of the one who is *named*; SEVERAL, or None where nobody is."""
        if "@" in named:
            return self.people.get(mailbox(named))
        numbered = self.people.get(f"{SCIM}{named}")
        return self.people.get(named, numbered) if SLACK_ID.fullmatch(named) else numbered


def may_have(set_last: Mapping[int, int], in_doubt: Mapping[int, Collection[int]]) -> dict[int, Collection[int]]:
    """Return whom accounts may have as managers: whom we have *set_last*, or anybody *in_doubt* where nobody knows that."""
    known = {account: (manager,) for account, manager in set_last.items() if manager not in {0, IN_DOUBT}}
    doubted = {account: managers for account, managers in in_doubt.items() if set_last.get(account) == IN_DOUBT}
    return {**known, **doubted}


def not_writable(named: Mapping[int, int], set_before: MayHave) -> set[int]:
    """Return which accounts cannot get the managers *named* for them, 0 for none: some would be their own managers.

    Whoever is named nobody, or cannot get who is named, may keep any *set_before*, by whom others may come into a circle. Of
    a circle that is closed by such a one as many get who is named as can; of one of those named alone, nobody does.
    """
    written = dict(named)
    while circled := in_circles({**set_before, **_each(written)}) & written.keys():
        for account in circled:
            del written[account]
    managers = {**set_before, **_each(written)}
    waiting, tried = sorted(named.keys() - written.keys() - in_circles(_each(named))), list[int]()
    while waiting != tried:  # who gets another manager may lead no longer back to those who were tried before
        waiting, tried = [], waiting
        for account in tried:
            if account in _reached(managers, named[account], set()):
                waiting.append(account)
            else:
                managers[account] = (named[account],)
                written[account] = named[account]
    return named.keys() - written.keys()


def closing_by_others(named: Mapping[int, int], set_before: MayHave) -> set[int]:
    """Return which accounts would be their own managers where some of those *named* before them do not get theirs.

    These may keep any *set_before*.
    """
    managers = {account: set(any_of) for account, any_of in set_before.items()}
    found = set[int]()
    for account, manager in named.items():
        if account in _reached(managers, manager, set()):
            found.add(account)
        managers.setdefault(account, set()).add(manager)
    return found


def from_the_top(named: Mapping[int, int], set_before: MayHave) -> list[int]:
    """Return the accounts of *named* in an order in which each can get its manager without a circle in between.

    Who is above somebody comes before: then everybody's line upwards is as it is to be, or as it was.
    """
    return [one for one in _above_first({**set_before, **_each(named)}, named) if one in named]


def in_circles(managers: MayHave) -> set[int]:
    """Return the accounts that may be their own manager, be it by way of others; *managers* are by account."""
    below = defaultdict[int, list[int]](list)
    for account, any_of in managers.items():
        for manager in any_of:
            below[manager].append(account)
    found, seen = set[int](), set[int]()
    # Kosaraju's way: from the last one on, whoever is below somebody and was not reached before is above that one as well.
    for start in reversed(_above_first(managers, managers)):
        if start not in seen:
            circle = _reached(below, start, seen)
            if len(circle) > 1 or start in managers.get(start, ()):
                found |= circle
    return found


def _each(managers: Mapping[int, int]) -> dict[int, Collection[int]]:
    return {account: (manager,) for account, manager in managers.items()}


def _above_first(managers: MayHave, accounts: Iterable[int]) -> list[int]:
    """Return *accounts* and everybody above them, each after all who are above: of those in a circle, after some."""
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
    """Return *start* and whoever is reached from there by *ways*, without those *seen*, to whom they are added."""
    found, rest = set[int](), {start}
    while rest:
        seen |= rest
        found |= rest
        rest = {one for at in rest for one in ways.get(at, ())} - seen
    return found
