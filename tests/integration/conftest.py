"""The company that most tests of the engine work on, beside an empty database."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.integration.realtime_world import World, world


@pytest.fixture(scope="module")
def shared_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A company of 30, or of as many as the file says with USERS, that its tests use one after the other."""
    with Sandbox(users=getattr(request.module, "USERS", 30), rate_limits=False) as running:
        yield running


@pytest.fixture
async def here(shared_sandbox: Sandbox, sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """The company as it was at first, with both recipes on."""
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path) as made:
        yield made
