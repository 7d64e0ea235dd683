"""Our database, restored from a backup that is older than what was done since: as docs/backup.md has it done."""

import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from slack_docebo.integration_settings import read_rows, rows_from_csv, table
from slack_docebo.storage.store import Store
from tests.documented import ROOT
from tests.importing import ON, run_import, settings_for
from tests.integration.commands import environment, run
from tests.postgresql import PostgresServer, programs

Backup = Callable[[], Callable[[], str]]

RESTORING = ("mkdir former", "mv slack-docebo.db* former", "cp kept.db slack-docebo.db")


@pytest.fixture
def company() -> Iterator[Sandbox]:
    with Sandbox(users=20, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def backup(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Backup:
    """Back the database up when called, and return how it is restored: to a new one, whose address that returns."""
    if database_url.startswith("sqlite"):
        return lambda: sqlite_backup(database_url, tmp_path)
    return lambda: postgresql_backup(database_url, request.getfixturevalue("postgres_server"), tmp_path)


def sqlite_backup(url: str, folder: Path) -> Callable[[], str]:
    kept = folder / "kept.db"
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as here, closing(sqlite3.connect(kept)) as there:
        here.backup(there)  # what `.backup` is
    return lambda: f"sqlite:///{shutil.copy(kept, folder / 'restored.db')}"


def postgresql_backup(url: str, server: PostgresServer, folder: Path) -> Callable[[], str]:
    kept = folder / "kept.dump"
    subprocess.run([programs() / "pg_dump", "--format=custom", f"--file={kept}", url], check=True)

    def restore() -> str:
        name = server.create_database()
        restored = server.url(name)
        subprocess.run([programs() / "pg_restore", "--exit-on-error", f"--dbname={restored}", kept], check=True)
        return restored

    return restore


def addresses(company: Sandbox) -> Counter[str]:
    return Counter(account.email for account in company.docebo.accounts)


@pytest.mark.long
async def test_what_was_done_since_the_backup_is_found_and_not_done_twice(company, database_url, backup, tmp_path):
    settings = settings_for(company.facts(), database_url, report_dir=tmp_path)
    await run_import(settings)
    restore = backup()
    newcomer = company.slack.add("Ada", "Lovelace", "ada@example.com")
    company.slack.change(company.slack.of_kind("member")[0]["id"], {"profile": {"last_name": "Since"}})
    await run_import(settings)
    before = addresses(company)

    restored = settings_for(company.facts(), restore(), report_dir=tmp_path)
    first = await run_import(restored)
    second = await run_import(restored)

    assert addresses(company) == before
    assert before["ada@example.com"] == 1
    with Store.of(restored) as store, store.reading() as tables:
        mapped = tables.mappings(company.docebo_url).of(newcomer["team_id"], [newcomer["id"]])
    assert list(mapped) == [newcomer["id"]]
    assert "map" in first.line
    assert f": {len(company.slack)} left alone" in second.line


@pytest.mark.long
def test_changes_of_before_a_crash_do_not_damage_a_database_that_is_restored_as_the_page_says(tmp_path):
    database, killed = tmp_path / "slack-docebo.db", tmp_path / "killed"
    killed.mkdir()
    with Store.open(f"sqlite:///{database}") as store:
        change(store, range(200))
        sqlite_backup(f"sqlite:///{database}", killed)
        change(store, range(200, 800))
        for file in tmp_path.glob(f"{database.name}*"):  # what is there when somebody is killed now
            shutil.copy(file, killed)
    assert (killed / f"{database.name}-wal").stat().st_size

    subprocess.run(" && ".join(RESTORING), shell=True, cwd=killed, check=True)

    assert all(f"$ {command}\n" in (ROOT / "docs" / "backup.md").read_text() for command in RESTORING)
    with closing(sqlite3.connect(killed / database.name)) as restored:
        assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert restored.execute("SELECT count(*) FROM halt").fetchone() == (200,)


def change(store: Store, numbers: Iterable[int]) -> None:
    for number in numbers:
        with store.transaction(durable=False) as tables:
            tables.halts.stop(f"https://{number}.example.com", "why " * 100, now=datetime.now(UTC))


async def test_the_table_of_settings_comes_back_out_of_our_database_alone(company, sqlite_url, tmp_path):
    rows = {"LEAVERS": "unmap", "LIMIT_CREATIONS": "7%", "PROTECTED_ACCOUNTS": "ceo@example.com, *@board.example.com"}
    done = await run_import(settings_for(company.facts(), sqlite_url), rows=rows, dry_run=True)
    env = environment(company.facts(), sqlite_url, tmp_path)  # Prefect is out of reach

    newest = run(env, "settings", "export", str(tmp_path / "newest.csv"))
    named = run(env, "settings", "export", str(tmp_path / "named.csv"), "--plan", done.plan.id)
    again = run(env, "settings", "export", str(tmp_path / "named.csv"), "--plan", done.plan.id)

    assert (newest.returncode, named.returncode, again.returncode) == (0, 0, 2), newest.stderr + named.stderr
    assert "fill in NOTIFICATION_MAIL_ID" in newest.stderr
    assert "is there already" in again.stderr
    loaded = {row["key"]: row["value"] for row in rows_from_csv((tmp_path / "newest.csv").read_text())}
    assert read_rows(table({"NOTIFICATION_MAIL_ID": "", **loaded})) == read_rows(table({**ON, **rows}))
    assert (tmp_path / "named.csv").read_text() == (tmp_path / "newest.csv").read_text()
    assert (tmp_path / "named.csv").stat().st_mode & 0o077 == 0
