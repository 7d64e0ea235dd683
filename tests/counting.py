"""Work, counted: the same on each machine, and whoever else is at work."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps(work: Callable[..., object], *given: object) -> int:
    """Return how many lines are run by *work*, each time anew in a loop."""
    run = 0

    def count(_frame: FrameType, event: str, _value: object) -> Any:
        nonlocal run
        run += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work(*given)
    finally:
        sys.settrace(before)
    return run
