"""Servers that end as soon as they are told: hundreds of tests start one, and each would wait for the next tick of its clock."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from unittest.mock import patch

import uvicorn

TICK_SECONDS = 0.01  # uvicorn's own is 0.1, through which it sleeps once more at its end
TICKS_A_SECOND = 10  # as uvicorn counts them: with each tenth it looks at the clock
DAY = 864_000


class _Quicker:
    """What uvicorn's server takes from asyncio, with shorter sleeps."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, TICK_SECONDS))


class _Told:
    """A server's `should_exit`: whoever sets it, in whatever thread, wakes the server."""

    def __get__(self, server: uvicorn.Server, _kind: type) -> bool:
        return vars(server).get("told", False)

    def __set__(self, server: uvicorn.Server, told: bool) -> None:
        vars(server)["told"] = told
        if told:
            wake: Callable[[], object] = vars(server).get("wake", bool)
            with suppress(RuntimeError):  # its loop has ended already
                wake()


async def _main_loop(server: uvicorn.Server) -> None:
    """Do what uvicorn does at each tick, once a second, until the server is told to end."""
    told = asyncio.Event()
    vars(server)["wake"] = partial(asyncio.get_running_loop().call_soon_threadsafe, told.set)
    tick = 0
    while not await server.on_tick(tick):
        tick = (tick + TICKS_A_SECOND) % DAY
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), 1)


@contextmanager
def prompt_servers() -> Iterator[None]:
    """Let the uvicorn servers of this process end at once when they are told, and look at the clock once a second."""
    with (
        patch("uvicorn.server.asyncio", _Quicker()),
        patch.object(uvicorn.Server, "should_exit", _Told(), create=True),
        patch.object(uvicorn.Server, "main_loop", _main_loop),
    ):
        yield
