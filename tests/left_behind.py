"""What tests have started and written ends with them, even where they are killed: a process beside them waits for that.

On Linux a child can ask for a signal at its parent's end, but not its children, and the end of the thread that started it
is taken for that of the parent.
"""

import os
import secrets
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

MARK = "STARTED_BY_TESTS"  # in the environment of what tests start, and of what that starts in turn
FOLDERS = "slack-docebo-tests-"  # how the folders begin that suites write to
KEPT = "of-failed-tests"  # in such a folder: it stays to be looked at, until that of others takes its place


def leave_nothing_behind(folder: Path) -> None:
    """Mark what this process starts from now on; start who kills that, and removes the folder, once this process has ended.

    In whatever way it ends.
    """
    os.environ[MARK] = mark = secrets.token_hex(8)
    until_we_end, _ours = os.pipe()  # whose other end closes with us, when all has ended that ends by itself
    command = [sys.executable, "-I", __file__, f"{MARK}={mark}", str(folder)]
    files = [(os.POSIX_SPAWN_DUP2, until_we_end, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    # A session of its own: whoever kills our whole group does not meet it.
    os.posix_spawn(sys.executable, command, {}, file_actions=files, setsid=True)
    os.close(until_we_end)


def _kill(mark: bytes) -> bool:
    """Kill all who bear the mark; tell whether there were any."""
    killed = False
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # not ours, or gone
            if mark in environment.read_bytes():
                os.kill(int(environment.parent.name), signal.SIGKILL)
                killed = True
    return killed


def _remove(folder: Path) -> None:
    """Remove the folder; or, where it is kept, those that were kept before it."""
    kept = folder / KEPT
    former = [found.parent for found in folder.parent.glob(f"{FOLDERS}*/{KEPT}") if found != kept]
    for unwanted in former if kept.exists() else [folder]:
        shutil.rmtree(unwanted, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    while _kill(sys.argv[1].encode()):  # again: they may have started others meanwhile
        time.sleep(0.05)
    _remove(Path(sys.argv[2]))
