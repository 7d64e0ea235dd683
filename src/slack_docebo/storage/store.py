"""The store: one database, opened, migrated, and handed out by the transaction."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import ref

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from slack_docebo.errors import ConfigurationError, StorageError
from slack_docebo.private_files import close_to_others, make_file, make_folder
from slack_docebo.redaction import keep_secret
from slack_docebo.settings import StoreSettings
from slack_docebo.storage.faults import translated, translated_files
from slack_docebo.storage.leases import Holder, Lease, LeaseRepository
from slack_docebo.storage.locks import AdvisoryLock, Lock, LockedFile, in_file_name
from slack_docebo.storage.tables import Tables
from slack_docebo.storage.upgrade import is_usable, upgrade

BUSY_TIMEOUT_MS = 30_000
LEASE_TIMEOUT = "30s"  # for which the transaction of a former holder is waited for
POSTGRESQL = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})
SNAPSHOT: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
DURABLE, HASTY = "FULL", "NORMAL"  # whether a commit to SQLite waits for the disk
PASSWORDS = ("password", "sslpassword")  # libpq takes these as options, too
ESCAPES = "a special character in user or password is written with %, like %40 for @ and %2F for /"

# The leases that were taken in this context; whoever holds one keeps it alive.
_held: ContextVar[tuple[ref[Lease], ...]] = ContextVar("leases", default=())


class Store:
    """An open database that this code can work on; may be shared by threads.

    It belongs to one run or command: once that has taken a lease, each of its transactions carries the lease's number,
    and is refused with LockLost when the number is no longer the newest. So is each of a store that it opens later.
    """

    def __init__(self, writers: Engine, readers: Engine, *, url: str, path: Path | None) -> None:
        self._writers = writers
        self._readers = readers
        self._path = path
        self._name = str(path or url)  # the same by whatever path the database is reached
        self._leases = {lease.name: lease for lease in _held_here() if lease.database == self._name}
        self.url = url  # for messages: host and database only

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the database at *url*; a missing one is created, an older one migrated.

        A newer one is opened as it is if its migrations say that this code can work on it, and refused otherwise.
        """
        parsed = _parsed(url)
        shown = _shown(parsed)
        path = None
        with translated_files(shown):
            if parsed.drivername in SQLITE:
                path = _real_path(Path(parsed.database or ""))
                _keep_private(path)
        writers, readers = _postgresql_engines(parsed) if path is None else _sqlite_engines(path)
        store = cls(writers, readers, url=shown, path=path)
        try:
            store._migrate()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def of(cls, settings: StoreSettings) -> Self:
        """Open the database that *settings* name."""
        return cls.open(settings.database_url.get_secret_value())

    @property
    def folder(self) -> Path | None:
        """Where an SQLite database's files are; None for PostgreSQL."""
        return self._path and self._path.parent

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Tables]:
        """Lend the tables for changes; they are committed together at the end, or not at all.

        What is not *durable* survives the end of any process, but perhaps not a power failure: it costs no wait for
        the disk. Raises LockLost, and changes nothing, where another has taken a lease of this store meanwhile.
        """
        with translated(self.url), self._writers.begin() as connection:
            if self._path is not None:
                _set_synchronous(connection, DURABLE if durable else HASTY)
                # A transaction that reads first and writes later could not wait for another writer.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif not durable:
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            leases = LeaseRepository(connection)
            for lease in tuple(self._leases.values()):
                if not lease.is_over:
                    leases.check(lease.name, lease.number)
            yield Tables(connection)

    @contextmanager
    def reading(self) -> Iterator[Tables]:
        """Lend the tables for reading: they show one moment of the database, cannot change it, and block nobody."""
        with translated(self.url), self._readers.begin() as connection:
            if self._path is not None:
                _begin(connection)
            yield Tables(connection)

    def lock(self, name: str) -> Lock:
        """Return a new, free instance of the lock *name*, which all users of this database share."""
        if self._path is None:
            return AdvisoryLock(self._writers, name, database=self.url)
        return LockedFile(self._path.with_name(f"{self._path.name}.{in_file_name(name)}.lock"), database=self.url)

    def take_lease(self, name: str, holder: Holder) -> Lease:
        """Note *holder*, which has just got the lock *name*, as its newest; whoever had it before writes nothing more."""
        self._leases.pop(name, None)
        with self.transaction() as tables:
            if self._path is None:
                tables.connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LEASE_TIMEOUT}'")
            lease = Lease(self._name, name, tables.leases.take(name, holder))
        self._leases[name] = lease
        _held.set(tuple(map(ref, (*_held_here(), lease))))
        return lease

    def close(self) -> None:
        self._writers.dispose()
        self._readers.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _migrate(self) -> None:
        with translated(self.url), translated_files(self.url):
            if is_usable(self._writers):
                return
            lock_file = None if self._path is None else self._path.with_name(f"{self._path.name}.migrate.lock")
            upgrade(self._writers, name=self.url, lock_file=lock_file)


def _held_here() -> list[Lease]:
    return [lease for held in _held.get() if (lease := held()) and not lease.is_over]


