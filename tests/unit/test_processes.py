"""The processes that an installation on one machine consists of."""

import signal
import subprocess
from unittest.mock import patch

import pytest

from deployments.local import process


def test_a_child_is_not_left_behind_when_we_are_interrupted_while_it_is_started(tmp_path):
    started = []

    class Started(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    with (
        patch("subprocess.Popen", Started),
        pytest.raises(KeyboardInterrupt),
        process(["sleep", "600"], log=tmp_path / "log"),
    ):
        pytest.fail("nothing is done with what is to end")

    assert [child.poll() for child in started] == [-signal.SIGINT]
