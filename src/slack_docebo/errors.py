"""Errors, grouped by what one does about them.

SyncError
├── ConfigurationError      correct the settings; nothing was started
├── RemoteError
│   ├── TransientError      try again later
│   │   └── RateLimited     and when
│   ├── OutcomeUnknown      sent, no answer: read again, plan again
│   ├── Rejected            this one request cannot succeed
│   ├── AccessDenied        the credentials do not allow it
│   └── ContractViolation   the answer is not as documented
├── IncompleteRead          not everybody was read: nothing may be concluded
├── WorkspaceMismatch       not the workspace this Docebo is linked to
├── PlatformMismatch        not the Docebo this database is linked to
├── ChangeLimitExceeded     the limits do not allow the plan, or its rest
├── TooManyRejected         Docebo refuses row after row: the run was stopped
├── Unproven                the first row does not show as it was sent: the run was stopped
├── NotConfirmed            a reset, or a plan, that nobody said yes to in so many words
├── AlreadyRunning          another run holds this Docebo
├── Halted                  somebody ordered that nothing be written
│   └── ToBeContinued       or that this run end: the next one does the rest
├── LockLost                another run took this one's place meanwhile
├── PlanChanged             somebody was taken out of it just now, or calls are made otherwise
├── PlanNotApplicable       the saved plan cannot be applied
├── StorageError            the database did not do its part
└── UnverifiedRequest       it does not prove that it comes from Slack

Messages never hold a secret, a name or an e-mail address: ids are enough to find the person.
"""

import traceback
from pathlib import Path
from typing import Any

from slack_docebo.redaction import redacted


class SyncError(Exception):
    """Base of everything this project raises on purpose; the message says what to do.

    Whatever another side is quoted with, no secret of this process is shown.
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(*(redacted(part) if isinstance(part, str) else part for part in parts))


class ConfigurationError(SyncError):
    """A setting is missing or wrong."""


class RemoteError(SyncError):
    """Slack or Docebo did not do what was asked.

    *said* is the other side's own message, which may name anybody: it is for the owner's report, in no message of ours,
    and does not leave the process with the error.
    """

    def __init__(self, operation: str, detail: str = "", *, status: int | None = None, said: str = "") -> None:
        super().__init__(operation, detail)
        self.operation, self.detail = self.args
        self.status = status
        self.said = said

    def __str__(self) -> str:
        return ": ".join(
            part for part in (self.operation, f"HTTP {self.status}" if self.status else "", self.detail) if part
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, {**self.__dict__, "said": ""}


class TransientError(RemoteError):
    """The call did not happen or may safely be repeated; a later try can succeed."""


class RateLimited(TransientError):
    """Too many calls; *retry_after* is the number of seconds the server asked to wait, if it said so."""

    def __init__(self, operation: str, *, retry_after: float | None = None) -> None:
        wait = "" if retry_after is None else f", asked to wait {retry_after:g} s"
        super().__init__(operation, f"too many calls{wait}", status=429)
        self.args = (operation,)  # what an unpickled copy is made with: Prefect sends errors between processes
        self.retry_after = retry_after


class OutcomeUnknown(RemoteError):
    """The call was sent and its answer lost: it may or may not have been carried out."""


class Rejected(RemoteError):
    """The remote side refuses this one request for good."""


class AccessDenied(RemoteError):
    """The credentials are not valid or not allowed to do this."""

    def __str__(self) -> str:
        """Say first whose credentials these are and what to do; which call was refused stands behind it."""
        call = ", ".join([self.operation, *([f"HTTP {self.status}"] if self.status else [])])
        return f"{self.detail} ({call})" if self.detail else super().__str__()


class ContractViolation(RemoteError):
    """The answer is not as documented, so nothing may be concluded from it."""


class IncompleteRead(SyncError):
    """A listing could not be proven complete."""


class WorkspaceMismatch(SyncError):
    """The Slack workspace of the token is not the one this Docebo is linked to."""


class PlatformMismatch(SyncError):
    """DOCEBO_URL leads to another Docebo than the one whose people the database knows."""


class ChangeLimitExceeded(SyncError):
    """The plan would change more than the limits allow, by itself or with what others have changed; no more was written."""


class TooManyRejected(SyncError):
    """Docebo refused a larger share of the rows than the settings allow; the rest was not sent."""


class Unproven(SyncError):
    """What Docebo shows of an account is not what its row has said; the rest was not sent."""


class NotConfirmed(SyncError):
    """Nobody confirmed what was about to be done, or nobody was there to; nothing was written."""


class AlreadyRunning(SyncError):
    """Another run is at work on the same Docebo."""


class Halted(SyncError):
    """Somebody ordered that nothing be written for now; what is planned or waits stays."""


class Frozen(Halted):
    """It is one of the days on which nothing is written, as the settings say."""


class ToBeContinued(Halted):
    """This run was told to end, and has come to a safe point: what it has done is recorded, the rest is still to do."""


class LockLost(SyncError):
    """Another run took this one's place while it stood still or was cut off; this one has written nothing since."""


class PlanChanged(SyncError):
    """What was about to be sent is not planned, or not proven, any more; nothing of it was done."""


class PlanNotApplicable(SyncError):
    """The saved plan does not exist, was applied already or was made for something else."""


class StorageError(SyncError):
    """The database is missing, not writable, full, or of another version."""


class NoRoomError(SyncError):
    """A temporary file cannot be written or read: its disk is full, or its folder is not for us."""


class StorageConflict(StorageError):
    """What was to be stored is at odds with what is there by now."""


class UnverifiedRequest(SyncError):
    """The request does not prove that it comes from Slack; it is answered with 401 and otherwise ignored."""


def told(error: Exception) -> str:
    """Return what is told of *error*: its kind and place if it is none of ours, for its words may name somebody."""
    if isinstance(error, SyncError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}: a fault of slack-docebo's; report it"
