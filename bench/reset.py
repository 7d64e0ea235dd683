"""`python -m bench.reset [SIZE ...]`: time and memory that reset and restore of many mappings take, on SQLite."""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from bench.table import Results
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.people import Mapping
from slack_docebo.engine.mappings.mapping_file import MappingFile
from slack_docebo.engine.mappings.resetting import back_up, delete_planned, plan_reset
from slack_docebo.engine.mappings.restoring import restore_file
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.writing.applying import begin
from slack_docebo.integration_settings import read_written
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.store import Store

SIZES = (10_000, 100_000)
TEAM = "T1"
NOWHERE = "http://127.0.0.1:9"
BAR_SECONDS = 10.0  # for 100,000 mappings
BAR_MEMORY_MB = 100.0  # as of an import; the backup is held against what is there when it is deleted
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Measured = dict[str, float]
T = TypeVar("T")


def main(arguments: Sequence[str] = ()) -> int:
    """Measure each size in a process of its own and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.reset", description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of mappings (10000 100000)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(asyncio.run(measure(options.sizes[0]))))
        return 0
    results = Results("Reset and restore on SQLite")
    for size in options.sizes:
        measured = _in_own_process(size)
        for stage in ("plan", "backup", "delete"):
            results.add(f"{size:,} mappings, {stage}", measured[stage], unit="s")
        for stage in ("reset", "restore"):
            results.add(f"{size:,} mappings, {stage}", measured[stage], BAR_SECONDS, "s")
        results.add(f"{size:,} mappings, memory on top", measured["memory"], BAR_MEMORY_MB, "MB")
    results.show()
    return 0


async def measure(size: int) -> Measured:
    """Return the seconds of each stage, of reset and of restore, and the growth of memory in MB over both."""
    with tempfile.TemporaryDirectory(prefix="slack-docebo-bench-") as name:
        folder = Path(name)
        settings = Settings(
            _env_file=None,
            slack_bot_token=SecretStr("unused"),
            docebo_url=NOWHERE,
            docebo_client_id="unused",
            docebo_client_secret=SecretStr("unused"),
            database_url=SecretStr(f"sqlite:///{folder}/store.db"),
            report_dir=folder,
        )
        behaviour = read_written({"PROVISION_SLACK_USER_DATA": "true", "MAP_SLACK_USER_DATA": "true"})
        async with open_runtime(settings, behaviour, run_id="bench") as runtime:
            _fill(runtime.store, size)
            workspace = Workspace(TEAM, "Acme")
            before = _peak()
            seconds: Measured = {}

            plan_id = _timed(seconds, "plan", lambda: plan_reset(runtime, workspace, Accounts(), ()))
            backup, count = _timed(seconds, "backup", lambda: back_up(runtime, workspace, plan_id, ()))
            begin(runtime, plan_id)
            deleted = _timed(seconds, "delete", lambda: delete_planned(runtime, workspace, plan_id))
            file = MappingFile(backup, team=TEAM)
            taken = _timed(
                seconds,
                "restore",
                lambda: restore_file(runtime.store, runtime.settings.docebo_url, file, dry_run=False),
            )
            if not size == count == deleted == taken.changed:
                raise RuntimeError(f"{size} mappings, {count} backed up, {deleted} deleted, {taken.changed} restored")
            return {
                **seconds,
                "reset": seconds["plan"] + seconds["backup"] + seconds["delete"],
                "memory": _peak() - before,
            }


def _in_own_process(size: int) -> Measured:
    command = [sys.executable, "-m", "bench.reset", "--one", str(size)]
    measured: Measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return measured


def _fill(store: Store, size: int) -> None:
    with Store.open(store.url) as filling, filling.transaction() as tables:
        repository = tables.mappings()
        for first in range(0, size, 1000):
            people = range(first, min(first + 1000, size))
            some = [
                Mapping(
                    slack_id=f"U{n:09d}",
                    slack_team=TEAM,
                    slack_name=f"name {n}",
                    docebo_id=10_000 + n,
                    fingerprint=f"{n:016x}",
                )
                for n in people
            ]
            repository.save(some, now=NOW)


def _timed(seconds: Measured, stage: str, work: Callable[[], T]) -> T:
    begun = time.perf_counter()
    result = work()
    seconds[stage] = time.perf_counter() - begun
    return result


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
