"""Background jobs that post a user batch in chunks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

from sandbox.docebo import batch
from sandbox.docebo.platform import Platform

CHUNK_SIZE = 100
BATCH_ENDPOINT = "/manage/v1/user/batch"


class Jobs:
    """Jobs queued, running and done, by hash."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._numbers = itertools.count(1)
        self._descriptors: dict[str, dict[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def reset(self) -> None:
        """Forget every job; one that is running stops at its next chunk."""
        for descriptor in self._descriptors.values():
            descriptor["status"] = "aborted"
        self._descriptors.clear()

    def start(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Queue a job and return its descriptor; raise ValueError for one the sandbox cannot run."""
        if body.get("type") != "api" or body.get("endpoint") != BATCH_ENDPOINT:
            raise ValueError(f"only jobs of type api for {BATCH_ENDPOINT} are known here")
        source = body.get("data_source") or {}
        rows, options = source.get("data", []), source.get("options", {})
        batch.check({"items": [], "options": options}, self._platform)
        number = next(self._numbers)
        descriptor = {
            "hash": f"job-{number}",
            "name": body.get("name", ""),
            "status": "queued",
            "percent": 0,
            "total": len(rows),
            "errors": 0,
        }
        self._descriptors[f"job-{number}"] = descriptor
        chunk_size = min(CHUNK_SIZE, int(body.get("chunk_size") or CHUNK_SIZE))
        task = asyncio.get_running_loop().create_task(self._run(descriptor, rows, options, chunk_size))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return descriptor

    def get(self, job_hash: str) -> dict[str, Any]:
        """Return a descriptor; raise KeyError."""
        return self._descriptors[job_hash]

    def all(self, status: str | None) -> list[dict[str, Any]]:
        return [job for job in self._descriptors.values() if status in (None, job["status"])]

    def abort(self, job_hash: str) -> dict[str, Any]:
        """Stop a job that has not ended; raise KeyError."""
        descriptor = self._descriptors[job_hash]
        if descriptor["status"] != "completed":
            descriptor["status"] = "aborted"
        return descriptor

    def delete(self, job_hash: str) -> bool:
        """Delete a job that has ended and say whether it had; raise KeyError."""
        if self._descriptors[job_hash]["status"] not in ("aborted", "completed"):
            return False
        del self._descriptors[job_hash]
        return True

    async def _run(
        self, descriptor: dict[str, Any], rows: list[Mapping[str, Any]], options: Mapping[str, Any], chunk_size: int
    ) -> None:
        await asyncio.sleep(0)
        for start in range(0, len(rows), chunk_size):
            if descriptor["status"] == "aborted":
                return
            descriptor["status"] = "running"
            results = batch.carry_out(rows[start : start + chunk_size], options, self._platform, {})
            descriptor["errors"] += batch.count(results)["failed"]
            descriptor["percent"] = 100 * min(len(rows), start + chunk_size) // len(rows)
            await asyncio.sleep(0.01)
        descriptor.update(status="completed", percent=100)
