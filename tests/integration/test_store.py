import json
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select, text

from slack_docebo.errors import ConfigurationError, StorageError
from slack_docebo.storage.schema import proven_read, workspace_link
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables
from tests.releases import contract, expand
from tests.waiting import PATIENCE_SECONDS

NOW = datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)


def linked_to(number: int) -> dict[str, object]:
    docebo = f"https://{number}.example.com"
    return {"docebo": docebo, "slack_team": "T1", "slack_team_name": "Example", "pinned_at": NOW}


def link(tables: Tables) -> None:
    tables.connection.execute(insert(workspace_link), linked_to(1))


def linked(store: Store) -> list[str]:
    with store.reading() as tables:
        return list(tables.connection.scalars(select(workspace_link.c.docebo)))


def one_line(raised: pytest.ExceptionInfo[StorageError]) -> str:
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_opening_creates_folder_file_and_tables(tmp_path):
    with Store.open(f"sqlite:///{tmp_path}/a/b/store.db") as store:
        assert linked(store) == []


def test_a_new_file_is_closed_to_other_users(tmp_path):
    Store.open(f"sqlite:///{tmp_path}/store.db").close()

    assert stat.S_IMODE((tmp_path / "store.db").stat().st_mode) == 0o600


def test_sqlite_is_set_up_for_several_processes_and_power_cuts(sqlite_url):
    program = (  # in a process of its own, without tests.quick_stores
        "import json; from sqlalchemy import text; from slack_docebo.storage.store import Store\n"
        f"with Store.open({sqlite_url!r}) as store, store.transaction() as tables:\n"
        "    names = ('journal_mode', 'busy_timeout', 'synchronous', 'foreign_keys')\n"
        "    print(json.dumps({name: tables.connection.scalar(text(f'PRAGMA {name}')) for name in names}))"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout

    assert json.loads(printed) == {
        "journal_mode": "wal",
        "busy_timeout": 30_000,
        "synchronous": 2,
        "foreign_keys": 1,
    }


def test_opening_an_existing_database_keeps_what_is_in_it(database_url):
    with Store.open(database_url) as store, store.transaction() as tables:
        link(tables)

    with Store.open(database_url) as store:
        assert linked(store) == ["https://1.example.com"]


@pytest.mark.long
def test_opening_an_up_to_date_database_does_not_import_alembic_or_prefect(sqlite_url, postgres_url):
    program = (
        "import sys; from slack_docebo.storage.store import Store;"
        "import slack_docebo.storage.mappings, slack_docebo.storage.plans, slack_docebo.storage.gate;"
        f"Store.open({sqlite_url!r}).close(); Store.open({postgres_url!r}).close(); sys.exit('alembic' in sys.modules or 'prefect' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.long
def test_processes_that_open_a_new_database_at_once_all_succeed(empty_url):
    program = f"from slack_docebo.storage.store import Store; Store.open({empty_url!r}).close()"
    processes = [subprocess.Popen([sys.executable, "-W", "error", "-c", program]) for _ in range(2)]

    assert [process.wait(PATIENCE_SECONDS) for process in processes] == [0, 0]


@pytest.mark.long
def test_a_newer_database_that_this_code_can_work_on_is_opened_as_it_is(empty_url):
    Store.open(empty_url).close()
    expand(empty_url)

    with Store.open(empty_url) as store:
        with store.transaction() as tables:
            link(tables)
        assert linked(store) == ["https://1.example.com"]
        with store.reading() as tables:
            assert tables.connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_newer_database_that_needs_newer_code_is_refused_and_left_as_it_is(empty_url):
    Store.open(empty_url).close()
    contract(empty_url)

    for _ in range(2):
        with pytest.raises(StorageError, match=r"newer version of slack-docebo \(revision 9999\): install") as raised:
            Store.open(empty_url)
        assert one_line(raised)


@pytest.mark.variants(2)
@pytest.mark.parametrize("lost", ["DROP TABLE schema_contract", "DELETE FROM schema_contract"])
def test_a_newer_database_that_does_not_say_which_code_it_needs_is_refused(empty_url, lost):
    Store.open(empty_url).close()
    expand(empty_url, lost)

    with pytest.raises(StorageError, match="newer version"):
        Store.open(empty_url)


def test_a_newer_database_in_another_journal_mode_is_put_right_and_opened(sqlite_url):
    expand(sqlite_url)
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()

    with Store.open(sqlite_url) as store, store.reading() as tables:
        assert tables.connection.scalar(text("PRAGMA journal_mode")) == "wal"


def test_a_restored_backup_in_another_journal_mode_is_put_right(sqlite_url):
    path = sqlite_url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()

    with Store.open(sqlite_url) as store, store.reading() as tables:
        assert tables.connection.scalar(text("PRAGMA journal_mode")) == "wal"


def test_a_transaction_that_fails_changes_nothing(store):
    def fail() -> None:
        with store.transaction() as tables:
            link(tables)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert linked(store) == []


def test_reading_sees_one_moment_and_does_not_hold_up_writers(store):
    with store.reading() as tables:
        before = list(tables.connection.scalars(select(workspace_link.c.docebo)))
        with store.transaction() as others:
            link(others)
        after = list(tables.connection.scalars(select(workspace_link.c.docebo)))

    assert before == after == []
    assert linked(store) == ["https://1.example.com"]


def test_reading_cannot_write(store):
    with pytest.raises(StorageError, match="is not writable"), store.reading() as tables:
        link(tables)

    with store.transaction() as tables:
        link(tables)
    assert linked(store) == ["https://1.example.com"]


def test_times_come_back_aware_and_in_utc(store):
    with store.transaction() as tables:
        link(tables)
    with store.reading() as tables:
        pinned_at = tables.connection.scalar(select(workspace_link.c.pinned_at))

    assert pinned_at == NOW
    assert pinned_at.tzinfo is UTC


def test_a_time_without_zone_is_not_accepted(store):
    naive = NOW.replace(tzinfo=None)

    with pytest.raises(StorageError), store.transaction() as tables:
        tables.connection.execute(
            insert(proven_read).values(source="slack:T1", people=1, pages=1, proven_at=naive, flow_run="")
        )


def test_the_shown_url_has_no_password(postgres_url):
    url = postgres_url.replace("postgres@", "postgres:s3cret@") + "?password=s3cret"

    with Store.open(url) as store:
        assert "s3cret" not in store.url
        assert "127.0.0.1" in store.url


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        pytest.param("nonsense", "is not a URL", id="no URL at all"),
        pytest.param("mysql://localhost/store", "must begin with sqlite:/// or postgresql://", id="another database"),
        pytest.param("sqlite://", "must name a file", id="in memory"),
        pytest.param("sqlite:///:memory:", "must name a file", id="in memory by name"),
        pytest.param("sqlite://me:pl4nted@/x.db", "must name a file", id="a file with a login"),
        pytest.param("sqlite:///x.db?pasword=pl4nted", "must name a file", id="a file with options"),
        pytest.param("sqlite:///x.db?plugin=pl4nted", "must name a file", id="a file with code"),
        pytest.param("postgresql://me:a@pl4nted@host/db", "more than one @", id="@ in the password"),
        pytest.param("postgresql://me:a@b/pl4nted@host/db", "more than one @", id="@ and / in the password"),
        pytest.param("postgresql://me:a@b?pl4nted@host/db", "more than one @", id="@ and ? in the password"),
        pytest.param("postgresql://me:a@b:pl4nted@host/db", "is not a URL", id="@ and : in the password"),
        pytest.param("postgresql://me:pl4nted/db", "is not a URL", id="no host"),
        pytest.param("postgresql://me:pl4nted", "is not a URL", id="no host and no database"),
        pytest.param("postgresql://me:pl4nted@host:x/db", "is not a URL", id="a port that is none"),
        pytest.param("postgresql://me:pl4nted@[::1:9/db", "is not a URL", id="half an IPv6 address"),
        pytest.param("postgresql://host/db?pasword=pl4nted", "does not know", id="a misspelt option"),
        pytest.param("postgresql://host/db?plugin=pl4nted", "does not know", id="an option of SQLAlchemy"),
        pytest.param("postgresql+asyncpg://me:pl4nted@host/db", "must begin with", id="another driver"),
        pytest.param("jdbc:postgresql://host/db?password=pl4nted", "is not a URL", id="Java's"),
        pytest.param("host=127.0.0.1 password=pl4nted", "is not a URL", id="libpq's words"),
        pytest.param('"postgresql://me:pl4nted@host/db"', "is not a URL", id="in quotes"),
        pytest.param("pl4nted://host/db", "must begin with", id="something else in front"),
    ],
)
@pytest.mark.variants(11)
def test_a_url_that_cannot_work_is_told_in_one_line_that_quotes_nothing_of_it(url, advice):
    with pytest.raises(ConfigurationError, match=advice) as raised:
        Store.open(url)

    assert "pl4nted" not in str(raised.value)
    assert raised.value.__suppress_context__ or not raised.value.__context__  # nor does a traceback show the parser


