"""An installation for every test that needs one: Prefect server, sandbox, mail server, worker.

Server and worker end with the last of these tests: idle ones would take a tenth of the processor from all others.
"""

import contextlib
import io
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from filelock import FileLock

from deployments.local import DATABASE, QUIET_PREFECT, connection_settings, prefect_server, worker
from sandbox.server import Sandbox
from tests.e2e.prefect_http import prefect_http, start_nothing
from tests.smtp import MailServer, mail_server
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


def run_command(*command: str, cwd: Path) -> str:
    """Run a module with its arguments, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's files, and nothing that was made by using it, in another folder."""
    folder = tmp_path_factory.mktemp("elsewhere") / "clone"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def prefect_deploy(clone: Path) -> Callable[..., None]:
    """Deploy from the clone as `deployments.ready` does, in this process, which has imported Prefect already."""
    from deployments.prefect_command import main  # Prefect is imported with its settings in place

    def run(*which: str) -> None:
        words = ["prefect", "--no-prompt", "deploy", *which]
        printed = io.StringIO()
        with (
            contextlib.chdir(clone),
            contextlib.redirect_stdout(printed),
            patch("sys.argv", words),
            patch("sys.path", [*sys.path]),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        for flow in Path(clone, "flows").glob("*.py"):  # Prefect's loader has them under these names, beside our own
            sys.modules.pop(flow.stem, None)
        assert not ended.value.code, printed.getvalue()

    return run


@pytest.fixture(scope="package")
def deployed(
    prefect_api: str, bootstrap: Callable[..., str], prefect_deploy: Callable[..., None]
) -> Iterator[httpx.Client]:
    """Prefect's API after bootstrap and deploy from the clone; no schedule starts a run in the middle of a test."""
    bootstrap()
    prefect_deploy("--all")
    with prefect_http() as http:
        start_nothing(http)
        yield http


@pytest.fixture(scope="session")
def company() -> Iterator[Sandbox]:
    with Sandbox(users=60, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def mails() -> Iterator[tuple[MailServer, int]]:
    with mail_server() as running:
        yield running


@pytest.fixture(scope="session")
def environment(
    company: Sandbox, mails: tuple[MailServer, int], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What a worker connects with."""
    return {
        **connection_settings(company.facts(), tmp_path_factory.mktemp("data")),
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mails[1]),
        "SMTP_STARTTLS": "false",
        "SMTP_FROM": "sync@example.com",
    }


@pytest.fixture
def empty_database(migrated_sqlite: Path, tmp_path: Path) -> str:
    """The URL of a database where `connection_settings` look for it: a run that made it would take longer than all else."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / DATABASE)}"


@pytest.fixture(scope="package")
def at_work(
    deployed: httpx.Client, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that was started in a folder of its own, and whose folder for temporary files has a long name."""
    temporary = tmp_path_factory.mktemp("too-long-for-the-address-of-a-socket".ljust(108, "-"))
    with worker(tmp_path_factory.mktemp("worker"), env={**environment, "TMPDIR": str(temporary)}) as process:
        yield process


@pytest.fixture(scope="package")
def bootstrap(prefect_api: str) -> Callable[..., str]:
    """Run `deployments.bootstrap` in this process, and return what it prints."""
    from deployments.bootstrap import main  # Prefect is imported with its settings in place

    def run(*arguments: str) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main(arguments) == 0
        return printed.getvalue()

    return run


@contextlib.contextmanager
def tables_of_the_first_server(folder: Path) -> Iterator[None]:
    """Give Prefect's server that starts in *folder*, within the block, the tables that another one has made for a test.

    The first one makes them itself, which takes eight seconds of the processor; the others wait for that.
    """
    database, tables = folder / "prefect" / "prefect.db", Path(tempfile.gettempdir(), "prefect.db")
    with FileLock(tables.with_suffix(".lock")):
        if not tables.exists():
            yield
            with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(tables)) as copy:
                source.backup(copy)
            return
    database.parent.mkdir()
    shutil.copy(tables, database)
    yield


@pytest.fixture(scope="package")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API address of a server with an empty database; this process and the ones it starts talk to it."""
    folder = tmp_path_factory.mktemp("prefect")
    with contextlib.ExitStack() as stack:
        with tables_of_the_first_server(folder):
            clients = stack.enter_context(prefect_server(folder))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        settings = {**QUIET_PREFECT, **clients, "PREFECT_HOME": str(folder / "prefect")}
        for name, value in settings.items():
            patch.setenv(name, value)

        # Prefect read the environment when it was imported, maybe long ago by another test.
        # Imported here and not in a test's coroutine, whose stack is too deep for Python 3.11's parser.
        from prefect.context import refresh_global_settings_context

        import flows.bulk_import  # noqa: F401
        from deployments.shared_certificates import share_certificates

        refresh_global_settings_context()
        share_certificates()
        yield clients["PREFECT_API_URL"]

        # Else they go on sending to a server that is gone, and the process ends a minute later.
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all(timeout=10, at_exit=True)
        EventsWorker.drain_all(timeout=10, at_exit=True)
    refresh_global_settings_context()
