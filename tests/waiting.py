"""Waiting for what has to come, as long as a busy machine may need."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 180.0  # a bound for what would never come; nothing is measured by it


def until(look: Callable[[], T], told: Callable[[], object] = lambda: "it has not come to that") -> T:
    """Look until something is found, and return it; fail with what is *told* if nothing ever is."""
    since = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - since
        assert waited < PATIENCE_SECONDS, told()
        time.sleep(0.01 + min(waited / 4, 0.5))  # to look costs others time: seldom, where it takes long anyway
    return found
