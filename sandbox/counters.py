"""Counters of the calls to a server."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Counters:
    """Calls, refusals and rows per method, and the rules a client broke."""

    calls: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def reset(self) -> None:
        self.calls.clear()
        self.refused.clear()
        self.rows.clear()
        self.violations.clear()

    def as_dict(self) -> dict[str, Any]:
        return {
            "calls": dict(self.calls),
            "refused": dict(self.refused),
            "rows": dict(self.rows),
            "violations": list(self.violations),
        }