def _parsed(url: str) -> URL:
    """Take *url* apart; raise ConfigurationError, which quotes nothing of it, where a part cannot be what it seems."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is none, as where the host was forgotten
        raise ConfigurationError(
            f"DATABASE_URL is not a URL like postgresql://user:password@host/database or sqlite:///folder/file.db; {ESCAPES}"
        ) from None
    for secret in (parsed.password, *(parsed.query.get(name) for name in PASSWORDS)):
        if isinstance(secret, str):
            keep_secret(secret)
    if parsed.drivername in POSTGRESQL:
        if url.count("@") > 1:
            raise ConfigurationError(f"DATABASE_URL holds more than one @: {ESCAPES}")
        if not set(parsed.query) <= _options():
            raise ConfigurationError(f"DATABASE_URL has an option after the ? that PostgreSQL does not know; {ESCAPES}")
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in SQLITE:
        raise ConfigurationError("DATABASE_URL must begin with sqlite:/// or postgresql://")
    is_file = parsed.database and parsed.database != ":memory:" and not parsed.database.startswith("file:")
    if not is_file or parsed.host or parsed.username or parsed.query:
        raise ConfigurationError("DATABASE_URL must name a file, like sqlite:///folder/file.db, and nothing else")
    return parsed


def _real_path(path: Path) -> Path:
    """Return the file that *path* leads to through all links: what lies beside it is the same for everybody.

    Raises StorageError for a file with a second name (a hard link): SQLite looks for a journal beside the name it was
    given, so two names of one file damage it (https://www.sqlite.org/howtocorrupt.html, 2.4).
    """
    given = path.absolute()
    for link in (given, *given.parents):
        if link.is_symlink() and not link.exists():
            raise StorageError(f"{link} is a link to a file that is missing: restore that file, or remove the link")
    file = Path(os.path.realpath(given))
    if file.is_file() and file.stat().st_nlink > 1:
        raise StorageError(
            f"{given} has a second name (a hard link), which damages a database in use: remove that name"
        )
    return file


def _keep_private(path: Path) -> None:
    """Create the database's file, if it is missing, for its owner only, as it contains names and e-mail addresses.

    SQLite makes the files beside it with the same rights. One that was restored with `cp` may be open to others.
    """
    if not path.exists():
        make_folder(path.parent)
        with suppress(FileExistsError):  # made by another process at this moment
            make_file(path)
    for suffix in ("", "-wal", "-shm"):
        close_to_others(path.with_name(f"{path.name}{suffix}"))


def _options() -> set[str]:
    """Return the names of the options that libpq knows."""
    from psycopg.pq import Conninfo  # only those who use PostgreSQL wait for it

    return {option.keyword.decode() for option in Conninfo.get_defaults()}


def _shown(url: URL) -> str:
    """Return *url* as it is shown: without user, password and options."""
    return URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


def _postgresql_engines(url: URL) -> tuple[Engine, Engine]:
    """Return the writers' and the readers' engine of a PostgreSQL database."""
    # A holder of a lock is silent for long: keepalives tell both ends early when the other is gone.
    ours = {"connect_timeout": 10, "application_name": "slack-docebo"}
    ours |= {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    engine = create_engine(
        url,
        connect_args={name: value for name, value in ours.items() if name not in url.query},
        hide_parameters=True,
        pool_pre_ping=True,
    )
    return engine, engine.execution_options(**SNAPSHOT)


def _sqlite_engines(path: Path) -> tuple[Engine, Engine]:
    """Return the writers' and the readers' engine of an SQLite database.

    Each has connections of its own: one whose `query_only` is changed prepares all its statements anew
    (OP_Expire in https://github.com/sqlite/sqlite/blob/master/src/pragma.c), a tenth of what a run costs.
    """
    return _sqlite_engine(path, query_only=0), _sqlite_engine(path, query_only=1)


def _sqlite_engine(path: Path, *, query_only: int) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, creator=partial(_connected, path, query_only), hide_parameters=True)
    # Events of the pool alone: one of the engine's would be looked for at each statement, a fifth of what that costs.
    event.listen(engine, "connect", _note_identity)
    event.listen(engine, "checkout", partial(_check_file, str(path)))
    return engine


def _connected(path: Path, query_only: int) -> sqlite3.Connection:
    """Return a new connection to the file; none makes a new, empty one."""
    with translated_files(str(path)):
        if not path.exists():
            raise StorageError(f"{path} was removed while it was in use: restore the file")
    connection = sqlite3.connect(  # mode=rw, for it may be removed only now
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_MS / 1000,
        check_same_thread=False,  # the pool lends it to one thread at a time
        isolation_level=None,  # the driver's own, late BEGIN would let a reader see two moments
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA query_only = {query_only}")
    return connection


def _note_identity(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    record.info["file"] = _identity(connection.execute("PRAGMA database_list").fetchone()[2])


def _check_file(path: str, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Refuse a connection whose file was removed or replaced: SQLite would go on writing to it, and commits be lost."""
    if record.info["file"] != _identity(path):
        raise DisconnectionError


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - for each transaction, of which making a Path would be a twentieth
    except OSError:  # also of a folder that cannot be looked into for a moment: connecting anew tells what is wrong
        return None
    return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    """Begin a transaction that shows one moment of an SQLite database."""
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN")  # by way of SQLAlchemy it would be a third of what a short transaction costs


def _set_synchronous(connection: Connection, synchronous: str) -> None:
    """Set how the commits of this SQLite connection wait for the disk."""
    known = connection.connection.info
    if known.get("synchronous") != synchronous:  # each time would be a third of what a short transaction costs
        connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
        known["synchronous"] = synchronous
