"""Databases and folders for every test that needs one."""

import gc
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import httpx
import hypothesis.internal.conjecture.optimiser  # imported late, deep down, CPython 3.11's parser may be out of step
import pytest

from slack_docebo.storage.store import Store
from tests.left_behind import FOLDERS, KEPT, MARK, leave_nothing_behind
from tests.memory import folder_in_memory
from tests.postgresql import PostgresServer, running_server
from tests.prompt_servers import prompt_servers
from tests.quick_stores import quick_stores
from tests.waiting import PATIENCE_SECONDS

# Time is no measure here: other work on the machine makes anything slow.
PATIENT = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
# `make test` draws the same examples each time: half as many as usual, and `make test-long` draws new ones.
hypothesis.settings.register_profile("fixed", max_examples=50, derandomize=True, database=None, **PATIENT)
hypothesis.settings.register_profile("exploring", print_blob=True, **PATIENT)
hypothesis.settings.load_profile("fixed")


# How long one part of us waits for another, for the sake of who waits for it.
BOUNDS = (
    *(f"slack_docebo.webhook.reception.{whom}_SECONDS" for whom in ("PREFECT", "CALL", "STORE")),
    "slack_docebo.webhook.writer.PATIENCE_SECONDS",
    *(f"slack_docebo.webhook.app.{bound}" for bound in ("BODY_SECONDS", "REFUSED_BODY_SECONDS")),
    "slack_docebo.cli.prefect_variables.PREFECT_SECONDS",
    "sandbox.slack.events.ACKNOWLEDGED_WITHIN",
    *(f"httpx._config.DEFAULT_TIMEOUT_CONFIG.{step}" for step in ("connect", "read", "write", "pool")),
)
LONGEST_FIRST = ("e2e", "simulation", "integration", "contract", "unit")


def pytest_configure() -> None:
    """Keep in memory what this process and the ones it starts write; neither it nor they stay, however the tests end."""
    if MARK in os.environ:
        return  # we are one of those that share the work, marked ourselves, and write where we are told to
    folder = Path(tempfile.mkdtemp(prefix=FOLDERS, dir=folder_in_memory()))
    folder.chmod(0o755)  # PostgreSQL's own user has to come through
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    leave_nothing_behind(folder)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let stay what tests have written that failed: to be looked at, once all processes are done with it."""
    if session.testsfailed and "PYTEST_XDIST_WORKER" not in os.environ:
        Path(tempfile.gettempdir(), KEPT).touch()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Let no collection look at what stays until the end, thousands of tests and what they import: a tenth of all time."""
    gc.disable()  # nothing of it is garbage
    try:
        return (yield)
    finally:
        gc.freeze()
        # What a test makes is small: to look for garbage took a twentieth of all time.
        gc.set_threshold(20_000, 50, 100)
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[pytest.CollectReport]:
    """Let each of the processes that share the work begin with other files.

    Else all of them compile, in a fresh checkout, the same file at the same moment: so each reads what another compiled.
    """
    report = yield
    if isinstance(collector, pytest.Directory) and "PYTEST_XDIST_WORKER" in os.environ:
        number, of = (int(os.environ[f"PYTEST_XDIST_{name}"].removeprefix("gw")) for name in ("WORKER", "WORKER_COUNT"))
        first = len(report.result) * number // of
        report.result = [*report.result[first:], *report.result[:first]]
    return report


@pytest.hookimpl(tryfirst=True)  # before the marks and the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file on one of the processes that share the work, and all files that need Prefect's server on two.

    Those that need its worker, too, are together: once that was started, it asks the server every second. What takes long
    comes first, so that all processes are done at about the same time.
    """
    seen = Counter[tuple[Path, str]]()
    for item in items:
        if (variants := item.get_closest_marker("variants")) and isinstance(item, pytest.Function):
            test = item.path, item.originalname
            if seen[test] >= variants.args[0]:
                item.add_marker("long")
            seen[test] += 1
    groups: dict[Path, str] = {}
    for item in items:
        fixtures = item.fixturenames if isinstance(item, pytest.Function) else ()
        if "prefect_api" in fixtures:
            groups.setdefault(item.path, "prefect")
        if "at_work" in fixtures and not item.get_closest_marker("long"):
            groups[item.path] = "prefect and its worker"
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups.get(item.path, str(item.path))))

    def place(item: pytest.Item) -> tuple[str, int, Path]:
        kind = LONGEST_FIRST.index(item.path.parent.name)
        return groups.get(item.path, "without"), kind, item.path

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_in_the_checkout() -> Iterator[None]:
    """No test writes where an installation in this checkout keeps its data; seen where there is none yet, as in CI."""
    data = Path(__file__).parents[1] / "var"
    was_there = data.exists()
    yield
    assert was_there or not data.exists(), f"a test has left {sorted(data.rglob('*'))}"


@pytest.fixture(scope="session", autouse=True)
def certificates_are_read_once() -> Iterator[None]:
    """Else httpx reads them for each client, which takes a third of a test's time and is needed by none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def a_part_that_is_late_is_waited_for() -> Iterator[None]:
    """Nothing is told to be down because the machine is busy: a test about waiting in vain sets its own bound."""
    from deployments.connections import PATIENCE  # by now the webhook is imported anyway

    with pytest.MonkeyPatch.context() as patch:
        for bound in BOUNDS:
            patch.setattr(bound, PATIENCE_SECONDS)
        for stage in PATIENCE:
            patch.setitem(PATIENCE, stage, PATIENCE_SECONDS)
        yield


@pytest.fixture(scope="session", autouse=True)
def stores_are_quick() -> Iterator[None]:
    with quick_stores():
        yield


@pytest.fixture(scope="session", autouse=True)
def servers_are_prompt() -> Iterator[None]:
    with prompt_servers():
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> str:
    """The name of the migrated database that tests use one after the other."""
    name = postgres_server.create_database()
    Store.open(postgres_server.url(name)).close()
    return name


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A migrated, empty SQLite database."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'store.db')}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, migrated_postgres: str) -> Iterator[str]:
    """A migrated, empty PostgreSQL database."""
    yield postgres_server.url(migrated_postgres)
    postgres_server.empty_tables(migrated_postgres)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database, of each kind in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def usual_database_url(request: pytest.FixtureRequest) -> str:
    """Likewise, for what lies far above the database: `make test` takes PostgreSQL for the tests that are ON_BOTH only."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is no table yet, for each kind of database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'store.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that others may enter: pytest closes the one above its own each time somebody starts it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
