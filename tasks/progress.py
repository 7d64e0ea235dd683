"""Progress of a long stage, as an artifact that fills while the run goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

from slack_docebo.storage.budget import CallBudget

SECONDS_BETWEEN_UPDATES = 2.0


class Progress:
    """Counts the people who are done, and every few seconds shows how many they are."""

    def __init__(self, budget: CallBudget, total: int, artifact: asyncio.Task[UUID]) -> None:
        self._budget = budget
        self._total = total
        self._artifact = artifact
        self.showing: asyncio.Task[Any] = artifact
        self._done = 0
        self._begun = self._shown = time.monotonic()

    def advance(self, people: int) -> None:
        """Count *people* more; nobody waits until it is shown."""
        self._done += people
        now = time.monotonic()
        if now - self._shown < SECONDS_BETWEEN_UPDATES or not self.showing.done():
            return
        self._shown = now
        share, left = 0.0, ""
        if 0 < self._done < self._total:
            share = self._done * 100 / self._total
            left = f", about {(now - self._begun) / self._done * (self._total - self._done):.0f} s left"
        self.showing = asyncio.create_task(
            self._show(share, f"{self._done}{_of(self._total)}{left}; {_calls_left(self._budget)}")
        )

    async def end(self) -> None:
        """Show that the stage is over."""
        await self.showing
        await self._show(100.0, f"{self._done} done; {_calls_left(self._budget)}")

    async def _show(self, share: float, description: str) -> None:
        await aupdate_progress_artifact(await self._artifact, progress=share, description=description)


@asynccontextmanager
async def shown(budget: CallBudget, key: str, total: int) -> AsyncIterator[Progress]:
    """Show the progress of the block as the artifact *key*: about *total* people, 0 if the number is unknown."""
    description = f"0{_of(total)}; {_calls_left(budget)}"
    # The stage need not wait for it.
    artifact = asyncio.create_task(acreate_progress_artifact(0.0, key=key, description=description))
    progress = Progress(budget, total, artifact)
    try:
        yield progress
        await progress.end()
    finally:
        # Their errors are not to hide the block's.
        await asyncio.gather(artifact, progress.showing, return_exceptions=True)


def _of(total: int) -> str:
    return f" of {total}" if total else ""


def _calls_left(budget: CallBudget) -> str:
    return f"{budget.left()} calls to Docebo may be made at once"
