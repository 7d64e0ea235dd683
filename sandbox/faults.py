"""Faults: which calls fail, how, and how often."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

ANY_METHOD = "*"


@dataclass
class Fault:
    """One fault: *skip* calls of *method* pass, then *times* of them fail."""

    method: str
    kind: str
    times: int = 1
    skip: int = 0
    options: dict[str, Any] = field(default_factory=dict)


class Faults:
    """The faults of one server, the oldest first."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._kinds = frozenset(kinds)
        self._orders: list[Fault] = []

    def add(self, method: str, kind: str, *, times: int = 1, skip: int = 0, **options: Any) -> None:
        """Add a fault; raise ValueError for a kind that this server does not know, and for impossible numbers."""
        if kind not in self._kinds:
            raise ValueError(f"unknown fault {kind!r}; this server knows {', '.join(sorted(self._kinds))}")
        if type(times) is not int or times == 0 or type(skip) is not int or skip < 0:
            raise ValueError("times is how many calls go wrong, -1 for all; skip, how many are let through before")
        self._orders.append(Fault(method, kind, times=times, skip=skip, options=options))

    def take(self, method: str) -> Fault | None:
        """Return the fault that is due for this call of *method*, if there is one, and count it as done."""
        for fault in self._orders:
            if fault.method not in (method, ANY_METHOD):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times == 0:
                self._orders.remove(fault)
            return fault
        return None

    def clear(self) -> None:
        self._orders.clear()

    def pending(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._orders]
