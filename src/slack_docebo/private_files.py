"""Private files: readable by their owner only, complete or absent, and never written through a link.

A file is made with its final rights, so there is no moment in which others can read it, whatever the umask.
Functions raise the system's OSError; their callers say what it means.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

FILE_MODE = 0o600
FOLDER_MODE = 0o700
OTHERS = stat.S_IRWXG | stat.S_IRWXO
_DRAFT = ".slack-docebo-", ".part"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_WITHOUT_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}  # what such file systems answer to link()


def make_folder(path: Path) -> None:
    """Make the folder and those above it that are missing, for their owner only; what is there stays as it is."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except FileExistsError:  # whoever makes a file in it would take that one to be there
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None


def make_file(path: Path) -> None:
    """Make an empty file for its owner only; raise FileExistsError where there is anything, were it a dangling link."""
    os.close(os.open(path, _NEW, FILE_MODE))


def close_to_others(path: Path) -> None:
    """Take the rights of others away from a file of ours, if it is one and they have any.

    Goes by name, because a database's file must not be opened beside SQLite: closing it would free SQLite's locks
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(FileNotFoundError):
        found = path.lstat()
        if is_ours(found) and found.st_mode & OTHERS:
            path.chmod(FILE_MODE)


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """Yield a new UTF-8 text file, which is found at *path* when the block ends well, and not at all otherwise.

    Line ends are written as given. Raises FileExistsError where there is anything at *path*, were it a dangling link.
    """
    _refuse_if(os.path.lexists(path), path)
    with _draft_for(path) as (draft, out):
        yield out
        _finish(out)
        try:
            os.link(draft, path)
        except OSError as error:
            if error.errno not in _WITHOUT_HARD_LINKS:
                raise
            make_file(path)  # keeps the name; killed here, the file stays empty
            draft.replace(path)
        _finish_folder(path)


@contextmanager
def rewritten_file(path: Path) -> Iterator[TextIO]:
    """Yield a file as new_file does, which takes the place of an earlier one of ours when the block ends well.

    Raises FileExistsError where something else is at *path*: a link, a folder, a file of another user, or one that has
    a second name.
    """
    _refuse_if(_is_anothers(path), path)
    with _draft_for(path) as (draft, out):
        yield out
        _finish(out)
        _refuse_if(_is_anothers(path), path)  # who laid something there meanwhile keeps it
        draft.replace(path)
        _finish_folder(path)


def open_own(path: str | Path, flags: int) -> int:
    """Open a file of ours, or make it; the opener for `open(path, "a", opener=open_own)`.

    Nothing is emptied: *flags* with O_TRUNC are not for this function. Rights of others are taken away. Raises OSError
    where *path* is a link, and PermissionError where it is not a file of ours alone.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, FILE_MODE)  # a pipe would wait for its reader
    found = os.fstat(descriptor)
    if not is_ours(found):
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "it is not a file of ours alone", str(path))
    if found.st_mode & OTHERS:
        os.fchmod(descriptor, FILE_MODE)
    return descriptor


def is_ours(found: os.stat_result) -> bool:
    """Tell whether this is a regular file of this process's user with one name only."""
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1


def is_draft(path: Path) -> bool:
    """Tell whether this is what new_file and rewritten_file write to before the file has its name."""
    return path.name.startswith(_DRAFT[0]) and path.name.endswith(_DRAFT[1])


def may_others_write(folder: Path) -> bool:
    """Tell whether others may remove and replace what is in the folder: another owner may, and in /tmp, say, nobody."""
    found = folder.stat()
    if found.st_uid not in {0, os.geteuid()}:
        return True
    return bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)) and not found.st_mode & stat.S_ISVTX


def open_to_others(folder: Path) -> list[Path]:
    """Return the folder, if others may write to it, and the files below it that others have any right to."""
    if not folder.is_dir():
        return []
    modes = {path: path.lstat().st_mode for path in sorted(folder.rglob("*"))}
    loose = [path for path, mode in modes.items() if stat.S_ISREG(mode) and mode & OTHERS]
    return [folder, *loose] if may_others_write(folder) else loose


def readable_by_others(paths: Iterable[Path]) -> list[Path]:
    """Return those of *paths* that belong to us and that another user of this machine can read.

    A file of somebody else is theirs to look after; so are the ones that Docker and Kubernetes mount.
    """
    return [path for path in paths if _is_readable_by_others(path)]


@contextmanager
def _draft_for(path: Path) -> Iterator[tuple[Path, TextIO]]:
    """Yield a file beside *path* under a name that nobody can guess; the name is gone at the end."""
    make_folder(path.parent)
    draft = path.with_name(f"{_DRAFT[0]}{secrets.token_hex(16)}{_DRAFT[1]}")
    with os.fdopen(os.open(draft, _NEW, FILE_MODE), "w", encoding="utf-8", newline="") as out:
        try:
            yield draft, out
        finally:
            draft.unlink(missing_ok=True)


def _is_anothers(path: Path) -> bool:
    try:
        return not is_ours(path.lstat())
    except FileNotFoundError:
        return False


def _is_readable_by_others(path: Path) -> bool:
    try:
        found = path.resolve(strict=True)
        status, folders = found.stat(), [folder.stat().st_mode for folder in found.parents]
    except (OSError, ValueError, RuntimeError):
        return False
    group = status.st_mode & stat.S_IRGRP and all(mode & (stat.S_IXGRP | stat.S_IXOTH) for mode in folders)
    anybody = status.st_mode & stat.S_IROTH and all(mode & stat.S_IXOTH for mode in folders)
    return status.st_uid == os.geteuid() and bool(group or anybody)


def _refuse_if(taken: bool, path: Path) -> None:
    if taken:
        raise FileExistsError(errno.EEXIST, "something is there already", str(path))


def _finish(out: TextIO) -> None:
    out.flush()
    os.fsync(out.fileno())


def _finish_folder(path: Path) -> None:
    """Write the folder to the disk, so that the new name survives a power failure."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
