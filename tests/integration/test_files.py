"""What an installation writes: for its owner only, never through a link, never over what is not ours."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.people import Mapping, PeopleShown
from slack_docebo.engine.mappings.mapping_file import write_mappings
from slack_docebo.engine.reporting.files import ReportFiles, write_files, write_orphans
from slack_docebo.engine.reporting.orphans import Orphan, OrphanKind
from slack_docebo.engine.reporting.summary import summary
from slack_docebo.errors import AlreadyRunning, StorageError
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.mappings import MappingRecord
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.store import Store
from tests.importing import run_import, settings_for
from tests.integration import commands

NOW = datetime(2026, 3, 4, tzinfo=UTC)
ADA = MappingRecord(Mapping("U1", "T1", "ada", 7), 0, NOW, NOW)


@contextmanager
def under(umask: int) -> Iterator[None]:
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> dict[str, str]:
    found = {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}
    return {name: oct(mode) for name, mode in found.items() if mode & 0o077}


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file of somebody else's, to which links lead."""
    path = tmp_path / "precious"
    path.write_text("precious")
    return path


@pytest.fixture
def planned(sqlite_url: str) -> Iterator[Store]:
    with Store.open(sqlite_url) as store:
        with store.transaction() as tables:
            tables.plans.create(
                Plan("1abc", PlanKind.BULK_IMPORT, NOW, docebo="https://lms.example.com", slack_team="T1")
            )
        yield store


@pytest.mark.long
async def test_whatever_the_umask_an_import_leaves_nothing_that_others_can_read(tmp_path):
    with Sandbox(users=20, docebo_users=0, rate_limits=False) as sandbox, under(0o000):
        url = f"sqlite:///{tmp_path}/data/store.db"
        settings = settings_for(sandbox.facts(), url, report_dir=tmp_path / "out" / "reports")
        plan_id = (await run_import(settings)).plan.id
        with Store.open(url) as store, store.transaction():
            written = write_files(store, plan_id, settings.report_dir).written
            held = store.lock("import")
            assert held.try_acquire()
            beside = {path.suffix for path in (tmp_path / "data").iterdir()}
            assert beside == {".db", ".db-wal", ".db-shm", ".lock"}
            assert open_to_others(tmp_path) == {}
            held.release()
        exported = commands.run(
            commands.environment(sandbox.facts(), url, tmp_path),
            "mappings",
            "export",
            str(tmp_path / "new" / "all.csv"),
        )

    assert exported.returncode == 0
    assert all(path.exists() for path in [*written, tmp_path / "new" / "all.csv"])
    assert open_to_others(tmp_path) == {}


def test_what_an_earlier_release_or_a_copied_backup_left_open_is_closed(sqlite_url, tmp_path):
    with Store.open(sqlite_url) as writing, writing.transaction():
        lock = writing.lock("import")
        assert lock.try_acquire()
        lock.release()
        loose = [path for path in tmp_path.iterdir() if path.is_file()]
        assert len(loose) == 4
        for path in loose:
            path.chmod(0o644)
        with Store.open(sqlite_url) as store:
            store.lock("import")
    assert open_to_others(tmp_path) == {}


def test_a_database_may_be_a_link_that_was_set_for_it(sqlite_url, tmp_path):
    real = tmp_path / "store.db"
    real.chmod(0o644)
    (tmp_path / "link.db").symlink_to(real)
    Store.open(f"sqlite:///{tmp_path}/link.db").close()
    assert open_to_others(tmp_path).keys() == {"link.db"}  # a link's own mode means nothing


