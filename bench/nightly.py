"""`python -m bench.nightly [SIZE ...]`: what a night without changes leaves behind and costs, and whether that is linear."""

import argparse
import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.table import Results
from deployments.local import sandbox
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.storage.store import Store
from tests.importing import run_import, settings_for

SIZES = (10_000, 100_000, 200_000)
SETTLED = 2  # imports after which nothing is left to tell
BAR_BYTES = 100_000.0  # rows and files of one night at 10,000 people
BAR_CALLS = 103
BAR_MEMORY_MB = 400.0
BAR_CPU_MS = 0.24  # of one person in one night
BAR_GROWTH = 1.2  # linear: a person costs in a large company what one costs in a small one
SMALL_PAGE = 200  # of Slack's list: the most calls, and what older figures were taken with
PATIENCE_SECONDS = 60  # for the sandbox's answers
Measured = dict[str, float]


def main(arguments: Sequence[str] = ()) -> int:
    """Measure each size, each import in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.nightly", description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of people (10000 100000 200000)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(asyncio.run(night(**json.loads(options.one)))))
        return 0
    results = Results("A night without changes, SQLite, no latency")
    costs = []
    for size in options.sizes:
        first, quiet = _measured(size)
        results.add(f"{size:,} people: rows of the journal and of standings", quiet["rows"], 0)
        results.add("   growth of the database", quiet["database"], BAR_BYTES if size == SIZES[0] else None, "bytes")
        results.add("   report files", quiet["files"], BAR_BYTES if size == SIZES[0] else None, "bytes")
        results.add("   calls", quiet["calls"], BAR_CALLS if size == SIZES[0] else None)
        results.add("   peak memory of the process", quiet["peak_mb"], BAR_MEMORY_MB, "MB")
        results.add("   processor time of a person", quiet["cpu_ms"], BAR_CPU_MS, "ms")
        results.add("   the first import: peak memory", first["peak_mb"], BAR_MEMORY_MB, "MB")
        results.add("   the first import: processor time of a person", first["cpu_ms"], None, "ms")
        costs.append(quiet["cpu_ms"])
    results.add("processor time of a person, largest to smallest", costs[-1] / costs[0], BAR_GROWTH)
    results.show()
    return 0


def _measured(size: int) -> tuple[Measured, Measured]:
    """Return what the first import of *size* people costs, and what a night without changes does once all is settled."""
    with tempfile.TemporaryDirectory(prefix="slack-docebo-bench-") as name:
        options = ("--users", str(size), "--no-rate-limits", "--docebo-users", "0")
        with sandbox(*options, folder=Path(name)) as facts:
            nights = [_in_own_process(facts, Path(name), size) for _ in range(SETTLED + 1)]
    return nights[0], nights[-1]


def _in_own_process(facts: dict[str, Any], folder: Path, size: int) -> Measured:
    one = json.dumps({"facts": facts, "folder": str(folder), "size": size})
    command = [sys.executable, "-m", "bench.nightly", "--one", one]
    measured: Measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return measured


async def night(facts: dict[str, Any], folder: str, size: int) -> Measured:
    """Import once, with its report, and return what that has left behind and cost."""
    database = Path(folder, "store.db")
    settings = settings_for(
        facts, f"sqlite:///{database}", slack_page_size=SMALL_PAGE, docebo_timeout_seconds=PATIENCE_SECONDS
    )
    Store.of(settings).close()
    before, cpu = _kept(database), time.process_time()
    done = await run_import(settings)
    with Store.of(settings) as store:
        write_files(store, done.plan.id, settings.report_dir)
    cpu = time.process_time() - cpu
    if done.count() != size:
        raise RuntimeError(f"there are {size} people, and the import speaks of {done.count()}")
    calls = done.plan.facts["calls"]
    after = _kept(database)
    return {
        **{what: after[what] - before[what] for what in after},
        "files": sum(file.stat().st_size for file in settings.report_dir.glob(f"{done.plan.id}*")),
        "calls": sum(calls.values()) if isinstance(calls, dict) else 0,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cpu_ms": cpu * 1000 / size,
    }


def _kept(database: Path) -> Measured:
    """Return how many rows tell of people, and how many bytes the database takes."""
    with closing(sqlite3.connect(database)) as connection:
        rows = sum(
            connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("operation", "standing")
        )
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return {"rows": rows, "database": (pages - free) * size}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
