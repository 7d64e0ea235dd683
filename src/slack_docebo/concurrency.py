"""Doing two things at the same time without losing track of either."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")


async def to_completion(function: Callable[..., T], *arguments: object) -> T:
    """Run *function* in a thread; a cancellation waits for its end, so that what it did is known."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


async def within(seconds: float, function: Callable[..., T], *arguments: object) -> T:
    """Run *function* in a thread; raise TimeoutError after *seconds*, and leave the thread to itself.

    For what knows no limit of its own. The end of the process does not wait for it.
    """
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()

    def work() -> None:
        try:
            outcome.set_result(function(*arguments))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    async with asyncio.timeout(seconds):
        return await asyncio.wrap_future(outcome)


async def side_by_side(one: Coroutine[Any, Any, S], other: Coroutine[Any, Any, T]) -> tuple[S, T]:
    """Await both at the same time; when one fails, the other is cancelled and that failure raised."""
    try:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(one), group.create_task(other)
    except BaseExceptionGroup as failures:
        # What ends the process, as Prefect's signal of a cancelled run does, comes before what fails beside it.
        ends = (failure for failure in failures.exceptions if not isinstance(failure, Exception))
        raise next(ends, failures.exceptions[0]) from None
    return first.result(), second.result()


class Shared(Generic[T]):
    """One look for all who ask at once, and for those who ask within *seconds* of its beginning."""

    def __init__(self, look: Callable[[], Coroutine[Any, Any, T]], *, seconds: float, patience: float) -> None:
        self._look = look
        self._seconds = seconds
        self._patience = patience
        self._looking: asyncio.Task[T] | None = None
        self._began = 0.0

    async def get(self) -> T:
        """Return or raise what the look came to; raise TimeoutError once it has taken longer than the patience."""
        now = asyncio.get_running_loop().time()
        if self._looking is None or (self._looking.done() and now - self._began >= self._seconds):
            self._looking, self._began = asyncio.create_task(self._look()), now
        if self._looking.done():
            return self._looking.result()
        async with asyncio.timeout_at(self._began + self._patience):
            return await asyncio.shield(self._looking)
