"""Bringing a database to the newest revision, once, however many processes open it at the same moment."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from slack_docebo.errors import StorageError
from slack_docebo.private_files import FILE_MODE, close_to_others
from slack_docebo.storage.locks import take_turns
from slack_docebo.storage.migrations import HEAD

PATIENCE = 120  # seconds another process may take to migrate
REVISION = text("SELECT version_num FROM alembic_version")
SCRIPTS = Path(__file__).parent / "migrations"


def is_usable(engine: Engine) -> bool:
    """Tell whether this code can work on the database as it is; needs no Alembic, which takes long to import."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite" and connection.scalar(text("PRAGMA journal_mode")) != "wal":
            return False
        try:
            found = connection.scalar(REVISION)  # to look first for the table would take longer than all the rest
        except (OperationalError, ProgrammingError):
            return False
        return _can_work_at(connection, found)


def revision(connection: Connection) -> str | None:
    """Return the revision the database is at, or None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(REVISION)
    return found


def upgrade(engine: Engine, *, name: str, lock_file: Path | None) -> None:
    """Create or migrate the tables; a newer database is left as it is, and refused where this code cannot work on it.

    Processes take turns: with *lock_file* beside an SQLite database, with an advisory lock in PostgreSQL.
    """
    if lock_file is None:
        with engine.begin() as connection:
            take_turns(connection, "migrate", patience=f"{PATIENCE}s")
            _migrate(connection, name)
        return

    from filelock import FileLock, Timeout

    close_to_others(lock_file)
    try:
        with (
            FileLock(lock_file, timeout=PATIENCE, fallback_to_soft=False, mode=FILE_MODE),
            engine.begin() as connection,
        ):
            connection.scalar(text("PRAGMA journal_mode = WAL"))  # to its end: left open it would hold up COMMIT
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _migrate(connection, name)
    except Timeout as error:
        raise StorageError(
            f"{name} is being migrated by another process for more than {PATIENCE} s: find out why, then run again"
        ) from error


def _migrate(connection: Connection, name: str) -> None:
    found = revision(connection)
    if _can_work_at(connection, found):
        return
    if _is_newer(found):
        raise StorageError(f"{name} is of a newer version of slack-docebo (revision {found}): install that version")

    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _can_work_at(connection: Connection, found: str | None) -> bool:
    """Tell whether *found* is our revision, or a newer one whose migrations have left what our code needs."""
    if not _is_newer(found):
        return found == HEAD
    if not inspect(connection).has_table("schema_contract"):
        return False
    oldest = connection.scalar(text("SELECT oldest FROM schema_contract"))
    return oldest is not None and oldest <= HEAD


def _is_newer(found: str | None) -> bool:
    return found is not None and found > HEAD  # revisions are numbers of four digits