@pytest.mark.parametrize(
    ("login", "options"), [("pl4nted", ""), ("me:pl4nted", ""), ("me", "&password=pl4nted"), ("me", "&sslmode=pl4nted")]
)
def test_a_server_that_refuses_is_shown_as_host_and_database_only(postgres_server, login, options):
    url = f"postgresql://{login}@127.0.0.1:9/nowhere?connect_timeout=1{options}"
    for shown in (
        url,
        postgres_server.url("nowhere").replace("postgres@", f"{login}@") + f"?connect_timeout=1{options}",
    ):
        with pytest.raises(StorageError) as raised:
            Store.open(shown)

        assert "pl4nted" not in str(raised.value)
        assert "/nowhere" in str(raised.value)


def test_a_server_that_is_down_is_told_in_one_line(tmp_path):
    with pytest.raises(StorageError, match=r"cannot be reached: check DATABASE_URL") as raised:
        Store.open("postgresql://ada:s3cret@127.0.0.1:1/store")

    assert "s3cret" not in one_line(raised)


def test_a_database_that_does_not_exist_is_told_in_one_line(postgres_server):
    with pytest.raises(StorageError, match=r"check the name in DATABASE_URL") as raised:
        Store.open(postgres_server.url("nowhere"))

    assert one_line(raised)


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path):
    (tmp_path / "store.db").write_text("Dear diary, " * 100)

    with pytest.raises(StorageError, match="is not an SQLite database: check DATABASE_URL") as raised:
        Store.open(f"sqlite:///{tmp_path}/store.db")
    assert one_line(raised)


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(StorageError, match="cannot be used: check its folder") as raised:
        Store.open(f"sqlite:///{tmp_path}/file/store.db")
    assert one_line(raised)


