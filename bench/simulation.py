"""The simulation: how many steps, calls and changes, are played in a second of one core's time."""

import time
from statistics import median

from bench.table import Results
from tests.simulation.stage import play
from tests.simulation.story import draw

STORIES = 20  # each time
TIMES = 3
LEAST = 300  # steps a second


def main() -> None:
    """Play the same stories several times and print the median."""
    play(draw(0))  # what is imported and made once
    rates = [rate(range(STORIES)) for _ in range(TIMES)]
    results = Results("Simulation")
    results.add("steps in a second of CPU", median(rates), unit="/s")
    results.add("CPU of a step", 1000 / median(rates), 1000 / LEAST, "ms")
    results.show()


def rate(seeds: range) -> float:
    """Return the steps in a second of this process's time, over the stories of *seeds*."""
    begun = time.process_time()
    steps = sum(play(draw(seed)).steps for seed in seeds)
    return steps / (time.process_time() - begun)


if __name__ == "__main__":
    main()
