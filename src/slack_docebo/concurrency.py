"""Threads and tasks beside the event loop: run to completion, within a time, in pairs, or shared by many callers."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")


async def to_completion(function: Callable[..., T], *arguments: object) -> T:
    """Run *function* in a thread and return its result; a cancellation is raised only after *function* has ended."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


async def within(seconds: float, function: Callable[..., T], *arguments: object) -> T:
    """Run *function* in a thread and return its result; raise TimeoutError after *seconds*.

    For functions without a time limit of their own. The thread goes on by itself, until the process ends.
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
    """Await both at once and return both results; if one fails, cancel the other and raise the failure."""
    try:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(one), group.create_task(other)
    except BaseExceptionGroup as failures:
        # An exception that ends the process, like Prefect's for a cancelled run, is raised before any other failure.
        ends = (failure for failure in failures.exceptions if not isinstance(failure, Exception))
        raise next(ends, failures.exceptions[0]) from None
    return first.result(), second.result()


class Shared(Generic[T]):
    """Calls *look* once for all who ask at the same time or within *seconds*, and gives all the same result."""

    def __init__(self, look: Callable[[], Coroutine[Any, Any, T]], *, seconds: float, patience: float) -> None:
        self._look = look
        self._seconds = seconds
        self._patience = patience
        self._looking: asyncio.Task[T] | None = None
        self._began = 0.0

    async def get(self) -> T:
        """Return the result of *look*, or raise its error; raise TimeoutError when it takes longer than *patience*."""
        now = asyncio.get_running_loop().time()
        if self._looking is None or (self._looking.done() and now - self._began >= self._seconds):
            self._looking, self._began = asyncio.create_task(self._look()), now
            # Who asked may be gone before it fails: asyncio would log that as a fault of ours.
            self._looking.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        if self._looking.done():
            return self._looking.result()
        async with asyncio.timeout_at(self._began + self._patience):
            return await asyncio.shield(self._looking)
