"""What somebody has decided about single people, by hand: never this one; seen, and left so; this account."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import SourceUser

NEVER = "somebody has decided: never this person"
SEEN = "seen, and left so: "  # before the reason that was seen


class Verdict(StrEnum):
    """What was decided."""

    NEVER = "never this person"
    LEAVE_SO = "leave it so"
    LINKED = "this account"  # the mapping says which; this only says who has set it, and why


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about one person; *why* and *by* are what somebody has typed."""

    slack_id: str
    verdict: Verdict
    why: str
    by: str
    since: datetime
    reason: str = ""  # for which the person was left alone when that was seen
    docebo_id: int | None = None


Decisions = Mapping[str, Decision]
"""By Slack id."""


def about(decisions: Decisions, users: Iterable[SourceUser]) -> Decisions:
    """Return *decisions* with what was decided about *users* under another of their ids; the latest counts."""
    return {**decisions, **{user.slack_id: one for user in users if (one := _latest(decisions, user.ids))}}


def respecting(decisions: Decisions, operations: Iterable[Operation]) -> list[Operation]:
    """Return *operations* as they are with *decisions*.

    Who is never to be touched is left alone. A reason that was seen is told as such, until there is another.
    """
    return [_respecting(decisions, operation) for operation in operations]


def is_never(decisions: Decisions, operation: Operation) -> bool:
    """Tell whether nothing may be done about the person of *operation*."""
    return is_for_never(decisions, (operation.slack_id, operation.mapped_as))


def is_for_never(decisions: Decisions, slack_ids: Iterable[str]) -> bool:
    """Tell whether nothing may be done about the person with these *slack_ids*."""
    found = _latest(decisions, slack_ids)
    return found is not None and found.verdict is Verdict.NEVER


def _latest(decisions: Decisions, slack_ids: Iterable[str]) -> Decision | None:
    found = (decisions[slack_id] for slack_id in slack_ids if slack_id in decisions)
    return max(found, key=lambda one: one.since, default=None)


def _respecting(decisions: Decisions, operation: Operation) -> Operation:
    if is_never(decisions, operation):
        return Operation(
            operation.slack_id,
            operation.slack_team,
            operation.slack_name,
            Kind.LEAVE,
            NEVER,
            docebo_id=operation.prior.docebo_id if operation.prior else operation.docebo_id,
        )
    found = decisions.get(operation.slack_id)
    seen = found is not None and found.verdict is Verdict.LEAVE_SO and found.reason == operation.reason
    return replace(operation, reason=SEEN + operation.reason) if seen and operation.kind is Kind.LEAVE else operation
