"""The grace period: leavers are noticed at once, and acted on some days later."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from slack_docebo.domain.operations import Kind, Operation

OF_LEAVERS = frozenset({Kind.DEACTIVATE, Kind.UNMAP})
HAS_LEFT = "has left Slack"  # the reason of a move to the branch for leavers
IS_BACK = "is back in Slack"  # the reason of a move out of it


def is_of_leaver(kind: Kind, reason: str) -> bool:
    """Tell whether an operation of this *kind* and *reason* is done only because the person has left Slack."""
    return kind in OF_LEAVERS or (kind is Kind.MOVE and reason == HAS_LEFT)


@dataclass(frozen=True, slots=True)
class Held:
    """The operations without leavers in grace, and who is newly, or no longer, seen as a leaver."""

    operations: list[Operation]
    first_seen: list[str]  # Slack ids
    no_leavers: list[str]


def hold(
    operations: Sequence[Operation],
    since: Mapping[str, datetime],
    *,
    back: Collection[str] = (),
    now: datetime,
    grace: timedelta,
) -> Held:
    """Leave leavers alone until they have been gone for *grace*, and name the day on which they will be acted on.

    *since* says, by Slack id, when somebody was first seen as a leaver. For those who are *back* the days begin anew if
    they leave again; for those of whom nobody knows whether they have left, the days go on.
    """
    held, first_seen = [], []
    for operation in operations:
        if operation.kind in OF_LEAVERS and grace:
            if operation.mapped_as not in since:
                first_seen.append(operation.mapped_as)
            due = since.get(operation.mapped_as, now) + grace
            later = operation.left_alone(f"{operation.reason}; acted on from {due:%Y-%m-%d}")
            held.append(later if now < due else operation)
        else:
            held.append(operation)
    return Held(held, first_seen, sorted(since.keys() & set(back)))
