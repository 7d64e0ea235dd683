"""Entries of a list that somebody has written: a wrong one is named by its place, for it may hold somebody's address."""

from collections.abc import Callable, Iterable
from typing import TypeVar

E = TypeVar("E")
R = TypeVar("R")


def read_each(entries: Iterable[E], read: Callable[[E], R], *, called: str) -> tuple[R, ...]:
    """Return what *read* makes of each entry; raise ValueError with the place of the first that is wrong."""
    found: list[R] = []
    try:
        for entry in entries:
            found.append(read(entry))  # noqa: PERF401 - how many were read before the wrong one is told
    except ValueError as error:
        raise ValueError(f"{called} {len(found) + 1}: {error}") from None
    return tuple(found)
