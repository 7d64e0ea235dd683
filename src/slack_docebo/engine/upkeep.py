"""Upkeep of the inbox: what waits, what is parked, what may go, and what was left behind."""

from dataclasses import dataclass
from datetime import timedelta

from slack_docebo.runtime import Runtime
from slack_docebo.storage.inbox import InboxRepository, InboxStatus
from slack_docebo.storage.shares import ShareRepository
from slack_docebo.storage.store import Store

SHOWN = 500  # what a page of Prefect's UI can be asked to show


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What the inbox looks like after it was tidied."""

    status: InboxStatus
    due: int  # events that nobody serves, as far as can be seen
    purged: int


def tidy(runtime: Runtime) -> Upkeep:
    """Delete events that were applied long ago, and tell what is left."""
    left = runtime.budget.part_left()
    with runtime.store.transaction() as connection:
        inbox = InboxRepository(connection)
        purged = inbox.purge(runtime.now() - timedelta(days=runtime.behaviour.inbox_keep_days))
        ShareRepository(connection).purge(runtime.now())
        due = inbox.due(runtime.now(), SHOWN, left=left) + inbox.claimed()
        return Upkeep(inbox.status(), due, purged)


def parked_rows(store: Store) -> list[dict[str, str | int]]:
    """Return the parked events by ids alone: Prefect shows them to everybody."""
    with store.reading() as connection:
        entries = InboxRepository(connection).parked(SHOWN)
    return [
        {
            "event": entry.event.event_id,
            "Slack user": entry.event.slack_id,
            "kind": entry.event.kind,
            "received": f"{entry.event.received_at:%Y-%m-%d %H:%M:%S} UTC",
            "attempts": entry.attempts,
            "error": entry.error,
        }
        for entry in entries
    ]
