"""The result of a run on the inbox, in numbers and in words."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from slack_docebo.domain.planning import Kind
from slack_docebo.domain.standing import WAITING
from slack_docebo.engine.reporting.report import DONE

PLANS_SHOWN = 50


@dataclass(slots=True)
class ServeResult:
    """The result of a run on the inbox: what became of its events, in numbers."""

    events: int = 0
    superseded: int = 0
    in_line: int = 0  # nothing that is mapped has changed
    left: int = 0  # people whom the rules leave alone
    undecided: int = 0  # of those, who newly wait for a decision
    retried: int = 0
    parked: int = 0
    held: int = 0  # events that would exceed a limit
    incident: str = ""  # and with which they wait to be let through
    rounds: int = 0
    elsewhere: str = ""  # who is at work instead, and sees to it
    operations: Counter[Kind] = field(default_factory=Counter)  # people, by what was applied
    plans: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  # by stage

    @property
    def line(self) -> str:
        """One line without a name in it, for states, logs and notifications."""
        if self.elsewhere:
            return f"another run is at work and will see to the waiting events: {self.elsewhere}"
        if not self.events:
            return "no event was waiting"
        parts = [f"{people} {DONE[kind]}" for kind, people in sorted(self.operations.items())]
        rest = {
            DONE[Kind.LEAVE]: self.left,
            WAITING: self.undecided,
            "in line": self.in_line,
            "superseded": self.superseded,
            "to be retried": self.retried,
            "parked": self.parked,
            f"held back by a limit, as incident {self.incident}": self.held,
        }
        parts += [f"{number} {what}" for what, number in rest.items() if number]
        return f"{self.events} {'event' if self.events == 1 else 'events'}: {', '.join(parts) or 'none is done yet'}"

    def markdown(self, first: Iterable[str] = ()) -> str:
        """Return the summary as a page: what comes *first*, counts, stages, plans."""
        lines = [f"# {self.line}", "", *first, f"{self.rounds} rounds.", "", "| stage | seconds |", "|---|--:|"]
        lines += [f"| {stage} | {seconds:.2f} |" for stage, seconds in self.seconds.items()]
        if self.plans:
            lines += ["", f"Plans, the last {PLANS_SHOWN} at the most: {', '.join(self.plans[-PLANS_SHOWN:])}"]
        return "\n".join(lines)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of the block under *stage*."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - begun
