import asyncio
import shutil
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slack_docebo.storage.budget import HOUR, CallBudget
from slack_docebo.storage.store import Store

DOCEBO = "https://lms.example.com"


class Clock:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Waited(Exception):
    """Raised instead of sleeping."""


async def refuse(seconds: float) -> None:
    raise Waited


@pytest.fixture
def clock() -> Clock:
    return Clock()


def budget(store: Store, clock: Clock, per_hour: int = 12) -> CallBudget:
    return CallBudget(store, DOCEBO, per_hour, clock=clock, sleep=clock.sleep)


async def spend(calls: CallBudget, number: int) -> None:
    for _ in range(number):
        await calls.spend()


@pytest.mark.long
async def test_half_of_the_budget_is_spent_at_once_and_the_rest_evenly(store, clock):
    calls = budget(store, clock)
    began = clock.now
    await spend(calls, 6)
    assert clock.now == began

    await spend(calls, 3)
    assert clock.now - began == pytest.approx(1800)


@settings(max_examples=15)
@given(per_hour=st.integers(10, 40), pauses=st.lists(st.floats(0, 3000), max_size=60))
@pytest.mark.long
async def test_no_hour_sees_more_calls_than_it_should(migrated_sqlite, per_hour, pauses):
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(f"sqlite:///{shutil.copy(migrated_sqlite, folder)}") as store,
    ):
        clock, made = Clock(), []
        calls = budget(store, clock, per_hour)
        for pause in [*pauses, *[0.0] * per_hour]:
            clock.now += pause
            await calls.spend()
            made.append(clock.now)

    assert all(later - earlier > HOUR - 1 for earlier, later in zip(made, made[per_hour:], strict=False))


@pytest.mark.long
async def test_what_is_left_shrinks_with_calls_and_grows_with_time(store, clock):
    calls = budget(store, clock)
    assert calls.left() == 6
    await spend(calls, 6)
    assert calls.left() == 0
    clock.now += 900
    assert calls.left() == 1
    clock.now += 7200
    assert calls.left() == 6


@pytest.mark.variants(1)
async def test_every_docebo_has_its_own_budget(store, clock):
    await spend(budget(store, clock), 3)

    assert CallBudget(store, "https://other.example.com", 12, clock=clock).left() == 6


async def test_processes_share_one_budget(store, database_url, clock):
    """Each store has its own connections, as a process has."""
    with Store.open(database_url) as other:
        shared = [CallBudget(each, DOCEBO, 10, clock=clock, sleep=refuse) for each in (store, other)]
        outcomes = await asyncio.gather(*(calls.spend() for calls in shared for _ in range(8)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Waited] * 11
    assert shared[0].left() == 0


async def test_a_clock_set_back_costs_no_more_than_the_usual_wait(store, clock):
    spending = budget(store, clock)
    await spend(spending, 6)
    clock.now -= 86_400
    back = clock.now

    await spending.spend()

    assert clock.now - back == pytest.approx(600)
