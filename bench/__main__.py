"""`python -m bench [NAME ...]`: run all benchmarks, or those named."""

import argparse
from collections.abc import Sequence
from importlib import import_module

NAMES = (
    "bulk_import",
    "evidence",
    "nightly",
    "slack_pace",
    "custom_fields",
    "hierarchy",
    "faults",
    "reset",
    "webhook",
    "siege",
    "realtime",
    "fairness",
    "flow_start",
    "nothing_lost",
    "hostile_texts",
    "simulation",
    "migration",
    "expressions",
    "stopping",
    "redis_lost",
    "idle",
    "arrivals",
    "year",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that *arguments* name."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; none: all of them")
    names = parser.parse_args(arguments).names
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in names or NAMES:
        import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
