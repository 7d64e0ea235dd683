"""The pace at which an API may be called."""

import asyncio
import time
from collections import deque


class Pace:
    """Lets at most *calls* calls through in any period of *seconds*.

    A leaky bucket, like aiolimiter's, refills while it is emptied: in its first minute it lets twice as many through.
    """

    def __init__(self, calls: int, seconds: float) -> None:
        self._seconds = seconds
        self._due: deque[float] = deque(maxlen=calls)  # when the latest calls were let through, or will be

    async def wait(self) -> None:
        """Wait until the next call may be made."""
        now = due = time.monotonic()
        if len(self._due) == self._due.maxlen:
            due = max(now, self._due[0] + self._seconds)
        self._due.append(due)
        await asyncio.sleep(due - now)
