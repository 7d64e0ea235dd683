"""Reading custom profile fields: what nights ask Slack for, also when the first is killed five times. No latency, no pace."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import time_machine
from sqlalchemy import select

from bench.table import Results
from sandbox.server import Sandbox
from slack_docebo.clients.slack import PACES
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.profiles import due, read_profiles
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.schema import profile
from slack_docebo.storage.store import Store
from tests.importing import ON, settings_for

RULES = "first_name, last_name, email, field:Department = custom:Department"
KILLS = 5
TIER_4 = 100  # calls a minute


def main(arguments: Sequence[str] = ()) -> int:
    """Play a first night with deaths, the night after it and a week of them, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.custom_fields", description=__doc__)
    parser.add_argument("people", nargs="?", type=int, default=10_000)
    people = parser.parse_args(arguments).people
    results = Results(f"Custom profile fields of {people:,} people")
    folder = tempfile.TemporaryDirectory(prefix="slack-docebo-bench-")
    # The sandbox is in this process, so that it has the same clock.
    with folder as name, Sandbox(users=people, docebo_users=0, rate_limits=False) as company:
        settings = settings_for(company.facts(), f"sqlite:///{name}/store.db")
        calls = [asyncio.run(_night(settings, dies_after=people // (KILLS + 1))) for _ in range(KILLS)]
        calls.append(asyncio.run(_night(settings)))
        known = _known(settings)
        nights = []
        for day in range(1, 8):
            with time_machine.travel(datetime.now(UTC) + timedelta(days=day)):
                nights.append(asyncio.run(_night(settings)))
    results.add(f"the first night, killed {KILLS} times: people read twice", sum(calls) - known, KILLS)
    results.add("pace, of Slack's limit", PACES["users.profile.get"], TIER_4, "calls a minute")
    results.add("a night in which nothing changed: people read, at most", max(nights), known / 7)
    results.add("seven such nights: people read", sum(nights), known)
    results.show()
    return 0


async def _night(settings: Settings, *, dies_after: int = 0) -> int:
    """Read who is due, at most until the run dies, and return how many calls that took."""
    behaviour = read_rows(table({**ON, "ATTRIBUTES": RULES, "PROFILE_MINUTES": "1440"}))
    async with open_runtime(settings, behaviour, run_id="bench") as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
            to_read = due(runtime, workspace, people)

            def die(_people: int) -> None:
                if dies_after and runtime.calls["users.profile.get"] >= dies_after:
                    raise SystemExit

            with suppress(SystemExit):
                await read_profiles(runtime, workspace, to_read, die)
        return runtime.calls.get("users.profile.get", 0)


def _known(settings: Settings) -> int:
    with Store.of(settings) as store, store.reading() as tables:
        return len(tables.connection.execute(select(profile.c.slack_id)).all())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
