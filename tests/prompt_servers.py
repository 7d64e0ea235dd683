"""Servers that end as soon as they are told: hundreds of tests start one, and each would wait for the next tick of its clock."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

TICK_SECONDS = 0.01  # uvicorn's own is 0.1, and it sleeps through another one at its end


class _Quicker:
    """What uvicorn's server takes from asyncio, with shorter sleeps."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, TICK_SECONDS))


@contextmanager
def prompt_servers() -> Iterator[None]:
    """Let the uvicorn servers of this process look at what they are told, and at what is over, more often."""
    with patch("uvicorn.server.asyncio", _Quicker()):
        yield
