"""A PostgreSQL server for the tests: real, empty, private to one test session."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from deployments.local import free_port
from tests.waiting import PATIENCE_SECONDS, until

USER = "postgres"
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=4GB", "shared_buffers=64MB")
IN_ITS_FOLDER = "dynamic_shared_memory_type=mmap"  # else a server that is killed leaves it in the machine's memory
EMPTY_TABLES = """
DO $$ DECLARE name text; BEGIN
    PERFORM pg_terminate_backend(pid, 180000) FROM pg_stat_activity  -- and wait for their ends, for they may hold locks
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR name IN SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'schema_contract') LOOP
        EXECUTE 'DELETE FROM ' || quote_ident(name);  -- of few rows faster than TRUNCATE
    END LOOP;
END $$
"""


class PostgresServer:
    """A running server that hands out databases."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = count(1)

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self._port}/{database}"

    def create_database(self, copy_of: str = "template1") -> str:
        """Create a database, empty or a copy of one that nobody uses at the moment, and return its name."""
        name = f"test_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {copy_of}")
        return name

    def drop_database(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def empty_tables(self, name: str) -> None:
        """Put out whoever is still connected, and empty all tables but those that tell its revision.

        That is much faster than a new database.
        """
        self._run(EMPTY_TABLES, name)

    def answers(self) -> bool:
        try:
            self._run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server in a temporary folder, and stop and remove it at the end."""
    installed = programs()
    user = _unprivileged_user()
    # Not pytest's own folder: that one is closed to the user the server runs as.
    with tempfile.TemporaryDirectory(prefix="slack-docebo-postgresql-") as temporary:
        folder = Path(temporary)
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        subprocess.run(
            [
                installed / "initdb",
                "-D",
                data,
                "-U",
                USER,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            user=user,
            cwd=folder,
        )
        port = free_port()
        settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", IN_ITS_FOLDER, *FAST]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [installed / "postgres", "-D", data, "-p", str(port), *(f"-c{setting}" for setting in settings)],
                stdout=log,
                stderr=log,
                user=user,
                cwd=folder,
            )
        try:
            server = PostgresServer(port)
            _wait_for(server, process, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # "fast shutdown": does not wait for clients
            process.wait(PATIENCE_SECONDS)


def programs() -> Path:
    """Return the folder of PostgreSQL's programs."""
    on_path = shutil.which("initdb")
    found = [Path(on_path)] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise RuntimeError("PostgreSQL is not installed: run scripts/install-programs")
    return found[-1].resolve().parent


def _unprivileged_user() -> str | None:
    """Return the user to run the server as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _wait_for(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    def has_started() -> bool:
        assert process.poll() is None, log.read_text()
        return server.answers()

    until(has_started, log.read_text)
