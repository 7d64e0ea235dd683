"""Guards: limits on how many people may be changed, which are compared with the whole plan."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from slack_docebo.domain.operations import PASSED_ON, Kind, Operation
from slack_docebo.domain.targets import EXPIRATION, USERNAME

LONGEST_NUMBER = 9  # digits


class Change(StrEnum):
    """A kind of change that is limited, counted in people."""

    CREATE = "create"
    UPDATE = "update"
    MOVE = "move"  # to another branch
    DEACTIVATE = "deactivate"
    UNMAP = "unmap"
    REMAP = "move mapping"  # to another account, or to another person
    RENAME = "change username"


IN_WORDS = {
    Change.MOVE: "move to another branch",
    Change.REMAP: "map to another account or person",
    Change.RENAME: "give another username",
}


class Excess(NamedTuple):
    """A limit that would be exceeded, and the sentence that says so."""

    change: Change
    sentence: str


NOBODY: Mapping[Change, int] = {}


@dataclass(frozen=True, slots=True)
class Limit:
    """How many people may be changed in one way: at most a count, a percentage, or both at once; None is no limit."""

    count: int | None = None
    percent: float | None = None  # of the people looked after: those in scope and the leavers

    def __str__(self) -> str:
        parts = [str(self.count)] if self.count is not None else []
        parts += [f"{self.percent:g}%"] if self.percent is not None else []
        return ", ".join(parts) or "none"


def parse_limit(text: str) -> Limit:
    """Read `25`, `5%`, `25, 5%` or `none`. Raises ValueError that says what is allowed."""
    if text.strip().lower() == "none":
        return Limit()
    counts: list[int] = []
    percents: list[int] = []
    for part in text.split(","):
        digits = part.strip().removesuffix("%").strip()
        if not digits.isdecimal() or len(digits) > LONGEST_NUMBER:
            raise ValueError("write a count, a percentage, both (25, 5%) or none")
        if "%" in part:
            percents.append(int(digits))
        else:
            counts.append(int(digits))
    if len(counts) > 1 or len(percents) > 1:
        raise ValueError("write one count, one percentage or both, not two of a kind")
    return Limit(next(iter(counts), None), next(iter(percents), None))


def changes_of(operation: Operation, ends_by: date, passed_on: Collection[str]) -> set[Change]:
    """Return the changes that *operation* counts as; an account that is made to end by *ends_by* counts as deactivated.

    *passed_on* are the Slack ids of those who get the mapping of somebody else; without mappings, the reason says so.
    """
    found = {change for change in Change if change.value == operation.kind.value}
    if operation.moves_mapping or operation.slack_id in passed_on or operation.reason.startswith(PASSED_ON):
        found.add(Change.REMAP)
    if operation.kind is Kind.UPDATE:
        expires = str(operation.changes.get(EXPIRATION, ""))
        found |= {Change.RENAME} if USERNAME in operation.changes else set()
        found |= {Change.DEACTIVATE} if expires and expires <= ends_by.isoformat() else set()
    return found


def exceeded(
    planned: Mapping[Change, int],
    people: int,
    limits: Mapping[Change, Limit],
    *,
    minimum_sample: int,
    before: Mapping[Change, int] = NOBODY,
) -> list[Excess]:
    """Return an excess for each limit that the plan exceeds, with those changed *before* it in its window.

    *people* is the number of people looked after. Percentages apply from *minimum_sample* people on: in a workspace of
    three, one person would be a third. 0% always means nobody.
    """
    found = []
    for change in Change:
        if not planned.get(change):
            continue
        earlier, limit = before.get(change, 0), limits.get(change, Limit())
        number = planned[change] + earlier
        told = f"{number} to {IN_WORDS.get(change, change)}"
        if earlier:
            told += f" ({earlier} of them by runs before)"
        if limit.count is not None and number > limit.count:
            found.append(Excess(change, f"{told}, the limit is {limit.count}"))
        counts = people >= minimum_sample or limit.percent == 0
        if limit.percent is not None and counts and number * 100 > limit.percent * people:
            share = f"{told}, {number / max(people, 1):.1%} of {people} people"
            found.append(Excess(change, f"{share}, the limit is {limit.percent:g}%"))
    return found


def too_many_accounts(creations: int, accounts: int | None, most: int | None) -> list[Excess]:
    """Return the excess if *creations* lead to more than *most* accounts, where that is a limit.

    *accounts* is Docebo's present number; None if nobody has counted them.
    """
    if most is None or not creations:
        return []
    if accounts is None:
        told = "nobody has counted Docebo's accounts yet, and MAX_ACCOUNTS is set: make a plan with a dry run first"
        return [Excess(Change.CREATE, told)]
    if accounts + creations <= most:
        return []
    then = accounts + creations
    told = f"Docebo has {accounts} accounts, this would make it {then}, and MAX_ACCOUNTS is {most}: raise that first"
    return [Excess(Change.CREATE, told)]
