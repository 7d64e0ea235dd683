"""Parked events: somebody chooses some of them, to be tried again or dropped."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from slack_docebo.domain.texts import number_of
from slack_docebo.engine.realtime.upkeep import SHOWN
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables


class ParkedAction(StrEnum):
    """What is done with parked events."""

    SHOW = "show"
    REPLAY = "replay"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class ParkedChoice:
    """Which parked events are chosen: those with these ids, those that wait with the incident, or all."""

    event_ids: Collection[str] = ()
    incident: str = ""
    everything: bool = False

    def find(self, tables: Tables) -> set[str]:
        """Return the ids of the chosen events.

        Raises ConfigurationError unless exactly one way to choose is used, if there are none, and if one of *event_ids*
        is not parked.
        """
        if (bool(self.event_ids), bool(self.incident), self.everything).count(True) != 1:
            raise ConfigurationError(
                "choose the parked events in one way: by their ids, by an incident, or all of them"
            )
        parked = tables.inbox.parked_ids(None if self.everything or self.incident else self.event_ids, self.incident)
        if unknown := sorted(set(self.event_ids) - parked):
            raise ConfigurationError(
                f"nothing was changed: these events are not parked, or no longer: {', '.join(unknown)}"
            )
        if not parked:
            raise ConfigurationError("nothing was changed: none of these events is parked")
        return parked


def told_of_parked(store: Store) -> str:
    """Say how many events are parked and, if they are more than a table shows, how many it shows."""
    with store.reading() as tables:
        parked = tables.inbox.status().parked
    cut = f"; the table shows the oldest {SHOWN:,}" if parked > SHOWN else ""
    return f"nothing was changed; parked: {number_of('event', parked)}{cut}"


def parked_steps(store: Store) -> list[Step]:
    """Return the next steps for the events that are parked now."""
    with store.reading() as tables:
        parked, held = tables.inbox.status().parked, tables.inbox.incidents()
    steps = []
    for incident, count in held.items():
        steps.append(Step(f"Show what incident {incident} would change", "bulk-import", {"plan_id": incident}))
        through = {"let_through": incident, "linger_seconds": 0}
        steps.append(
            Step(
                f"Let incident {incident} through, over the limit: {number_of('event', count)}",
                "realtime-sync",
                through,
            )
        )
    if parked > sum(held.values()):
        replay = {"action": ParkedAction.REPLAY, "everything": True}
        steps.append(Step("Replay all that are parked", "parked-events", replay))
    if parked:
        drop = {"action": ParkedAction.DROP, "everything": True}
        steps.append(Step(f"Drop them without doing anything: type {parked}", "parked-events", drop))
    return steps


def replay_parked(store: Store, choice: ParkedChoice, now: datetime) -> str:
    """Let the chosen events be tried again, and say how many there are."""
    with store.transaction() as tables:
        count = tables.inbox.replay(choice.find(tables), now)
    return f"{number_of('event', count)} will be tried anew"


def drop_parked(store: Store, choice: ParkedChoice, now: datetime, *, confirm: int) -> str:
    """Mark the chosen events as done without applying them, and say how many; the next import looks at the people.

    Raises NotConfirmed unless *confirm* is their number.
    """
    with store.transaction() as tables:
        chosen = choice.find(tables)
        if confirm != len(chosen):
            raise NotConfirmed(f"to drop these events, type their number, {len(chosen)}; nothing was dropped")
        count = tables.inbox.drop(chosen, now)
    return f"{number_of('event', count)} dropped; the next import looks at the people whom they were about"
