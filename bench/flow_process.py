"""One flow run in a process of its own: `python -m bench.flow_process PARAMETERS-AS-JSON`; prints what it cost as JSON."""

import asyncio
import json
import resource
import sys
import time
from typing import Any

from prefect import flow
from prefect.client.orchestration import get_client

from flows.bulk_import import bulk_import


@flow(name="idle")
async def idle() -> None:
    """Do nothing: what Prefect itself takes."""


async def _run(parameters: dict[str, object] | None) -> dict[str, object]:
    begun = time.perf_counter()
    run: Any = idle(return_state=True) if parameters is None else bulk_import(**parameters, return_state=True)
    state = await run
    seconds = time.perf_counter() - begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    async with get_client() as client:
        flow_run = await client.read_flow_run(state.state_details.flow_run_id)
    return {
        "state": state.name,
        "message": state.message,
        "seconds": flow_run.total_run_time.total_seconds(),  # from its beginning to its end, as its page says
        "seconds_with_creation": seconds,
        "peak_mb": usage.ru_maxrss / 1024,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(json.loads(sys.argv[1])))))
