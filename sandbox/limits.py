"""Call limits over fixed windows of time."""

from __future__ import annotations

import math
import time


class WindowLimit:
    """Admits so many calls per key and window; a key's window opens with its first call.

    Slack does not publish how its limits are measured; a fixed window is the simplest rule that lets
    a full minute's allowance through at once and then asks for the rest of the minute.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._windows: dict[str, tuple[float, int]] = {}

    def refuse(self, key: str, allowed: int) -> int | None:
        """Count a call of *key*; return the whole seconds to wait if it exceeds *allowed*."""
        now = time.monotonic()
        opened, count = self._windows.get(key, (now, 0))
        if now - opened >= self._seconds:
            opened, count = now, 0
        if count >= allowed:
            return max(1, math.ceil(opened + self._seconds - now))
        self._windows[key] = (opened, count + 1)
        return None

    def reset(self) -> None:
        self._windows.clear()
