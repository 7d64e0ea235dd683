"""Events: what is kept of each that Slack has sent, and what has become of it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from slack_docebo.domain.addresses import spellings

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)  # not "now": the clock of the machine that claims may be behind
MEMBERS_CHANGED = "subteam_members_changed"  # the kind of an event about somebody who came to a user group, or left it


class EventState(enum.StrEnum):
    """What became of an event so far."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    APPLIED = "applied"  # the target shows it, or there was nothing to do
    SUPERSEDED = "superseded"  # something newer about the same person was applied, or somebody has dropped it
    PARKED = "parked"  # tried often enough: it stays until the person is in line otherwise, or somebody replays it


FINISHED = (EventState.APPLIED, EventState.SUPERSEDED)
OPEN = (EventState.WAITING, EventState.CLAIMED)


@dataclass(frozen=True, slots=True)
class Event:
    """What is kept of an event: whom it is about, and the profile reduced to the fields of `SourceUser`."""

    event_id: str
    slack_team: str
    slack_id: str
    updated: int  # Slack's stamp of the profile, unix seconds; 0 where it sent none
    kind: str
    received_at: datetime
    profile: Mapping[str, Any] | None = None  # None: the person has to be read from Slack

    @property
    def names(self) -> tuple[str, ...]:
        """The Slack ids and the e-mail address by which it names the person, the address in all its spellings."""
        local_id = str((self.profile or {}).get("local_id") or "")
        return (self.slack_id, local_id, *spellings(address_in(self.profile)))


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """An event and what has become of it so far."""

    event: Event
    state: EventState
    attempts: int = 0  # that failed
    error: str = ""
    due_at: datetime | None = None
    done_at: datetime | None = None
    incident: str = ""  # the refused plan with which it was held back, if it was


def address_in(profile: Mapping[str, Any] | None) -> str:
    """Return the e-mail address in a stored *profile*, or ""."""
    return str((profile or {}).get("email") or "")


def columns_of(event: Event) -> dict[str, object]:
    """Return the row of an *event* that waits."""
    return {
        "event_id": event.event_id,
        "slack_team": event.slack_team,
        "slack_id": event.slack_id,
        "updated": event.updated,
        "kind": event.kind,
        "received_at": event.received_at,
        "profile": None if event.profile is None else dict(event.profile),
        "state": EventState.WAITING.value,
        "due_at": AT_ONCE,
        "claimed_by": "",
        "attempts": 0,
        "error": "",
        "done_at": None,
        "incident": "",
    }


def entry_of(row: Row[Any]) -> InboxEntry:
    """Return the event of a *row*, with what has become of it."""
    return InboxEntry(
        event=Event(
            event_id=row.event_id,
            slack_team=row.slack_team,
            slack_id=row.slack_id,
            updated=row.updated,
            kind=row.kind,
            received_at=row.received_at,
            profile=row.profile,
        ),
        state=EventState(row.state),
        attempts=row.attempts,
        error=row.error,
        due_at=row.due_at,
        done_at=row.done_at,
        incident=row.incident,
    )
