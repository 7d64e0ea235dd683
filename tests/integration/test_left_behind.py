"""A suite that is killed leaves no server behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deployments.local import is_taken
from tests.left_behind import MARK
from tests.waiting import until

SUITE = """
import pathlib, signal, sys
from deployments.local import sandbox
from tests.conftest import pytest_configure

pytest_configure()
with sandbox("--users", "1", folder=pathlib.Path(sys.argv[1])) as facts:
    print(facts["slack_url"], flush=True)
    signal.pause()
"""


@pytest.mark.variants(1)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
def test_a_server_of_tests_ends_with_them_even_where_they_are_killed(tmp_path: Path, how: signal.Signals) -> None:
    of_another_suite = {name: value for name, value in os.environ.items() if name != MARK}
    command = [sys.executable, "-c", SUITE, str(tmp_path)]
    with subprocess.Popen(command, env=of_another_suite, stdout=subprocess.PIPE, text=True) as suite:
        assert suite.stdout
        port = urlsplit(suite.stdout.readline()).port
        assert port
        assert is_taken(port)

        suite.send_signal(how)

    until(lambda: not is_taken(port))
