"""What docs/performance.md states, measured: `python -m bench`, or `python -m bench NAME ...` for some of it."""