def test_a_full_disk_is_told_in_one_line(sqlite_url):
    with Store.open(sqlite_url) as store:
        with store.transaction() as tables:
            tables.connection.execute(text("PRAGMA max_page_count = 1"))  # of the one connection that writers have
        with (
            pytest.raises(StorageError, match="no space left: free disk space") as raised,
            store.transaction() as tables,
        ):
            tables.connection.execute(insert(workspace_link), [linked_to(number) for number in range(1000)])

    assert one_line(raised)


def test_a_database_that_stays_locked_is_told_in_one_line(sqlite_url):
    with Store.open(sqlite_url) as store:
        with store.transaction() as tables:
            tables.connection.execute(text("PRAGMA busy_timeout = 1"))  # of the one connection in the pool
        locker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="stayed locked by another process") as raised, store.transaction():
            pass
        locker.close()

    assert one_line(raised)


def test_a_folder_that_cannot_be_looked_into_for_a_moment_is_told_in_one_line(tmp_path):
    folder, aside = tmp_path / "data", tmp_path / "aside"
    with Store.open(f"sqlite:///{folder}/store.db") as store:
        assert linked(store) == []
        folder.rename(aside)
        folder.write_text("")  # as root, to whom no rights are denied, has it
        with pytest.raises(StorageError, match="restore the file") as raised:
            linked(store)
        folder.unlink()
        aside.rename(folder)

        assert one_line(raised)
        assert linked(store) == []


def test_a_missing_table_is_told_in_one_line(store):
    with pytest.raises(StorageError, match="check") as raised, store.transaction() as tables:
        tables.connection.execute(text("SELECT * FROM nowhere"))

    assert one_line(raised)


def test_the_values_of_a_refused_row_are_told_nowhere(store):
    row = {"docebo": "https://lms.example.com", "team": "T1", "name": "Ada Lovelace"}
    statement = text("INSERT INTO workspace_link (docebo, slack_team, slack_team_name) VALUES (:docebo, :team, :name)")

    with pytest.raises(StorageError) as raised, store.transaction() as tables:
        tables.connection.execute(statement, row)

    assert "Ada" not in one_line(raised)
    assert raised.value.__suppress_context__  # PostgreSQL's own text shows the row
    assert raised.value.__cause__ is None


def test_a_server_that_restarts_is_found_again(postgres_url):
    with Store.open(postgres_url) as store:
        assert linked(store) == []
        with (
            pytest.raises(StorageError, match="terminating connection"),
            store.transaction() as tables,
        ):
            tables.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        assert linked(store) == []
