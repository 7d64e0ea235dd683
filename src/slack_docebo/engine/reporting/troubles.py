"""Troubles: ways in which a run can end that need an operator, and the notices of them, without anybody's name."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from slack_docebo.domain.texts import chat, line, shortened
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import (
    AccessDenied,
    AlreadyRunning,
    ChangeLimitExceeded,
    ConfigurationError,
    ContractViolation,
    Frozen,
    Halted,
    IncompleteRead,
    LockLost,
    NoRoomError,
    NotConfirmed,
    OutcomeUnknown,
    PlanChanged,
    PlanNotApplicable,
    PlatformMismatch,
    Rejected,
    StorageError,
    SyncError,
    ToBeContinued,
    TooManyRejected,
    TransientError,
    Unproven,
    UnverifiedRequest,
    WorkspaceMismatch,
    told,
)

MANUAL = "operations.md"  # of the documentation
LONGEST_EXTENT = 100  # characters in a subject


class Trouble(StrEnum):
    """The kinds of trouble; each value is the name of the state in which the run ended."""

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
    FROZEN = "Frozen"
    TO_BE_CONTINUED = "ToBeContinued"


HAPPENED = {
    Trouble.FAILED: "failed",
    Trouble.REFUSED: "was refused",
    Trouble.CRASHED: "crashed",
    Trouble.CANCELLED: "was cancelled",
    Trouble.PARTLY_FAILED: "could not do everybody",
    Trouble.SKIPPED: "did nothing of its plan",
    Trouble.UNDECIDED: "leaves people to somebody's decision",
    Trouble.PARKED: "parked events",
    Trouble.HELD: "holds back events that would change more than the limits allow",
    Trouble.ALREADY_RUNNING: "was not done: its place was taken",
    Trouble.STOPPED: "was stopped by order",
    Trouble.FROZEN: "came on a day on which nothing is written",
    Trouble.TO_BE_CONTINUED: "was told to end before it was done",
}
ADVICE = {
    Trouble.FAILED: "Correct what the message says, then start it again: what was done already is not done twice."
    " Every message is explained in {manual}.",
    Trouble.REFUSED: "If a limit stopped it, look at the plan. If it is right, its page links to the form that applies it"
    " all the same. If not, correct the settings.",
    Trouble.CRASHED: "An import that is no dry run begins again by itself, once. Start anything else again: what was done"
    " already is not done twice. If it crashes again, look at the worker's log: most often the machine is short of memory"
    " or was restarted.",
    Trouble.CANCELLED: "Nothing, if that was meant. What was written stays; the next run does the rest.",
    Trouble.PARTLY_FAILED: "Look at the reason of each. The next run tries them again.",
    Trouble.SKIPPED: "What the plan rests on has changed since it was made. Make a new one.",
    Trouble.UNDECIDED: "Look at the reason of each, and decide. They are told once, and left alone until that is settled"
    " in Slack, in Docebo or in the form.",
    Trouble.PARKED: "Look at them and at their errors, then replay them: {manual} says how. Nothing is lost, and the"
    " next reconciliation brings the same people in line.",
    Trouble.HELD: "Look at whose events wait. If the changes are right, let everybody who waits through, by the link on the"
    " status page. If not, correct Slack or the settings, and replay them.",
    Trouble.ALREADY_RUNNING: "Look at the run that the message names. Once it has ended, start this one again; if it"
    " hangs, cancel it first.",
    Trouble.STOPPED: "Nothing, if that is still meant. The form lets runs write again; the next one does the rest.",
    Trouble.FROZEN: "Nothing, if that is still meant: the first run after these days does the rest. Else take them out of"
    " FREEZE in the settings.",
    Trouble.TO_BE_CONTINUED: "Start it again: what was done already is not done twice. It was told to end with its worker,"
    " as when that is updated.",
}

ADVICE_AFTER_AN_ERROR = "{to_do}. What was done already is not done twice. Every message is explained in {manual}."


FIRST = {
    Trouble.PARTLY_FAILED: "Look at those who failed",
    Trouble.SKIPPED: "Make a new plan",
    Trouble.UNDECIDED: "Decide whose the accounts are",
    Trouble.PARKED: "Look at the parked events and replay them",
    Trouble.HELD: "Look at what is held back, and let it through if it is right",
}
"""What there is to do about a run that has done its work, but not for everybody."""
FIRST_AFTER: dict[type[SyncError], str] = {
    AccessDenied: "Correct the token or its rights, and start again",
    AlreadyRunning: "Start again when the other run has ended",
    ChangeLimitExceeded: "",  # it says so itself, with the id of the plan
    ConfigurationError: "Correct this, and start again",
    ContractViolation: "Start again, and report it if it stays",
    Frozen: "Wait, or take these days out of FREEZE in the settings",
    Halted: "Let runs write again when it is time",
    IncompleteRead: "Start again later, or do first what this says",
    LockLost: "Leave it to the other run",
    NoRoomError: "Make room in the worker's folder for temporary files, or set TMPDIR to another, and start again",
    NotConfirmed: "Start again, as this says",
    OutcomeUnknown: "Start again",
    PlanChanged: "Start again",
    PlanNotApplicable: "Choose another plan",
    PlatformMismatch: "Correct DOCEBO_URL, or link the new address",
    Rejected: "Correct whom it is about, and start again",
    StorageError: "Look after the database or the file that this names, and start again",
    ToBeContinued: "Start it again",
    TooManyRejected: "Look at who was refused, correct that, and start again",
    TransientError: "Start again later",
    UnverifiedRequest: "Correct SLACK_SIGNING_SECRET",
    Unproven: "Start again, as this says",
    WorkspaceMismatch: "Use the token of the linked workspace",
    SyncError: "Look at what the run has left to read",
}
"""What there is to do about a run that could not go on, by the kind of error; the nearest kind counts."""
A_FAULT = "Report this, with the run's log"
A_CRASH = "Start it again, unless it begins again by itself"
WRONG_FORM = "Correct the form, and start again"
OTHER_CODE = "Deploy again, with the code that the workers have"
_BEGINNINGS = tuple(
    one for one in (*FIRST.values(), *FIRST_AFTER.values(), A_FAULT, A_CRASH, WRONG_FORM, OTHER_CODE) if one
)


def state_message(to_do: str, told: str) -> str:
    """Return the message of a state in one line: the one thing *to_do*, if there is one, then what is *told*."""
    return line(f"{to_do}: {told}" if to_do else told)


def message_after(error: Exception) -> str:
    """Return the message of the state of a run that *error* has ended.

    The words of an error that is not ours are left out, for they may name somebody.
    """
    if not isinstance(error, SyncError):
        return state_message(A_FAULT, told(error))
    return state_message(next(FIRST_AFTER[kind] for kind in type(error).__mro__ if kind in FIRST_AFTER), str(error))


def cause_in(message: str) -> str:
    """Return the *message* of a state without the thing to do at its beginning."""
    to_do = to_do_in(message)
    return message.removeprefix(f"{to_do}: ") if to_do else message


def to_do_in(message: str) -> str:
    """Return the thing to do with which the *message* of a state begins; "" for none."""
    return next((one for one in _BEGINNINGS if message.startswith(f"{one}: ")), "")


def step_after(trouble: Trouble) -> Step | None:
    """Return the form for what to do about *trouble*, if there is one to which the plan's page does not link."""
    match trouble:
        case Trouble.PARKED | Trouble.HELD:
            return Step("Look at what is parked, and go on from there", "parked-events")
        case Trouble.STOPPED:
            return Step("Let runs write again", "go")
        case Trouble.FROZEN:
            return Step("Change the settings", "settings")
        case Trouble.FAILED:
            return Step("Is everything in place?", "doctor")
    return None


