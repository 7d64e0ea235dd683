"""The processes that an installation on one machine consists of."""

import signal
import subprocess
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from deployments.local import process


@contextmanager
def handled(handler):
    """Handle SIGINT like this, whatever was said about it when pytest was started."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_child_is_not_left_behind_when_we_are_interrupted_while_it_is_started(tmp_path):
    started = []

    class Started(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    with (
        handled(signal.default_int_handler),
        patch("subprocess.Popen", Started),
        pytest.raises(KeyboardInterrupt),
        process(["sleep", "600"], log=tmp_path / "log"),
    ):
        pytest.fail("nothing is done with what is to end")

    assert [child.poll() for child in started] == [-signal.SIGINT]


def test_a_child_ends_when_it_is_told_to_although_we_ignore_the_terminal(tmp_path):
    with handled(signal.SIG_IGN), process(["sleep", "600"], log=tmp_path / "log") as child:
        pass

    assert child.poll() == -signal.SIGINT
