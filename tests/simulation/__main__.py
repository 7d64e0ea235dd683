"""`python -m tests.simulation [SEED]`: explore from this seed on, without end; with `--play SEED`: tell one story."""

import argparse
from collections.abc import Sequence

from tests.simulation.exploring import endlessly
from tests.simulation.stage import play, told
from tests.simulation.story import FIRST_LATER, draw


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("first", nargs="?", type=int, default=FIRST_LATER, metavar="SEED", help="where to begin")
    parser.add_argument("--play", type=int, metavar="SEED", help="play the story of this seed, and tell it in full")
    options = parser.parse_args(arguments)
    if options.play is None:
        endlessly(options.first, lambda text: print(text, flush=True))
        return
    story = draw(options.play)
    print(told(story, play(story)))


if __name__ == "__main__":
    main()
