"""Incidents: what operators are told when a run needs them, once each and without anybody's name."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from slack_docebo.domain.texts import chat, line

MANUAL = "docs/operations.md"


class Trouble(StrEnum):
    """The kinds of incidents; each value is the name of the state in which the run ended."""

    FAILED = "Failed"
    REFUSED = "Refused"
    CRASHED = "Crashed"
    CANCELLED = "Cancelled"
    PARTLY_FAILED = "PartlyFailed"
    SKIPPED = "Skipped"
    UNDECIDED = "Undecided"
    PARKED = "Parked"
    HELD = "Held"
    ALREADY_RUNNING = "AlreadyRunning"
    STOPPED = "Stopped"
    TO_BE_CONTINUED = "ToBeContinued"


HAPPENED = {
    Trouble.FAILED: "failed",
    Trouble.REFUSED: "was refused before its first write",
    Trouble.CRASHED: "crashed",
    Trouble.CANCELLED: "was cancelled",
    Trouble.PARTLY_FAILED: "could not do everybody",
    Trouble.SKIPPED: "did nothing of its plan",
    Trouble.UNDECIDED: "leaves people to somebody's decision",
    Trouble.PARKED: "parked events",
    Trouble.HELD: "holds back events that would change more than the limits allow",
    Trouble.ALREADY_RUNNING: "was not done: its place was taken",
    Trouble.STOPPED: "was stopped by order",
    Trouble.TO_BE_CONTINUED: "was told to end before it was done",
}
ADVICE = {
    Trouble.FAILED: "Correct what the message says, then start it again: what was done already is not done twice."
    f" Every message is explained in {MANUAL}.",
    Trouble.REFUSED: "If a limit stopped it, look at the plan in the run's artifacts. If it is right, run"
    " bulk-import/import-everybody with the plan's id as Saved plan and Dry run off. If not, correct the settings.",
    Trouble.CRASHED: "An import that is no dry run begins again by itself, once. Start anything else again: what was done"
    " already is not done twice. If it crashes again, look at the worker's log: most often the machine is short of memory"
    " or was restarted.",
    Trouble.CANCELLED: "Nothing, if that was meant. What was written stays; the next run does the rest.",
    Trouble.PARTLY_FAILED: "Look at the run's artifacts for the reason of each. The next run tries them again.",
    Trouble.SKIPPED: "What the plan rests on has changed since it was made. Make a new one.",
    Trouble.UNDECIDED: "Look at the run's artifacts for the reason of each, which says whose account is in question. They"
    " are told once, and left alone until that is settled in Slack, in Docebo or with `slack-docebo mappings import`.",
    Trouble.PARKED: f"Look at them and at their errors, then replay them: {MANUAL} says how. Nothing is lost, and the"
    " next reconciliation brings the same people in line.",
    Trouble.HELD: "Look at the plan with the incident's id: `slack-docebo plan show`. If it is right, let everybody who"
    " waits with it through: `slack-docebo events let-through` with that id, or run realtime-sync/slack-events with it as"
    " Let through. If not, correct Slack or the settings, and replay them.",
    Trouble.ALREADY_RUNNING: "Look at the run that the message names. Once it has ended, start this one again; if it"
    " hangs, cancel it first.",
    Trouble.STOPPED: "Nothing, if that is still meant. `slack-docebo go` lets runs write again; the next one does the"
    " rest.",
    Trouble.TO_BE_CONTINUED: "Start it again: what was done already is not done twice. It was told to end with its worker,"
    " as when that is updated.",
}


FIRST = {
    Trouble.PARTLY_FAILED: "Look at those who failed",
    Trouble.SKIPPED: "Make a new plan",
    Trouble.UNDECIDED: "Decide whose the accounts are",
    Trouble.PARKED: "Look at the parked events and replay them",
    Trouble.HELD: "Look at what is held back, and let it through if it is right",
}
"""What there is to do about a run that has done its work, but not for everybody."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident, told in one message; *subject* is the name of the flow."""

    trouble: Trouble
    subject: str
    message: str
    extent: str = ""  # how many people, in words
    link: str = ""

    @property
    def title(self) -> str:
        return f"slack-docebo: {self.subject} {HAPPENED[self.trouble]}"

    @property
    def body(self) -> str:
        """The message as plain text."""
        return self._composed(line)

    @property
    def markdown(self) -> str:
        """The message for chats, many of which render Markdown."""
        return self._composed(chat)

    def _composed(self, escaped: Callable[[str], str]) -> str:
        parts = {
            "What happened": escaped(self.message),
            "To how many": escaped(self.extent),
            "What to do": ADVICE[self.trouble],
            "The run": self.link,
        }
        return "\n\n".join(f"{name}: {text}" for name, text in parts.items() if text)
