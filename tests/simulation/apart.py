"""A process of its own for stories: virtual time moves all clocks of the process in which it runs.

A server in a thread beside a story would compute its waits by clocks that jump, and sleep for hours.
"""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def apart(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Call *function* in that process, which is started at the first call, and return what it returns."""
    return _process().submit(function, *arguments, **named).result()


@cache
def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn"))
