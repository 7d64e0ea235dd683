"""The result of a run on the inbox: what became of each event, in numbers, in words and as a table."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from slack_docebo.domain.moments import to_the_second
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.standing import WAITING, is_undecided
from slack_docebo.domain.texts import number_of
from slack_docebo.engine.reporting.attention import attention_row
from slack_docebo.engine.reporting.outcomes import DONE
from slack_docebo.engine.reporting.shown import Cells
from slack_docebo.errors import Halted
from slack_docebo.storage.events import InboxEntry

PLANS_SHOWN = 50
ROWS_SHOWN = 200


class Became(StrEnum):
    """What became of an event."""

    AT_WORK = "at work"
    APPLIED = "applied"
    LEFT = "left alone"
    IN_LINE = "in line"  # nothing that is mapped has changed
    SUPERSEDED = "superseded"
    RETRIED = "to be retried"
    PARKED = "parked"
    ACKNOWLEDGED = "parked, as acknowledged"  # somebody knows that it fails for this reason
    HELD = "held back"  # by a limit


OF_NEED = {Became.PARKED: Outcome.FAILED, Became.LEFT: Outcome.LEFT}
"""The events that somebody may have to look at, with the outcome that they count as."""


@dataclass(slots=True)
class ServedEvent:
    """One event and its latest result; it counts once, however often it was tried."""

    slack_id: str
    received_at: datetime
    became: Became = Became.AT_WORK
    kind: Kind | None = None  # of what was applied
    why: str = ""
    at: datetime | None = None
    incident: str = ""  # with which it waits to be let through, if it is held back

    @property
    def row(self) -> Cells:
        """The event as a row of a table."""
        return {
            "Slack user": self.slack_id,
            "what": DONE[self.kind] if self.kind else self.became,
            "event came": to_the_second(self.received_at),
            "seconds until then": f"{(self.at - self.received_at).total_seconds():.1f}" if self.at else "",
            "why": self.why,
        }


@dataclass(slots=True)
class ServeResult:
    """The result of a run on the inbox: its events by their ids, and the rounds, plans and seconds it took."""

    served: dict[str, ServedEvent] = field(default_factory=dict)  # in the order in which something became of them
    undecided: int = 0  # people who newly wait for a decision
    rounds: int = 0
    elsewhere: str = ""  # the run that is at work instead, and applies or has applied the events
    order: Halted | None = None  # by which nobody may write now, so that all events wait
    plans: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  # by stage
    managers_tried: dict[int, str] = field(default_factory=dict)  # by account, the name of a manager not written yet

    def take(self, entries: Iterable[InboxEntry]) -> None:
        """Add claimed events that are not here yet."""
        for entry in entries:
            event = entry.event
            self.served.setdefault(event.event_id, ServedEvent(event.slack_id, event.received_at))

    def drop_unfinished(self) -> None:
        """Remove the unfinished events, which this run leaves to another one."""
        self.served = {one: event for one, event in self.served.items() if event.became is not Became.AT_WORK}

    def note(
        self,
        event_ids: Iterable[str],
        became: Became,
        at: datetime,
        *,
        kind: Kind | None = None,
        why: str = "",
        incident: str = "",
    ) -> None:
        """Note what became of events that were added by `take`."""
        for event_id in event_ids:
            if event := self.served.pop(event_id, None):
                self.served[event_id] = replace(event, became=became, kind=kind, why=why, at=at, incident=incident)

    def wrote_nothing(self, event_ids: Iterable[str]) -> bool:
        """Tell whether nothing was written for these events."""
        return not any(self.served[one].kind for one in event_ids if one in self.served)

    def ids(self, became: Became) -> set[str]:
        """Return the ids of the events that ended like this."""
        return {event_id for event_id, event in self.served.items() if event.became is became}

    def count(self, became: Became) -> int:
        """Return how many events ended like this."""
        return len(self.ids(became))

    @property
    def events(self) -> int:
        return len(self.served)

    @property
    def parked(self) -> int:
        return self.count(Became.PARKED)

    @property
    def held(self) -> int:
        return self.count(Became.HELD)

    @property
    def incidents(self) -> Counter[str]:
        """How many events are held back, by the incident with which they wait to be let through."""
        return Counter(event.incident for event in self.served.values() if event.became is Became.HELD)

    @property
    def left(self) -> int:
        """How many people were left alone by the rules."""
        return len({event.slack_id for event in self.served.values() if event.became is Became.LEFT})

    @property
    def _applied_by_others(self) -> int:
        """How many events another run has applied, so that the operation is not known here."""
        return sum(event.became is Became.APPLIED and not event.kind for event in self.served.values())

    @property
    def operations(self) -> Counter[Kind]:
        """How many people were changed, by kind of operation."""
        return Counter(kind for kind, _ in {(event.kind, event.slack_id) for event in self.served.values()} if kind)

    @property
    def line(self) -> str:
        """One line without a name in it, for states, logs and notifications."""
        if self.elsewhere and not self.events:
            return f"another run is at work and will see to the waiting events: {self.elsewhere}"
        if self.order:
            return str(self.order)
        if not self.events:
            return "no event was waiting"
        parts = [f"{people} {DONE[kind]}" for kind, people in sorted(self.operations.items())]
        rest = {
            Became.APPLIED: self._applied_by_others,
            DONE[Kind.LEAVE]: self.left,
            WAITING: self.undecided,
            Became.IN_LINE: self.count(Became.IN_LINE),
            Became.SUPERSEDED: self.count(Became.SUPERSEDED),
            Became.RETRIED: self.count(Became.RETRIED),
            Became.PARKED: self.parked,
            Became.ACKNOWLEDGED: self.count(Became.ACKNOWLEDGED),
            **{f"held back by a limit, as incident {one}": held for one, held in self.incidents.items()},
        }
        parts += [f"{number} {what}" for what, number in rest.items() if number]
        by = f"; seen to by the run that is at work: {self.elsewhere}" if self.elsewhere else ""
        return f"{number_of('event', self.events)}: {', '.join(parts) or 'none is done yet'}{by}"

    @property
    def rows(self) -> list[Cells]:
        """The events as rows of a table, at most ROWS_SHOWN, those with the latest result first."""
        return [event.row for event in list(self.served.values())[: -ROWS_SHOWN - 1 : -1]]

    @property
    def in_need(self) -> list[Cells]:
        """A row for everybody who waits for a decision, or whose events are parked."""
        rows = {
            event.slack_id: attention_row(event.slack_id, event.became, outcome, event.why)
            for event in self.served.values()
            if (outcome := OF_NEED.get(event.became)) and (outcome is Outcome.FAILED or is_undecided(event.why))
        }
        return list(rows.values())

    def markdown(self, first: Iterable[str] = ()) -> str:
        """Return the summary as a page: the lines *first*, then counts, stages and plans."""
        lines = [
            f"# {self.line}",
            "",
            *first,
            f"{number_of('round', self.rounds)}.",
            "",
            "| stage | seconds |",
            "|---|--:|",
        ]
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
