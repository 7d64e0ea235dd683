"""A process that is told to end: this one, for the length of a block."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from slack_docebo import safe_points


@contextmanager
def a_process_that_ends() -> Iterator[None]:
    """Let `tell_to_end` be forgotten at the end of the block, as in the process of the next run."""
    with patch.object(safe_points, "_told", threading.Event()):
        yield