@dataclass(frozen=True, slots=True)
class Notice:
    """The message about one trouble; *subject* is the name of the deployment, or of the flow."""

    trouble: Trouble
    subject: str
    message: str
    extent: str = ""  # how many people, in words
    link: str = ""
    page: str = ""  # where it says whom the run was about, and why
    installation: str = ""  # the Docebo that it is about
    form: str = ""  # what the form at form_link does
    form_link: str = ""
    documentation: str = "docs"  # where it can be read

    @property
    def title(self) -> str:
        where = f"slack-docebo {self.installation}".strip()
        how_many = shortened(self.extent.partition(": ")[2], LONGEST_EXTENT)
        what = f"{self.subject} {HAPPENED[self.trouble]}"
        return line(f"{where}: {what}: {how_many}" if how_many else f"{where}: {what}")

    @property
    def body(self) -> str:
        """The message as plain text."""
        return self._composed(line)

    @property
    def markdown(self) -> str:
        """The message for chats, many of which render Markdown."""
        return self._composed(chat)

    @property
    def _advice(self) -> str:
        manual = f"{self.documentation}/{MANUAL}"
        if self.trouble in {Trouble.FAILED, Trouble.REFUSED} and (to_do := to_do_in(self.message)):
            return ADVICE_AFTER_AN_ERROR.format(to_do=to_do, manual=manual)
        return ADVICE[self.trouble].format(manual=manual)

    def _composed(self, escaped: Callable[[str], str]) -> str:
        parts = {
            "What happened": escaped(cause_in(self.message)),
            "To how many": escaped(self.extent) if self.extent not in self.message else "",
            "What to do": self._advice,
            "Who, and why": self.page,
            self.form: self.form_link,
            "The run": self.link,
        }
        return "\n\n".join(f"{name}: {text}" for name, text in parts.items() if name and text)
