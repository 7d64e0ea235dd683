"""Stories drawn from seeds: no promise breaks."""

import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from unittest.mock import patch

import pytest

from slack_docebo.domain.returns import Returns
from tests.simulation.apart import apart
from tests.simulation.clock import BEGINNING, Deadlock, virtual_time
from tests.simulation.exploring import Explored, Finding, explore, finding
from tests.simulation.promises import Promise
from tests.simulation.stage import play, told
from tests.simulation.story import FIRST_LATER, Step, Story, draw, shortened

OTHERS = [*range(1, 32), FIRST_LATER + 1]
# By kind of breach, as in docs/safety.md: a seed whose story showed it by itself, until it, or the judge, was mended.
MENDED = [
    (1, Promise.ONLY_OWN, 2),
    (1, Promise.ONLY_OWN, 20000118),
    (1, Promise.ONLY_OWN, 260000100),
    (1, Promise.ONLY_OWN, 94000215),
    (1, Promise.ONLY_OWN, 27000000818),
    (2, Promise.SECOND_ACCOUNT, 163),
    (2, Promise.SECOND_ACCOUNT, 1219),
    (2, Promise.SECOND_ACCOUNT, 240000100),
    (2, Promise.SECOND_ACCOUNT, 270000757),
    (2, Promise.SECOND_ACCOUNT, 1400001062),
    (2, Promise.SECOND_ACCOUNT, 17100000300),
    (3, Promise.LIMITS, 31),
    (3, Promise.LIMITS, 16000000464),
    (4, Promise.NEWEST, 164),
    (4, Promise.NEWEST, 10000001323),
    (4, Promise.NEWEST, 210000671),
    (4, Promise.NEWEST, 220000440),
    (4, Promise.NEWEST, 77100158),
    (4, Promise.NEWEST, 1610000710),
    (5, Promise.OWN_DATA, 275),
    (5, Promise.OWN_DATA, 1386),
    (5, Promise.OWN_DATA, 71000541),
    (5, Promise.OWN_DATA, 220000313),
    (5, Promise.OWN_DATA, 220000516),
    (5, Promise.OWN_DATA, 10000000052),
    (5, Promise.OWN_DATA, 10000000350),
    (5, Promise.OWN_DATA, 10000002152),
    (5, Promise.OWN_DATA, 22100001226),
    (5, Promise.SHIELDED, 22100001226),
    (5, Promise.ABSENCE, 10000000139),
    (5, Promise.OWN_DATA, 3100000343),
    (5, Promise.OWN_DATA, 3100000416),
    (5, Promise.OWN_DATA, 3100000726),
    (6, Promise.TRUE_OUTCOME, 4),
    (6, Promise.TRUE_OUTCOME, 91),
    (6, Promise.TRUE_OUTCOME, 7603),
    (6, Promise.TRUE_OUTCOME, 300001198),
    (6, Promise.TRUE_OUTCOME, 3100000170),
    (6, Promise.RECORDED, 5300071),
    (6, Promise.RECORDED, 210000844),
    (7, Promise.ADMINISTRATORS, 240),
    (7, Promise.ADMINISTRATORS, 240001091),
    (7, Promise.FORGOTTEN, 5134),
    (7, Promise.FORGOTTEN, 310000176),
    (7, Promise.FORGOTTEN, 21000000123),
    (8, Promise.ABSENCE, 87),
    (8, Promise.ABSENCE, 10000000640),
    (8, Promise.ABSENCE, 10000000825),
    (9, Promise.FENCED, 52),
    (9, Promise.FENCED, 310001191),
    (10, Promise.EVERYBODY, 17),
    (10, Promise.EVERYBODY, 24000001357),
    (10, Promise.SECOND_ACCOUNT, 24000000912),
    (11, Promise.UNDISTURBED, 261),
    (11, Promise.UNDISTURBED, 60000433),
    (12, Promise.SHORT_READ, 1),
    (12, Promise.SHORT_READ, 50000247),
    (12, Promise.SHORT_READ, 1610001063),
    (12, Promise.UNDISTURBED, 880043),
    (13, Promise.BACKED_UP, 22100001196),
    (13, Promise.BACKED_UP, 98),
    (13, Promise.CAUGHT_UP, 230000014),
    (14, Promise.QUIET, 47),
    (15, Promise.PRIVATE, 115),
    (16, Promise.GRACE, 200000503),
    (16, Promise.GRACE, 210000790),
    (16, Promise.GRACE, 8000000323),
    (16, Promise.GRACE, 13100000198),
    (17, Promise.SHIELDED, 200001225),
    (17, Promise.PLACED, 60000421),
    (17, Promise.PLACED, 73000026),
    (17, Promise.PLACED, 73000085),
    (17, Promise.PLACED, 1500001470),
    (17, Promise.PLACED, 3100001133),
    (17, Promise.CAUGHT_UP, 81000939),
    (17, Promise.STAYS, 200000105),
    (17, Promise.STAYS, 210000679),
    (18, Promise.KNOWN, 20000553),
    (18, Promise.KNOWN, 60000022),
    (19, Promise.UNDONE, 200001203),
    (19, Promise.UNDONE, 210000318),
    (19, Promise.UNDONE, 3100000735),
    (21, Promise.FROZEN, 7000000018),
    (22, Promise.ABSENCE, 9000000036),
    (23, Promise.ABSENCE, 4000005110),
]
SECONDS = float(os.environ.get("SIMULATION_SECONDS", "600"))


