"""Decisions about single people, made by hand: never this person, leave it so, or this account."""

from collections.abc import Collection, Iterable, Mapping
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
    reasons: tuple[str, ...] = ()  # for which the person was left alone, or had failed, when that was seen
    docebo_id: int | None = None

    def acknowledges(self, told: str) -> bool:
        """Tell whether somebody has acknowledged that the person is left alone, or fails, for the reason *told*."""
        return told in self.reasons


Decisions = Mapping[str, Decision]
"""By Slack id: those that bind runs (never, this account), or what was acknowledged, for both can be so of one person."""
FormerHolders = Mapping[str, Collection[str]]
"""By the Slack id of a person who gets an unmapped account: the Slack ids of people to whom it was given before."""
NOBODY: FormerHolders = {}


def about(decisions: Decisions, users: Iterable[SourceUser]) -> Decisions:
    """Return *decisions* with those about other ids of *users* added under their Slack id; the latest counts."""
    return {**decisions, **{user.slack_id: one for user in users if (one := latest(decisions, user.ids))}}


def respecting(
    binding: Decisions,
    acknowledged: Decisions,
    operations: Iterable[Operation],
    former_holders: FormerHolders,
) -> list[Operation]:
    """Return *operations* changed so that they respect what was decided.

    A person who is never to be touched is left alone, and so is the account that was given to them. An acknowledged
    reason is marked as seen, until there is another. Whatever has failed is tried as before: nobody has decided against
    it.
    """
    return [_respecting(binding, acknowledged, operation, former_holders) for operation in operations]


def is_never(decisions: Decisions, operation: Operation) -> bool:
    """Tell whether nothing may be done about the person of *operation*, or about the one mapped before."""
    return bool(reason_by_decision(decisions, operation, NOBODY))


def reason_by_decision(decisions: Decisions, operation: Operation, former_holders: FormerHolders) -> str:
    """Return why nothing may be done about the person of *operation*, or about a former holder of the account, or ""."""
    if is_for_never(decisions, [operation.slack_id]):
        return NEVER
    untouchable = [one for one in sorted(former_holders.get(operation.slack_id, ())) if is_for_never(decisions, [one])]
    if is_for_never(decisions, [operation.slack_id, operation.mapped_as]):
        untouchable.insert(0, operation.mapped_as)
    if not untouchable:
        return ""
    return f"account {operation.account_before} belongs to {untouchable[0]}, about whom somebody has decided: never this person"


def never_touched(decisions: Decisions) -> set[str]:
    """Return the Slack ids of people who are never to be touched."""
    return {slack_id for slack_id, one in decisions.items() if one.verdict is Verdict.NEVER}


def is_for_never(decisions: Decisions, slack_ids: Iterable[str]) -> bool:
    """Tell whether nothing may be done about the person with these *slack_ids*."""
    found = latest(decisions, slack_ids)
    return found is not None and found.verdict is Verdict.NEVER


def latest(decisions: Decisions, slack_ids: Iterable[str]) -> Decision | None:
    """Return the latest decision about the person with these *slack_ids*, if there is one."""
    found = (decisions[slack_id] for slack_id in slack_ids if slack_id in decisions)
    return max(found, key=lambda one: one.since, default=None)


def _respecting(
    binding: Decisions, acknowledged: Decisions, operation: Operation, former_holders: FormerHolders
) -> Operation:
    if reason := reason_by_decision(binding, operation, former_holders):
        operation = operation.left_alone(reason)
    found = acknowledged.get(operation.slack_id)
    seen = found is not None and operation.kind is Kind.LEAVE and found.acknowledges(operation.reason)
    return replace(operation, reason=SEEN + operation.reason) if seen else operation