def test_a_database_is_not_made_through_a_link(tmp_path):
    (tmp_path / "store.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StorageError, match="is a link to a file that is missing"):
        Store.open(f"sqlite:///{tmp_path}/store.db")
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_database_is_not_made_through_a_folder_that_is_missing(tmp_path):
    (tmp_path / "data").symlink_to(tmp_path / "not mounted")
    with pytest.raises(StorageError, match="data is a link to a file that is missing"):
        Store.open(f"sqlite:///{tmp_path}/data/a/store.db")
    assert not (tmp_path / "not mounted").exists()


def test_a_link_that_leads_to_itself_is_told(tmp_path):
    (tmp_path / "store.db").symlink_to("store.db")
    with pytest.raises(StorageError, match="is a link to a file that is missing"):
        Store.open(f"sqlite:///{tmp_path}/store.db")


def by_link(folder: Path) -> str:
    (folder / "link.db").symlink_to("real/store.db")
    return f"{folder}/link.db"


def by_link_to_its_folder(folder: Path) -> str:
    (folder / "link").symlink_to("real")
    return f"{folder}/link/store.db"


def by_links_in_a_row(folder: Path) -> str:
    (folder / "last").symlink_to(folder / "real")
    (folder / "link.db").symlink_to("last/store.db")
    return f"{folder}/link.db"


@pytest.mark.parametrize(
    "way",
    [
        by_link,
        by_link_to_its_folder,
        by_links_in_a_row,
        lambda _: "real/store.db",
        lambda _: "real/../real/./store.db",
        lambda folder: f"{folder}//real/../real/store.db",
    ],
    ids=["link", "folder", "links", "relative", "dots", "absolute dots"],
)
@pytest.mark.variants(1)
def test_a_database_reached_by_two_paths_is_one(tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    real = tmp_path / "real" / "store.db"
    with (
        Store.open(f"sqlite:///{real}") as one,
        Store.open(f"sqlite:///{way(tmp_path)}") as other,
        RunLock(one, "https://lms.example.com", "bulk-import"),
        pytest.raises(AlreadyRunning),
    ):
        RunLock(other, "https://lms.example.com", "bulk-import").acquire()
    assert {path.parent for path in tmp_path.rglob("*.lock")} == {real.parent}


def test_a_database_with_a_second_name_that_is_no_link_is_refused(sqlite_url, tmp_path):
    (tmp_path / "second.db").hardlink_to(tmp_path / "store.db")
    for url in (sqlite_url, f"sqlite:///{tmp_path}/second.db"):
        with pytest.raises(StorageError, match=r"has a second name \(a hard link\).*: remove that name"):
            Store.open(url)
    (tmp_path / "second.db").unlink()
    Store.open(sqlite_url).close()


def test_a_lock_is_not_taken_through_a_link(planned, tmp_path, precious):
    lock = planned.lock("import")
    lock.try_acquire()
    lock.release()
    (file,) = tmp_path.glob("store.db.*.lock")
    file.unlink()
    file.symlink_to(precious)

    with pytest.raises(StorageError, match="remove the link"):
        planned.lock("import").try_acquire()
    assert precious.read_text() == "precious"


def test_a_report_is_written_again_over_its_own_files(planned, tmp_path):
    first = write_files(planned, "1abc", tmp_path / "reports")
    assert write_files(planned, "1abc", tmp_path / "reports") == first
    assert [path.name for path in first.written] == ["1abc.csv", "1abc.json"]
    assert sorted((tmp_path / "reports").iterdir()) == sorted(first.written)


def test_a_report_whose_place_is_taken_says_so_and_the_rest_is_written(planned, tmp_path, precious):
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "1abc.csv").symlink_to(precious)

    files = write_files(planned, "1abc", folder)

    assert precious.read_text() == "precious"
    assert files.written == (folder / "1abc.json",)
    found, missing = files.lines
    assert found == f"The full list, on the worker's disk: `{folder}/1abc.json`"
    assert missing.startswith(f"`{folder}/1abc.csv` was not written: something that is not a file of ours is there")


def test_a_report_folder_that_is_a_file_does_not_end_a_run(planned, precious):
    files = write_files(planned, "1abc", precious)

    assert precious.read_text() == "precious"
    assert files == ReportFiles((), files.faults)
    assert len(files.faults) == 2
    assert all("REPORT_DIR" in fault for fault in files.faults)


async def test_orphans_are_counted_also_where_their_list_cannot_be_written(planned, tmp_path, precious):
    found = [Orphan(OrphanKind.ACCOUNT, "nobody"), Orphan(OrphanKind.ACCOUNT, "nobody")]
    (tmp_path / "list.csv").symlink_to(precious)

    counts, fault = write_orphans(iter(found), tmp_path / "list.csv", PeopleShown.IDS)

    assert counts == {OrphanKind.ACCOUNT: 2}
    assert "list.csv` was not written" in fault
    assert precious.read_text() == "precious"
    with planned.transaction() as tables:
        facts = {"orphans": counts, "orphan_fault": fault}
        tables.plans.set_state("1abc", tables.plans.read("1abc").state, facts=facts)
    assert fault in summary(planned, "1abc").markdown()


@pytest.mark.parametrize("path", ["taken.csv", "link.csv", "dangling.csv", "/dev/stdout"])
def test_an_export_is_written_over_nothing(path, tmp_path, precious, capsys):
    (tmp_path / "taken.csv").write_text("precious")
    (tmp_path / "link.csv").symlink_to(precious)
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "missing")

    with pytest.raises(StorageError, match="is there already: name another file"):
        write_mappings(tmp_path / path, [ADA])
    assert [precious.read_text(), (tmp_path / "taken.csv").read_text()] == ["precious", "precious"]
    assert not (tmp_path / "missing").exists()
    assert capsys.readouterr().out == ""


def test_an_export_into_a_folder_that_is_a_file_says_so(precious):
    with pytest.raises(StorageError, match=r"below/all.csv cannot be written: Not a directory"):
        write_mappings(precious / "below" / "all.csv", [ADA])
    assert precious.read_text() == "precious"


def test_an_export_does_not_care_for_a_file_named_like_its_draft(tmp_path, precious):
    (tmp_path / "all.csv.part").symlink_to(precious)
    assert write_mappings(tmp_path / "all.csv", [ADA]) == 1
    assert precious.read_text() == "precious"
    assert (tmp_path / "all.csv.part").is_symlink()
