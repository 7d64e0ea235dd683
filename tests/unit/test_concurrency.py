import asyncio
import gc
import subprocess
import sys
import threading

import pytest

from slack_docebo.concurrency import Shared, side_by_side, within
from tests.waiting import PATIENCE_SECONDS


class Terminated(BaseException):
    """Like Prefect's signal of a run that is cancelled: no `Exception`."""


@pytest.mark.parametrize("first", [ValueError("broken"), Terminated()])
@pytest.mark.parametrize("signal_is_first", [True, False])
async def test_a_signal_that_comes_to_one_of_two_reaches_the_caller_as_it_is(first, signal_is_first):
    async def fail(error: BaseException) -> None:
        raise error

    async def fail_when_cancelled(error: BaseException) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise error

    later = Terminated() if isinstance(first, ValueError) else ValueError("broken")
    pair = fail(first), fail_when_cancelled(later)

    with pytest.raises(Terminated):
        await side_by_side(*(pair if signal_is_first else reversed(pair)))


async def test_the_failure_of_one_cancels_the_other_and_reaches_the_caller():
    cancelled = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await side_by_side(wait(), fail())
    assert cancelled == [1]


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
    code = "import asyncio, time; from slack_docebo.concurrency import Shared, within; asyncio.run(within(0.05, time.sleep, 600))"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )

    assert ended.stderr.splitlines()[-1] == "TimeoutError"


async def test_all_who_ask_at_once_share_one_look():
    looks = []

    async def look() -> int:
        looks.append(1)
        await asyncio.sleep(0.01)
        return len(looks)

    shared = Shared(look, seconds=60, patience=5)

    assert await asyncio.gather(*(shared.get() for _ in range(100))) == [1] * 100
    assert await shared.get() == 1


async def test_after_a_while_a_new_look_is_taken():
    looks = []

    async def look() -> int:
        looks.append(1)
        return len(looks)

    shared = Shared(look, seconds=0, patience=5)

    assert [await shared.get(), await shared.get()] == [1, 2]


async def test_a_look_that_hangs_keeps_nobody_waiting_for_longer_than_the_first():
    begun = []
    end = asyncio.Event()

    async def hang() -> None:
        begun.append(1)
        await end.wait()

    shared = Shared(hang, seconds=60, patience=0.01)

    for _ in range(100):
        with pytest.raises(TimeoutError):
            await shared.get()
    assert begun == [1]
    end.set()
    await asyncio.sleep(0)
    assert await shared.get() is None


async def test_a_look_that_fails_when_nobody_waits_for_it_any_more_is_no_fault_to_log(caplog):
    end = asyncio.Event()

    async def fail() -> None:
        await end.wait()
        raise ValueError("Prefect did not answer")

    shared = Shared(fail, seconds=0, patience=0.01)
    with pytest.raises(TimeoutError):
        await shared.get()
    end.set()
    await asyncio.sleep(0)
    del shared
    gc.collect()

    assert caplog.records == []


async def test_whoever_stops_asking_stops_nobody_elses_look():
    async def look() -> str:
        await asyncio.sleep(0.05)
        return "seen"

    shared = Shared(look, seconds=60, patience=5)
    leaving, staying = asyncio.create_task(shared.get()), asyncio.create_task(shared.get())
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == "seen"
