"""Findings: what planning finds out besides the operations, to be stored or reported."""

from dataclasses import dataclass, field
from typing import NamedTuple

from slack_docebo.domain.people import LastSeen
from slack_docebo.domain.rules import Shortfall


class FoundAccount(NamedTuple):
    """An account that planning has found to be a person's, which the store does not know yet."""

    docebo_id: int
    on_record: int | None  # the account that is the person's by what was last applied; None: none


@dataclass(slots=True)
class Findings:
    """What one planner has found out so far."""

    people: int = 0  # looked after: in scope, or leavers with a mapping
    forgotten: int = 0  # people who are in nobody's plan any more
    forgotten_as: dict[str, str] = field(default_factory=dict)  # the ids by which they are known, by their other ids
    # Addresses of forgotten people that people who are looked after have by now
    passed_on: list[str] = field(default_factory=list)
    # Slack ids whose account was seen in line, whatever it once read back
    no_echo: list[str] = field(default_factory=list)
    seen: dict[int, LastSeen] = field(default_factory=dict)  # what people's accounts bear, where that is news
    # By Slack id: whose account is left as it is, so that nothing that is written will tell whose it is
    accounts: dict[str, FoundAccount] = field(default_factory=dict)
    # By Slack id: whose account was somebody else's, and was handed over in Docebo
    handed_over: dict[str, FoundAccount] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)  # Slack ids of before, by the organisation's
    first_seen_leaving: list[str] = field(default_factory=list)  # Slack ids
    no_leavers: list[str] = field(default_factory=list)  # Slack ids of those who were known as leavers
    left_with: dict[str, str] = field(default_factory=dict)  # digests of the addresses of leavers, by Slack id
    shortfalls: dict[str, tuple[Shortfall, ...]] = field(default_factory=dict)  # values without a place, by Slack id
    # Slack ids whose custom fields are read before they are written
    to_read_first: set[str] = field(default_factory=set)

    def note_shortfalls(self, slack_id: str, lacking: tuple[Shortfall, ...]) -> None:
        """Note which Slack values the person's account does not get; what was noted before counts no more."""
        if lacking:
            self.shortfalls[slack_id] = lacking
        else:
            self.shortfalls.pop(slack_id, None)
