"""Faults of the database, reported in one line that says what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from slack_docebo.errors import StorageConflict, StorageError

# What the driver or the system says -> what to do about it. The first match counts.
ADVICE = (
    ("readonly database", "is not writable: give this user write access to the file and its folder"),
    ("unable to open database file", "cannot be opened: check that its folder exists and this user may write to it"),
    ("permission denied", "may not be used by this user: grant access to the database, its tables or its folder"),
    ("read-only", "is not writable: it is on a read-only file system or a standby server"),
    ("levels of symbolic links", "has a link beside it where a lock file belongs: remove the link"),
    ("is full", "has no space left: free disk space, then run again"),
    ("no space left", "has no space left: free disk space, then run again"),
    ("disk i/o error", "cannot be read or written: check the disk and its free space"),
    ("database is locked", "stayed locked by another process: find the process that holds it, then run again"),
    ("lock timeout", "stayed locked by another process: find the process that holds it, then run again"),
    ("deadlock", "was changed by another process at the same moment: run again"),
    ("could not serialize", "was changed by another process at the same moment: run again"),
    ("not a database", "is not an SQLite database: check DATABASE_URL"),
    ("malformed", "is damaged: restore it from a backup"),
    ("authentication failed", "refused the login: check user and password in DATABASE_URL"),
    ("too many clients", "has no connection left: raise its limit or stop other clients"),
    ("too many connections", "has no connection left: raise its limit or stop other clients"),
    ("does not exist", "lacks what is asked for: check the name in DATABASE_URL and that its tables are complete"),
    ("no such table", "lacks a table: check DATABASE_URL or restore a backup"),
)
# What PostgreSQL quotes of DATABASE_URL; where it is misspelt, a password may stand in any of its places.
OF_THE_ADDRESS = re.compile(r'\b(user|role|option|value:?) "[^"]*"')
UNREACHABLE = "cannot be reached: check DATABASE_URL and that the server is up"
BUSY = "is busy: all connections of this process are in use; run again"
OTHERWISE = "did not carry out a statement: run again, and report this if it stays"


@contextmanager
def translated(database: str) -> Iterator[None]:
    """Raise StorageError for every fault of *database*; its message never quotes the values of a row."""
    try:
        yield
    except PoolTimeout as error:
        raise StorageError(f"{database} {BUSY}") from error
    except DBAPIError as error:
        said = _said(error)
        # Words about the data hold the data, in the cause's text, too.
        fault = StorageConflict if isinstance(error, IntegrityError) else StorageError
        raise fault(f"{database} {_advice(error, said)} ({said})") from (None if _is_about_data(error) else error)
    except SQLAlchemyError as error:
        raise StorageError(f"{database} {OTHERWISE} ({type(error).__name__})") from error


@contextmanager
def translated_files(database: str) -> Iterator[None]:
    """Raise StorageError where a file or folder of *database* cannot be used."""
    try:
        yield
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise StorageError(f"{database} {_known(said) or 'cannot be used: check its folder'} ({said})") from error


def _advice(error: DBAPIError, said: str) -> str:
    lost = error.connection_invalidated or (isinstance(error, OperationalError) and _state(error) == "")
    return _known(said) or (UNREACHABLE if lost else OTHERWISE)


def _known(said: str) -> str:
    return next((advice for words, advice in ADVICE if words in said.lower()), "")


def _is_about_data(error: DBAPIError) -> bool:
    return isinstance(error, DataError | IntegrityError)


def _said(error: DBAPIError) -> str:
    """Return the driver's words as one line, without what they say about the data."""
    primary = getattr(getattr(error.orig, "diag", None), "message_primary", None)
    if isinstance(error, DataError):
        return f"{type(error.orig).__name__} {_state(error) or ''}".rstrip()
    return OF_THE_ADDRESS.sub(r'\1 "…"', " ".join(str(primary or error.orig).split()))


def _state(error: DBAPIError) -> str | None:
    """Return PostgreSQL's five characters, "" when the server could not be asked, None from SQLite."""
    return getattr(error.orig, "sqlstate", None) or "" if hasattr(error.orig, "sqlstate") else None
