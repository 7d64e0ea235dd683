"""Figures of runs, for monitoring: from the database, which outlives every run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.storage.budget import part_left
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.reads import docebo_source, slack_source
from slack_docebo.storage.tables import Tables

DAY = timedelta(days=1)
OPERATIONS = tuple(kind for kind in Kind if kind is not Kind.LEAVE)
OUTCOMES = (Outcome.APPLIED, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Figures:
    """How runs went lately; a moment that is missing has not come yet."""

    milestones: Mapping[Milestone, datetime] = field(default_factory=dict)
    reads: Mapping[str, datetime] = field(default_factory=dict)  # last complete one, by "slack" and "docebo"
    people: Mapping[tuple[Kind, Outcome], int] = field(default_factory=dict)  # of the last day
    unacknowledged: int = 0  # events that are parked, but for those of which somebody has said that it may stay so
    calls_left: float = 1.0  # part of the calls to Docebo that may be made at once
    seconds: Sequence[float] = ()  # from event to account, of the events of the last day

    def age(self, reached: Milestone, now: datetime) -> int | None:
        """Return how many seconds ago it last happened; None if it never did."""
        at = self.milestones.get(reached)
        return None if at is None else max(0, round((now - at).total_seconds()))


def read_figures(tables: Tables, docebo: str | None) -> Figures:
    """Return the figures of *docebo*, or of the only Docebo of this database where none is named."""
    now = datetime.now(UTC)
    link = tables.links.of(docebo)
    parked = tables.inbox.status().parked
    if link is None:
        return Figures(tables.milestones.last(docebo, now=now) if docebo else {}, unacknowledged=parked)
    reads = {
        "slack": tables.reads.last(slack_source(link.slack_team)),
        "docebo": tables.reads.last(docebo_source(link.docebo)),
    }
    people = Counter[tuple[Kind, Outcome]]()
    for (_, kind, outcome), count in tables.journal.people_by_day(link.docebo, now - DAY).items():
        people[kind, outcome] += count
    return Figures(
        milestones=tables.milestones.last(link.docebo, now=now),
        reads={side: read.proven_at for side, read in reads.items() if read},
        people=people,
        unacknowledged=parked - tables.parked_as_acknowledged(link.slack_team),
        calls_left=part_left(tables, link.docebo, now.timestamp()),
        seconds=tables.inbox.seconds_to_apply(now - DAY),
    )
