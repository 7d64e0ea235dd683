"""`python -m bench [NAME ...]`: run all benchmarks, or those named."""

import sys
from importlib import import_module

NAMES = ("bulk_import", "faults", "reset", "webhook", "realtime")

if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        import_module(f"bench.{name}").main()
