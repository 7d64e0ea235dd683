"""An installation for a benchmark: deployed as an administrator does it, and waited for."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 180


def deploy(env: Mapping[str, str], *deployments: str) -> None:
    """Make in the Prefect that *env* names what slack-docebo needs there, and these deployments, or all of them."""
    chosen = [word for name in deployments for word in ("--name", name)] or ["--all"]
    for command in (["deployments.bootstrap"], ["prefect", "--no-prompt", "deploy", *chosen]):
        run = [sys.executable, "-m", *command]
        subprocess.run(run, cwd=ROOT, env={**os.environ, **env}, check=True, capture_output=True)


def is_at_work(http: httpx.Client, pool: str) -> bool:
    """Tell whether Prefect has seen a worker of *pool*."""
    return bool(http.post(f"work_pools/{pool}/workers/filter", json={}).raise_for_status().json())


def until(holds: Callable[[], bool]) -> None:
    """Wait for what has to come; raise RuntimeError if it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError("that took too long")
        time.sleep(0.1)
