"""Managers: who reports to whom, as Slack names them, and of whom that cannot be written."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

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


def not_writable(named: Mapping[int, int], set_before: Mapping[int, int]) -> set[int]:
    """Return which accounts cannot get the managers *named* for them, 0 for none: some would be their own managers.

    Whoever is named nobody, or cannot get who is named, keeps the manager *set_before*, by whom others may come into a circle.
    """
    written = dict(named)
    while circled := in_circles({**set_before, **written}) & written.keys():
        for account in circled:
            del written[account]
    return named.keys() - written.keys()


def closing_by_others(named: Mapping[int, int], *set_before: Mapping[int, int]) -> set[int]:
    """Return which accounts would be their own managers where some of those *named* before them do not get theirs.

    These may keep any whom they have by one of *set_before*.
    """
    may_have = defaultdict[int, set[int]](set)
    for account, manager in chain.from_iterable(managers.items() for managers in set_before):
        may_have[account].add(manager)
    found = set[int]()
    for account, manager in named.items():
        line, above = set[int](), {manager}
        while above:
            line |= above
            above = {one for at in above for one in may_have.get(at, ())} - line
        if account in line:
            found.add(account)
        may_have[account].add(manager)
    return found


def from_the_top(named: Mapping[int, int], set_before: Mapping[int, int]) -> list[int]:
    """Return the accounts of *named* in an order in which each can get its manager without a circle in between.

    Who is above somebody comes before: then everybody's line upwards is as it is to be, or as it was.
    """
    managers, depths = {**set_before, **named}, dict[int, int]()
    for start in named:
        line: dict[int, None] = {}
        at = start
        while at in managers and at not in depths and at not in line:
            line[at] = None
            at = managers[at]
        for depth, account in enumerate(reversed(line), 1 + depths.get(at, 0)):
            depths[account] = depth
    return sorted(named, key=lambda account: depths[account])


def in_circles(managers: Mapping[int, int]) -> set[int]:
    """Return the accounts that are their own manager, be it by way of others; *managers* are by account."""
    found: set[int] = set()
    done: set[int] = set()
    for start in managers:
        line: dict[int, int] = {}  # the accounts on the way up, with their place
        at = start
        while at in managers and at not in done and at not in line:
            line[at] = len(line)
            at = managers[at]
        if at in line:
            found.update(account for account, place in line.items() if place >= line[at])
        done.update(line)
    return found
