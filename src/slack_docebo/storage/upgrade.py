"""Bringing a database to the newest revision, once, however many processes open it at the same moment."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from slack_docebo.errors import StorageError
from slack_docebo.private_files import FILE_MODE, close_to_others
from slack_docebo.storage.locks import advisory_key
from slack_docebo.storage.migrations import HEAD

PATIENCE = 120  # seconds another process may take to migrate
SCRIPTS = Path(__file__).parent / "migrations"


def is_current(engine: Engine) -> bool:
    """Tell whether there is nothing to do; needs no Alembic, which takes long to import."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite" and connection.scalar(text("PRAGMA journal_mode")) != "wal":
            return False
        return revision(connection) == HEAD


def revision(connection: Connection) -> str | None:
    """Return the revision the database is at, or None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def upgrade(engine: Engine, *, name: str, lock_file: Path | None) -> None:
    """Create or migrate the tables; a database of a newer version is refused.

    Processes take turns: with *lock_file* beside an SQLite database, with an advisory lock in PostgreSQL.
    """
    if lock_file is None:
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": advisory_key("migrate")})
            _migrate(connection, name)
        return

    from filelock import FileLock, Timeout

    close_to_others(lock_file)
    try:
        with FileLock(lock_file, timeout=PATIENCE, fallback_to_soft=False, mode=FILE_MODE):
            with engine.connect().execution_options(sqlite_begin="") as connection:
                connection.scalar(text("PRAGMA journal_mode = WAL"))  # to its end: left open it would hold up COMMIT
            with engine.begin() as connection:
                _migrate(connection, name)
    except Timeout as error:
        raise StorageError(
            f"{name} is being migrated by another process for more than {PATIENCE} s: find out why, then run again"
        ) from error


def _migrate(connection: Connection, name: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    found = revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StorageError(f"{name} is of a newer version of slack-docebo (revision {found}): install that version")
    if found != HEAD:
        command.upgrade(config, HEAD)
