"""Locks between processes: a locked file beside an SQLite database, a session advisory lock in PostgreSQL.

Both are freed by the operating system or the server when their holder dies. PostgreSQL must be reached directly or
through a pooler in session mode: pooling per transaction would tear the lock from its session.
"""

from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from slack_docebo.private_files import FILE_MODE, close_to_others
from slack_docebo.storage.faults import translated, translated_files


class Lock(Protocol):
    """An exclusive lock; every object is a holder of its own, even within one process."""

    def try_acquire(self) -> bool: ...

    def release(self) -> None: ...


class LockedFile:
    """A lock for all processes that see the same file."""

    def __init__(self, path: Path, *, database: str) -> None:
        self._database = database
        close_to_others(path)  # whoever may read the file can lock it
        # thread_local=False: acquired and released in whichever thread is free. A file system without locks is an
        # error, because lock files that are merely created would outlive a killed holder.
        self._lock = FileLock(path, thread_local=False, fallback_to_soft=False, mode=FILE_MODE)

    def try_acquire(self) -> bool:
        with translated_files(self._database):
            try:
                self._lock.acquire(blocking=False)
            except Timeout:
                return False
        return True

    def release(self) -> None:
        with translated_files(self._database):
            self._lock.release()


class AdvisoryLock:
    """A lock for all clients of the same PostgreSQL database, on a connection of its own."""

    def __init__(self, engine: Engine, name: str, *, database: str) -> None:
        self._database = database
        self._engine = engine
        self._key = advisory_key(name)
        self._connection: Connection | None = None

    def try_acquire(self) -> bool:
        with translated(self._database):
            if self._connection is None:
                self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                self._connection.detach()  # closing it ends the session and, with it, the lock
            return bool(self._connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}))

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(SQLAlchemyError):  # a lost session has lost the lock, too
            # The server notices a closed connection a moment later; the next holder should not have to wait for that.
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
        with suppress(SQLAlchemyError):
            connection.close()


def in_file_name(name: str) -> str:
    """Return what stands for the lock *name* in the name of its file."""
    return blake2b(name.encode(), digest_size=8).hexdigest()


def take_turns(connection: Connection, name: str, *, patience: str) -> None:
    """Hold PostgreSQL's advisory lock *name* until the transaction ends, once others have ended theirs; wait with *patience*."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{patience}'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": advisory_key(name)})


def advisory_key(name: str) -> int:
    """Return the number under which PostgreSQL knows the lock *name*."""
    return int.from_bytes(blake2b(f"slack-docebo {name}".encode(), digest_size=8).digest(), signed=True)
