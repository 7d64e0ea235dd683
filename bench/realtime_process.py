"""One run of real time without Prefect, in a process of its own: `python -m bench.realtime_process ROWS-AS-JSON LINGER`.

Prints what became of the events, as JSON.
"""

import asyncio
import json
import resource
import sys

from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.realtime.serving import InboxLease, serve
from slack_docebo.errors import SyncError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings, load_settings


async def run(rows: dict[str, str], linger_seconds: int) -> dict[str, object]:
    """Serve the inbox as one run does, and return what it did and took."""
    served = ServeResult()
    async with open_runtime(load_settings(Settings), read_rows(table(rows)), run_id="process") as runtime:
        with InboxLease(runtime) as turn:
            if turn.take():
                workspace = await validate(runtime)
                print(json.dumps({"ready": True}), flush=True)
                await serve(runtime, workspace, turn, served, linger_seconds=linger_seconds)
    return {
        "line": served.line,
        "rounds": served.rounds,
        "seconds": served.seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    try:
        print(json.dumps(asyncio.run(run(json.loads(sys.argv[1]), int(sys.argv[2])))))
    except SyncError as error:
        sys.exit(str(error))
