"""`python -m bench.year [NIGHTS]`: a year of nights and events, by a clock that is moved; what it takes and keeps.

What Prefect keeps of it is reckoned from real nights, which `bench.idle` measures.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine

from bench import idle
from bench.table import Results
from sandbox.server import Sandbox
from slack_docebo.engine.realtime.upkeep import tidy
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.settings import Settings
from slack_docebo.storage.store import Store
from tests.importing import run_import, settings_for
from tests.integration.realtime_world import World, world

NIGHTS = 365
PEOPLE = 10_000
EVENTS = 100  # a day, of as many people
SERVING = 40  # runs a day that they take, as `bench.arrivals` says
SETTLED = 3  # nights after which nothing of the beginning is left to tell
COMPARED = 5  # nights, of which the median is taken
TEAM = ("Design", "Sales", "Support", "Research")


def main(arguments: Sequence[str] = ()) -> int:
    """Measure and print."""
    nights = int(arguments[0]) if arguments else NIGHTS
    with tempfile.TemporaryDirectory(prefix="slack-docebo-bench-") as name:
        measured, old, new = asyncio.run(_lived(Path(name), nights))
    prefect = idle.measured().kept(SERVING)
    end, middle = measured[-1], measured[len(measured) // 2]
    results = Results(f"{nights} nights, {EVENTS} events a day, {PEOPLE:,} people, SQLite (year)")
    results.add("our database at the end", end["database"], unit="MB")
    results.add("   at the middle", middle["database"], unit="MB")
    results.add("reports at the end", end["reports"], unit="MB")
    results.add(f"Prefect's database when it grows no more, {SERVING} runs a day that serve events", prefect, unit="MB")
    results.add("all of it", end["database"] + end["reports"] + prefect, 300, "MB")
    results.add("processor time of a last night", statistics.median(old), unit="s")
    results.add("   against a night of a database that has just begun, by turns", _ratio(old, new), 1.2)
    results.add("events that still wait", end["waiting"], 0)
    results.show()
    return 0


def _ratio(old: Sequence[float], new: Sequence[float]) -> float:
    return statistics.median(old) / statistics.median(new)


async def _lived(folder: Path, nights: int) -> tuple[list[dict[str, Any]], list[float], list[float]]:
    """Return what each night has left, and the seconds of further ones: with all that is kept, and with a new database."""
    draw = random.Random(21)
    today = datetime.now(UTC)
    with Sandbox(users=PEOPLE, rate_limits=False) as company, time_machine.travel(today, tick=True) as clock:
        lived, begun = (_settings(company, folder / name) for name in ("lived", "begun"))
        database = folder / "lived" / "store.db"
        measured = []
        for night in range(nights + SETTLED):
            clock.move_to(today + timedelta(days=night))
            if night >= SETTLED:
                async with world(company, f"sqlite:///{database}", database.parent) as here:
                    await _day(here, draw)
            await _night(lived)
            async with world(company, f"sqlite:///{database}", database.parent) as here:
                waiting = tidy(here.runtime).status.waiting
            if night >= SETTLED:
                measured.append({**_kept(database, lived.report_dir), "waiting": waiting})
        for _ in range(SETTLED):
            await _night(begun)
        old, new = [], []
        for _ in range(COMPARED):  # by turns: what else goes on here meets both
            old.append(await _night(lived))
            new.append(await _night(begun))
        return measured, old, new


def _settings(company: Sandbox, folder: Path) -> Settings:
    folder.mkdir()
    settings = settings_for(company.facts(), f"sqlite:///{folder}/store.db", docebo_timeout_seconds=60)
    Store.of(settings).close()
    return settings


async def _night(settings: Settings) -> float:
    """Import everybody, write the reports, and return the seconds of processor time."""
    spent = time.process_time()
    done = await run_import(settings)
    with Store.of(settings) as store:
        write_files(store, done.plan.id, settings.report_dir)
    spent = time.process_time() - spent
    for path in settings.report_dir.glob(f"{done.plan.id}*"):  # as if written then: files have the machine's own clock
        os.utime(path, (time.time(), time.time()))
    return spent


async def _day(here: World, draw: random.Random) -> None:
    """Change people as a day does: one joins, one leaves, others are called or placed differently."""
    slack = here.sandbox.slack
    people = draw.sample([user["id"] for user in slack.of_kind("member") if not user.get("deleted")], EVENTS - 1)
    stamp = f"{draw.randrange(10**9):x}"
    slack.change(people[0], {"deleted": True})
    for one in people[1:]:
        change = {"title": f"{draw.choice(TEAM)} {stamp}"} if draw.random() < 0.5 else {"last_name": f"Name {stamp}"}
        slack.change(one, {"profile": change})
    people.append(slack.add("New", f"Person {stamp}", f"new.{stamp}@example.com")["id"])
    here.put(*(here.event(one) for one in people))
    await here.serve()


def _kept(database: Path, reports: Path) -> dict[str, Any]:
    files = (path.stat().st_size for path in reports.rglob("*") if path.is_file())
    return {"database": database.stat().st_size / 1e6, "reports": sum(files) / 1e6}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
