"""How often an API may be called."""

import asyncio
import time
from collections import deque


class Pace:
    """Lets so many *calls* through in any *seconds*: at once while there are any, then as the oldest are that long ago.

    A leaky bucket, like aiolimiter's, adds what leaks to a full bucket: in its first minute it lets twice as many through.
    """

    def __init__(self, calls: int, seconds: float) -> None:
        self._seconds = seconds
        self._due: deque[float] = deque(maxlen=calls)  # when the latest calls were, or will be, let through

    async def wait(self) -> None:
        """Return when the next call may be made."""
        now = due = time.monotonic()
        if len(self._due) == self._due.maxlen:
            due = max(now, self._due[0] + self._seconds)
        self._due.append(due)
        await asyncio.sleep(due - now)
