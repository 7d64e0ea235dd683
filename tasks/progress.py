"""Progress of a long stage, as an artifact that fills while the run goes on."""

import time
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

from slack_docebo.runtime import Runtime

SECONDS_BETWEEN_UPDATES = 2.0


class Progress:
    """Shows how far a stage has come, when it will end, and how many API calls may be made at once."""

    def __init__(self, runtime: Runtime, key: str, total: int, artifact: UUID) -> None:
        self._runtime = runtime
        self._key = key
        self._total = total
        self._artifact = artifact
        self._done = 0
        self._begun = self._shown = time.monotonic()

    @classmethod
    async def begin(cls, runtime: Runtime, key: str, total: int) -> "Progress":
        artifact = await acreate_progress_artifact(0.0 if total else 100.0, key=key, description=f"0 of {total}")
        return cls(runtime, key, total, artifact)

    async def advance(self, rows: int) -> None:
        """Count *rows* more; the artifact is written every few seconds and at the end."""
        self._done += rows
        now = time.monotonic()
        if self._done < self._total and now - self._shown < SECONDS_BETWEEN_UPDATES:
            return
        self._shown = now
        left = (now - self._begun) / self._done * (self._total - self._done) if self._done else 0
        await aupdate_progress_artifact(
            self._artifact,
            progress=min(100.0, self._done * 100 / self._total),
            description=f"{self._done} of {self._total}, about {left:.0f} s left; {self._runtime.budget.left()} API calls"
            " may be made at once",
        )
