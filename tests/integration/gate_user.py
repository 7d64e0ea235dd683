"""A process of its own that goes through the gate: `gate_user.py calls|hang|run URL FOLDER`."""

import asyncio
import sys
import time
from pathlib import Path

from slack_docebo.storage.gate import BatchGate, RunLock
from slack_docebo.storage.store import Store

DOCEBO = "https://lms.example.com"
CALLS = 20


async def calls(gate: BatchGate, folder: Path) -> None:
    """Make calls, each of which fails if it meets another one."""
    for _ in range(CALLS):
        async with gate.call():
            (folder / "inside").mkdir()
            await asyncio.sleep(0.01)
            (folder / "inside").rmdir()


async def hang(gate: BatchGate) -> None:
    """Begin a call that never ends."""
    async with gate.call():
        print("inside", flush=True)
        await asyncio.sleep(600)


def main() -> None:
    what, url, folder = sys.argv[1:]
    with Store.open(url) as store:
        gate = BatchGate(store, DOCEBO, grace_seconds=60, poll_seconds=0.005)
        if what == "calls":
            asyncio.run(calls(gate, Path(folder)))
        elif what == "hang":
            asyncio.run(hang(gate))
        else:
            with RunLock(store, DOCEBO, "bulk-import"):
                print("inside", flush=True)
                time.sleep(600)


if __name__ == "__main__":
    main()
