"""The company that most tests of the engine work on, beside an empty database."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.server import Sandbox
from slack_docebo import runtime
from slack_docebo.storage.gate import BatchGate
from tests.integration.realtime_world import World, world

GRACE_SECONDS = 0.3


@pytest.fixture(scope="session", autouse=True)
def nobody_waits_long_for_a_call_without_an_answer() -> Iterator[None]:
    """Docebo may be at work on it for as long as a call may take; the sandbox has carried it out by then, or never will."""

    def gate(*of: Any, grace_seconds: float) -> BatchGate:
        return BatchGate(*of, grace_seconds=min(grace_seconds, GRACE_SECONDS))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "BatchGate", gate)
        yield


@pytest.fixture(scope="module")
def shared_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A company of 12, or of as many as the file says with USERS, that its tests use one after the other."""
    with Sandbox(users=getattr(request.module, "USERS", 12), rate_limits=False) as running:
        yield running


@pytest.fixture(scope="module")
def small_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A company of one, beside as many other accounts as the file says with DOCEBO_USERS, for tests that add their own."""
    others = getattr(request.module, "DOCEBO_USERS", 0)
    with Sandbox(users=1, docebo_users=others, rate_limits=False) as running:
        yield running


@pytest.fixture
async def here(shared_sandbox: Sandbox, sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """The company as it was at first, with both recipes on."""
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path) as made:
        yield made
