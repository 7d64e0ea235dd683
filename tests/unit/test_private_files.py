"""Files of ours: for their owner only, in full or not at all, never through a link, never over what is there."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slack_docebo.private_files import make_folder, new_file, open_own, open_to_others, rewritten_file

WRITERS = pytest.mark.parametrize("write", [new_file, rewritten_file])


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@WRITERS
def test_a_file_and_the_folders_made_for_it_are_for_their_owner_only(write, tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new" / "folder" / "plan.csv"
    with write(path) as out:
        out.write("héllo\r\n")
    assert path.read_bytes() == "héllo\r\n".encode()
    assert [mode(path), mode(path.parent), mode(path.parent.parent)] == [0o600, 0o700, 0o700]
    assert list(path.parent.iterdir()) == [path]


@WRITERS
def test_a_file_has_its_name_only_when_it_is_written_to_its_end(write, tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"

    def fail_halfway() -> None:
        with write(path) as out:
            out.write("half")
            out.flush()
            assert not path.exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []


@WRITERS
def test_a_process_that_is_killed_halfway_leaves_nothing_under_the_name(write, tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    script = (
        f"import os, signal, sys; from pathlib import Path; from slack_docebo.private_files import {write.__name__}\n"
        f"with {write.__name__}(Path(sys.argv[1])) as out:\n"
        "    out.write('half'); out.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], timeout=30, check=False)
    assert done.returncode == -9
    assert not path.exists()
    (left,) = tmp_path.iterdir()
    assert mode(left) == 0o600
    with write(path) as out:  # what the dead one left is in nobody's way
        out.write("whole")
    assert path.read_text() == "whole"


def lay_file(path: Path, outside: Path) -> None:
    path.write_text("precious")


def lay_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def lay_dangling_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside.with_name("missing"))


def lay_second_name(path: Path, outside: Path) -> None:
    path.hardlink_to(outside)


def lay_folder(path: Path, outside: Path) -> None:
    path.mkdir()


def lay_pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


FOREIGN = [lay_link, lay_dangling_link, lay_second_name, lay_folder, lay_pipe]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.write_text("precious")
    return path


@pytest.mark.parametrize(
    ("write", "lay"), [(new_file, lay) for lay in [lay_file, *FOREIGN]] + [(rewritten_file, lay) for lay in FOREIGN]
)
@pytest.mark.parametrize("late", [False, True])
def test_what_is_there_stays_as_it_is(write, lay, late: bool, tmp_path: Path, outside: Path) -> None:
    path = tmp_path / "folder" / "plan.csv"
    path.parent.mkdir()
    if not late:
        lay(path, outside)

    def write_it() -> None:
        with write(path) as out:
            out.write("new")
            lay(path, outside)

    with pytest.raises(FileExistsError):
        write_it()
    assert outside.read_text() == "precious"
    assert not (tmp_path / "missing").exists()
    assert list(path.parent.iterdir()) == [path]
    assert path.is_symlink() or path.is_dir() or path.is_fifo() or path.read_text() == "precious"


def test_a_file_of_ours_is_written_again_and_is_then_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("before")
    path.chmod(0o666)
    with path.open() as looking:
        with rewritten_file(path) as out:
            out.write("after")
        assert looking.read() == "before"  # who had it open sees nothing of the new one
    assert path.read_text() == "after"
    assert mode(path) == 0o600


def test_a_file_of_another_user_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("theirs")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(FileExistsError), rewritten_file(path):
        pass
    with pytest.raises(PermissionError):
        open_own(path, os.O_WRONLY)
    assert path.read_text() == "theirs"


def test_a_file_system_without_hard_links_gets_new_files_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    path = tmp_path / "plan.csv"
    with new_file(path) as out:
        out.write("whole")
    assert path.read_text() == "whole"
    with pytest.raises(FileExistsError), new_file(tmp_path / "other.csv"):
        (tmp_path / "other.csv").write_text("precious")
    assert (tmp_path / "other.csv").read_text() == "precious"


def test_a_file_of_ours_that_is_opened_again_is_closed_to_others(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "worker.log"
    path.write_text("one ")
    path.chmod(0o644)
    for text in ("two ", "three"):
        with open(path, "a", opener=open_own) as log:
            log.write(text)
    assert path.read_text() == "one two three"
    assert mode(path) == 0o600


@pytest.mark.parametrize("lay", FOREIGN)
def test_what_is_not_ours_is_not_opened(lay, tmp_path: Path, outside: Path) -> None:
    path = tmp_path / "worker.log"
    lay(path, outside)
    with pytest.raises(OSError, match=r"link|ours|directory|device"):
        open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    assert outside.read_text() == "precious"
    assert not (tmp_path / "missing").exists()


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    make_folder(shared / "ours")
    make_folder(shared / "ours")
    assert [mode(shared), mode(shared / "ours")] == [0o755, 0o700]


def test_what_others_may_read_or_change_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    assert open_to_others(folder) == []
    with new_file(folder / "deep" / "plan.csv"):
        pass
    (folder / "link").symlink_to(__file__)
    assert open_to_others(folder) == []
    (folder / "deep" / "plan.csv").chmod(0o640)
    assert open_to_others(folder) == [folder / "deep" / "plan.csv"]
    folder.chmod(0o770)
    assert open_to_others(folder) == [folder, folder / "deep" / "plan.csv"]
    folder.chmod(0o1777)  # as /tmp is
    assert open_to_others(folder) == [folder / "deep" / "plan.csv"]


def test_a_folder_of_another_user_is_in_their_hands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert open_to_others(tmp_path) == [tmp_path]
