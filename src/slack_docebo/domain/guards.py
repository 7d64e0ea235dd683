"""Guards: limits on what one run may change; they are checked before its first write."""

from collections.abc import Mapping
from dataclasses import dataclass

from slack_docebo.domain.planning import Kind

LONGEST_NUMBER = 9  # digits
NOBODY: Mapping[Kind, int] = {}
LIMITED = (Kind.CREATE, Kind.UPDATE, Kind.DEACTIVATE, Kind.UNMAP)


@dataclass(frozen=True, slots=True)
class Limit:
    """How many operations of one kind a plan may hold, by count, by percentage or both; None is no limit."""

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
            raise ValueError(f"{text.strip()!r} is not a limit: write a count, a percentage, both (25, 5%) or none")
        (percents if "%" in part else counts).append(int(digits))
    if len(counts) > 1 or len(percents) > 1:
        raise ValueError(f"{text.strip()!r} names two counts or two percentages")
    return Limit(next(iter(counts), None), next(iter(percents), None))


def exceeded(
    planned: Mapping[Kind, int],
    people: int,
    limits: Mapping[Kind, Limit],
    *,
    minimum_sample: int,
    before: Mapping[Kind, int] = NOBODY,
) -> list[str]:
    """Return one sentence for each limit that the plan exceeds, together with who was changed *before* it in its window.

    *people* is the number of people looked after. Percentages are checked from *minimum_sample* people on: in a
    workspace of three, one person would be a third.
    """
    found = []
    for kind in LIMITED:
        if not planned.get(kind):
            continue
        earlier, limit = before.get(kind, 0), limits.get(kind, Limit())
        number = planned[kind] + earlier
        with_earlier = f" ({earlier} of them by runs before)" if earlier else ""
        if limit.count is not None and number > limit.count:
            found.append(f"{number} x {kind}{with_earlier}, the limit is {limit.count}")
        if limit.percent is not None and people >= minimum_sample and number * 100 > limit.percent * people:
            found.append(
                f"{number} x {kind}{with_earlier} among {people} people is {number / people:.1%},"
                f" the limit is {limit.percent:g}%"
            )
    return found
