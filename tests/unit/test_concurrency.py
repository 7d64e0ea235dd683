import asyncio
import subprocess
import sys
import threading

import pytest

from slack_docebo.concurrency import within


async def test_what_ends_in_time_gives_its_result_or_its_error():
    assert await within(10, sorted, [2, 1]) == [1, 2]
    with pytest.raises(ZeroDivisionError):
        await within(10, divmod, 1, 0)


async def test_what_does_not_end_is_left_to_itself():
    never = threading.Event()
    with pytest.raises(TimeoutError):
        await within(0.05, never.wait)

    never.set()
    await asyncio.sleep(0.05)  # its late end disturbs nobody


def test_a_process_ends_without_what_was_left_to_itself():
    code = (
        "import asyncio, time; from slack_docebo.concurrency import within; asyncio.run(within(0.05, time.sleep, 60))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert ended.stderr.splitlines()[-1] == "TimeoutError"