def explored_stories(seeds: Iterable[int], seconds: float = float("inf")) -> tuple[list[Finding], Explored]:
    explored = Explored()
    return list(explore(explored, seeds, seconds=seconds)), explored


@pytest.mark.parametrize("seed", [0, FIRST_LATER, *(pytest.param(seed, marks=pytest.mark.long) for seed in OTHERS)])
def test_no_promise_breaks(seed: int) -> None:
    found, explored = apart(explored_stories, [seed])
    assert not found, "\n" + "\n\n".join(map(str, found))
    assert explored.stories == 1
    assert explored.steps > 100


@pytest.mark.long  # test_kinds.py has a short story of each
@pytest.mark.parametrize(("kind", "promise", "seed"), MENDED)
def test_the_promise_holds_in_the_story_of_a_seed_that_showed_a_kind(kind: int, promise: Promise, seed: int) -> None:
    assert promise not in apart(play, draw(seed)).broken


@pytest.mark.long
def test_no_promise_breaks_in_stories_that_nobody_has_seen_yet() -> None:
    first = random.SystemRandom().randrange(1_000_000_000)
    found, explored = apart(explored_stories, itertools.count(first), seconds=SECONDS)
    print(f"{explored.stories} stories from seed {first} on, {explored.steps} steps")
    assert not found, "\n" + "\n\n".join(map(str, found))


@pytest.mark.long
def test_a_seed_tells_the_same_story_in_every_process() -> None:
    seeds = (52,)
    script = (
        "import sys; from tests.simulation.stage import *; from tests.simulation.story import draw\n"
        "for seed in map(int, sys.argv[1:]): print(told(draw(seed), play(draw(seed))))"
    )
    here = "".join(told(draw(seed), apart(play, draw(seed))) + "\n" for seed in seeds)
    # There, sets of texts have another order.
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", script, *map(str, seeds)]
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout == here


def test_a_story_is_shortened_to_what_it_takes() -> None:
    chance = random.Random(3)
    steps = tuple(Step(float(number), chance.choice(["hire", "leave", "rename"])) for number in range(30))
    needed = {steps[4], steps[21]}
    short = shortened(Story(5, (), steps), lambda story: needed <= set(story.steps))
    assert set(short.steps) == needed


def test_a_finding_is_told_in_steps_that_a_person_can_read() -> None:
    steps = (Step(0, "import"), Step(3600, "rehire", (1,)), Step(7200, "rename", (2,)))
    story = Story(5, (("LEAVERS", "deactivate"),), steps)
    found = str(apart(finding_where_nobody_is_told_of_who_returns, story))
    assert "seed 7, shortened" in found
    assert "60 min  rehire person 1" in found
    assert "rename person 2" not in found
    assert f"BROKEN  {Promise.EVERYBODY}" in found


def finding_where_nobody_is_told_of_who_returns(story: Story) -> Finding:
    with (
        patch.object(Returns, "settle", return_value=set()),
        patch("slack_docebo.engine.reporting.summary.is_undecided", return_value=False),
    ):
        return finding(7, story, Promise.EVERYBODY)


def test_hours_pass_without_waiting_and_a_standstill_is_noticed() -> None:
    assert apart(time_after_five_hours_and_a_standstill) == BEGINNING + 5 * 3600


def time_after_five_hours_and_a_standstill() -> float:
    with virtual_time() as loop:
        loop.run_until_complete(asyncio.sleep(5 * 3600))
        with pytest.raises(Deadlock):
            loop.run_until_complete(loop.create_future())
        return time.time()


def test_years_pass_as_hours_do() -> None:
    assert apart(time_after_three_years) == BEGINNING + 3 * 365 * 24 * 3600


def time_after_three_years() -> float:
    with virtual_time() as loop:
        for _ in range(3):
            loop.run_until_complete(asyncio.sleep(365 * 24 * 3600))
        return time.time()
