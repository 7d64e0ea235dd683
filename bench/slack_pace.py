"""Reading everybody at the pace that Slack documents for its list, of which it takes 20 calls a minute."""

import asyncio
import tempfile
import time
from functools import partial

from bench.table import Results
from sandbox.server import Sandbox
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from tests.importing import ON, settings_for

PEOPLE = 10_000
BARS = {1_000: 15, 200: 150}  # seconds, by people a page


def main() -> None:
    """Measure and print."""
    results = Results(f"Reading {PEOPLE:,} people from a Slack that refuses the 21st call of a minute")
    with tempfile.TemporaryDirectory() as name, Sandbox(users=PEOPLE, docebo_users=0) as sandbox:
        for page_size, bar in BARS.items():
            pace = Settings.model_fields["slack_calls_per_minute"].default
            settings = settings_for(
                sandbox.facts(),
                f"sqlite:///{name}/store.db",
                slack_page_size=page_size,
                slack_calls_per_minute=pace,
            )
            sandbox.reset()
            begun = time.monotonic()
            asyncio.run(_read(settings))
            results.add(f"{page_size:,} people a page, the checks before included", time.monotonic() - begun, bar, "s")
    results.show()


async def _read(settings: Settings) -> None:
    async with open_runtime(settings, read_rows(table(ON)), run_id="bench") as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
            assert people.people >= PEOPLE


if __name__ == "__main__":
    main()
