"""Virtual time: an event loop that never waits, and clocks that go with it."""

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

import time_machine

BEGINNING = 1_800_000_000.0  # unix seconds
RESOLUTION = 1e-6  # seconds; asyncio's own, a nanosecond, is lost in a float that counts half a year of seconds


class Deadlock(RuntimeError):
    """All tasks wait, and none will ever be woken."""


class _Selector(selectors.SelectSelector):
    """Lets the time pass instead of waiting for it."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock
        if timeout > 0:
            self._advance(timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    """Has no threads: does at once what another loop gives to a thread."""

    def run_in_executor(  # type: ignore[override]
        self, _executor: Executor | None, function: Callable[..., Any], *arguments: Any
    ) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(function(*arguments))
        except Exception as error:
            done.set_exception(error)
        return done


@contextmanager
def virtual_time() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield an event loop in which hours pass in milliseconds; all clocks of this process follow it."""
    elapsed = 0.0
    real = time.monotonic
    with time_machine.travel(BEGINNING, tick=False) as clock:

        def advance(seconds: float) -> None:
            nonlocal elapsed
            elapsed += seconds
            clock.move_to(BEGINNING + elapsed)

        time.monotonic = lambda: elapsed  # the event loop's own clock, too
        loop = _Loop(_Selector(advance))
        loop._clock_resolution = RESOLUTION  # type: ignore[attr-defined]
        try:
            yield loop
        finally:
            loop.close()
            time.monotonic = real
