"""The exit codes of commands."""

from slack_docebo.errors import (
    AccessDenied,
    AlreadyRunning,
    ChangeLimitExceeded,
    ConfigurationError,
    ContractViolation,
    Halted,
    LockLost,
    NotConfirmed,
    PlanNotApplicable,
    PlatformMismatch,
    StorageError,
    SyncError,
    TooManyRejected,
    Unproven,
    WorkspaceMismatch,
)

DONE = 0
FAILED = 1
WRONG_USAGE = 2
DONE_IN_PART = 5

_OF_ERRORS: dict[type[SyncError], int] = {
    ConfigurationError: 2,
    AccessDenied: 2,
    ContractViolation: 2,
    WorkspaceMismatch: 2,
    PlatformMismatch: 2,
    StorageError: 2,
    PlanNotApplicable: 2,
    ChangeLimitExceeded: 3,
    NotConfirmed: 3,
    Halted: 3,
    AlreadyRunning: 4,
    LockLost: 4,
    TooManyRejected: DONE_IN_PART,
    Unproven: DONE_IN_PART,
}


def code_for(error: SyncError) -> int:
    """Return the exit code of a command that ends with *error*."""
    return next((code for kind, code in _OF_ERRORS.items() if isinstance(error, kind)), FAILED)
