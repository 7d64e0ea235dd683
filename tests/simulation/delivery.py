"""The delivery of Slack's events: most arrive within a second, some half an hour later, some never."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sandbox.slack.kinds import User
from sandbox.slack.workspace import Group
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.storage.events import MEMBERS_CHANGED, Event
from slack_docebo.storage.store import Store

DELAYS = (0.2, 0.2, 0.5, 0.5, 1.0, 1.0, 60.0, 1500.0)  # seconds
# What the webhook of release 0.1.0 sends to SQLite, whatever the schema has become.
OLDER_EVENT = (
    "INSERT INTO inbox_event (event_id, slack_team, slack_id, updated, kind, received_at, profile, state, due_at,"
    " claimed_by, attempts, error, done_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', '1970-01-01 00:00:00.000000', '',"
    " 0, '', NULL) ON CONFLICT DO NOTHING"
)
OLDER_WAKE_UP = (
    "INSERT INTO wake_up (name, wanted_at) VALUES ('realtime-sync', ?)"
    " ON CONFLICT (name) DO UPDATE SET wanted_at = coalesce(wake_up.wanted_at, excluded.wanted_at)"
)


class Delivery:
    """Puts the events that Slack announces into the inbox, and calls *arrived* after each."""

    def __init__(self, store: Store, team: str, arrived: Callable[[Event], None]) -> None:
        self.team = team
        self.is_on = False  # nobody is subscribed to them yet
        self.to_lose = 0  # of the next events
        self.to_delay = 0  # of the next ones after those
        self.is_older_webhook = False
        self._store = store
        self._arrived = arrived
        self._number = 0
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def is_under_way(self) -> bool:
        return bool(self._under_way)

    def announce(self, user: User) -> None:
        """Send the event that *user* was changed."""
        reduced = source_user(user)
        about = {
            "slack_team": reduced.team,
            "slack_id": reduced.slack_id,
            "updated": reduced.updated,
            "kind": "user_change",
            "profile": asdict(reduced),
        }
        self._send([about])

    def announce_group(self, group: Group, added: frozenset[str], removed: frozenset[str]) -> None:
        """Send the event that these people came to the user group and those left it; an older webhook does not take it."""
        about = {"slack_team": self.team, "updated": 0, "kind": MEMBERS_CHANGED}
        if not self.is_older_webhook:
            self._send([about | {"slack_id": slack_id} for slack_id in sorted(added | removed)])

    def _send(self, people: Sequence[dict[str, Any]]) -> None:
        """Send one payload, which becomes one event about each of *people*."""
        if not self.is_on:
            return
        if self.to_lose:
            self.to_lose -= 1
            return
        self._number += 1
        delay = random.Random(f"event {self._number}").choice(DELAYS)
        if self.to_delay:
            self.to_delay -= 1
            delay = DELAYS[-1]
        received_at = datetime.fromtimestamp(time.time() + delay, UTC)
        ids = [f"Ev{self._number}", *(f"Ev{self._number}:{number}" for number in range(1, len(people)))]
        events = [Event(event_id=id_, received_at=received_at, **about) for id_, about in zip(ids, people, strict=True)]
        task = asyncio.get_running_loop().create_task(self._deliver(events, delay))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _deliver(self, events: Sequence[Event], delay: float) -> None:
        await asyncio.sleep(delay)
        with self._store.transaction() as tables:
            if not self.is_older_webhook:
                tables.inbox.put(events)
            for event in events if self.is_older_webhook else ():
                received = f"{event.received_at:%Y-%m-%d %H:%M:%S.%f}"
                values = (event.event_id, event.slack_team, event.slack_id, event.updated, event.kind, received)
                tables.connection.exec_driver_sql(OLDER_EVENT, (*values, json.dumps(event.profile)))
                tables.connection.exec_driver_sql(OLDER_WAKE_UP, (received,))
        for event in events:
            self._arrived(event)
