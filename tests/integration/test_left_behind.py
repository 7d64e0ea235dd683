"""A suite that is killed leaves no server behind, and no file; one that failed leaves what it wrote, until another one does."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deployments.local import is_taken
from tests import left_behind
from tests.left_behind import FOLDERS, KEPT, MARK
from tests.waiting import until

SUITE = """
import pathlib, signal, sys, tempfile
from deployments.local import sandbox
from tests.conftest import pytest_configure

pytest_configure()
with sandbox("--users", "1", folder=pathlib.Path(sys.argv[1])) as facts:
    pathlib.Path(tempfile.gettempdir(), "written").touch()
    print(facts["slack_url"], tempfile.gettempdir(), flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
@pytest.mark.long
def test_what_tests_started_and_wrote_ends_with_them_even_where_they_are_killed(
    tmp_path: Path, how: signal.Signals
) -> None:
    of_another_suite = {name: value for name, value in os.environ.items() if name != MARK}
    command = [sys.executable, "-c", SUITE, str(tmp_path)]
    with subprocess.Popen(command, env=of_another_suite, stdout=subprocess.PIPE, text=True) as suite:
        assert suite.stdout
        url, folder = suite.stdout.readline().split()
        port = urlsplit(url).port
        assert port
        assert is_taken(port)
        assert Path(folder, "written").exists()

        suite.send_signal(how)

    until(lambda: not is_taken(port))
    until(lambda: not Path(folder).exists())


@pytest.mark.long
def test_what_failed_tests_wrote_stays_until_others_fail(tmp_path: Path) -> None:
    first, passed, second = (tmp_path / f"{FOLDERS}{name}" for name in ("first", "passed", "second"))

    _suite_ends(first, failed=True)
    _suite_ends(passed, failed=False)
    assert [*tmp_path.iterdir()] == [first]

    _suite_ends(second, failed=True)
    assert [*tmp_path.iterdir()] == [second]


def _suite_ends(folder: Path, *, failed: bool) -> None:
    """Let the process that waits for a suite's end see it."""
    folder.mkdir()
    if failed:
        (folder / KEPT).touch()
    command = [sys.executable, "-I", left_behind.__file__, f"{MARK}=of nobody", str(folder)]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
