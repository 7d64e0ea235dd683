"""One flow run in a process of its own: `python -m bench.flow_process PARAMETERS-AS-JSON`; prints what it cost as JSON."""

import asyncio
import json
import resource
import sys
import time

from prefect import flow

from flows.bulk_import import bulk_import


@flow(name="idle")
async def idle() -> None:
    """Do nothing: what Prefect itself takes."""


async def _run(parameters: dict[str, object] | None) -> dict[str, object]:
    begun = time.perf_counter()
    state = await (idle(return_state=True) if parameters is None else bulk_import(**parameters, return_state=True))
    seconds = time.perf_counter() - begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "state": state.name,
        "message": state.message,
        "seconds": seconds,
        "peak_mb": usage.ru_maxrss / 1024,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(json.loads(sys.argv[1])))))
