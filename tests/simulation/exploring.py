"""Exploring: stories are played one after the other; each that breaks a promise in a new way is shortened and told."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.simulation.promises import Promise
from tests.simulation.stage import play, told
from tests.simulation.story import Story, draw, shortened


@dataclass(frozen=True)
class Finding:
    """The shortest story found that breaks a promise, and the seed of the story from which it was shortened."""

    seed: int
    promise: Promise
    story: str

    def __str__(self) -> str:
        return f"seed {self.seed}, shortened:\n{self.story}"


@dataclass
class Explored:
    """How far an exploration came."""

    stories: int = 0
    steps: int = 0  # calls and changes


def explore(
    explored: Explored, seeds: Iterable[int], *, known: Iterable[Promise] = (), seconds: float = float("inf")
) -> Iterator[Finding]:
    """Play the stories of *seeds* for *seconds*; yield each breach of a promise that is neither *known* nor found yet."""
    seen = set(known)
    end = time.monotonic() + seconds
    for seed in seeds:
        if time.monotonic() >= end:
            return
        story = draw(seed)
        played = play(story)
        explored.stories += 1
        explored.steps += played.steps
        for promise in sorted(played.broken - seen):
            seen.add(promise)
            yield finding(seed, story, promise)


def finding(seed: int, story: Story, promise: Promise) -> Finding:
    """Shorten *story*, in which *promise* is broken."""

    def breaks(shorter: Story) -> bool:
        return promise in play(shorter).broken

    short = shortened(story, breaks)
    return Finding(seed, promise, told(short, play(short)))


def endlessly(first: int, show: Callable[[str], None]) -> None:
    """Explore from seed *first* on; show each finding and, now and then, how many stories were played."""
    explored = Explored()
    begun = time.monotonic()
    seeds = itertools.count(first)

    def watched() -> Iterator[int]:
        for seed in seeds:
            if explored.stories and explored.stories % 100 == 0:
                rate = explored.steps / (time.monotonic() - begun)
                show(f"{explored.stories} stories, {explored.steps} steps, {rate:.0f} a second; next is seed {seed}")
            yield seed

    for found in explore(explored, watched()):
        show(f"\n{found}\n")
