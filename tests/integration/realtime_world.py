"""A sandbox and a runtime on it, with the events that Slack would have sent put straight into the inbox."""

import itertools
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployments.local import connection_settings
from sandbox.server import Sandbox
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.engine.reading.connection import Workspace, validate
from slack_docebo.engine.realtime.rounds import serve_round
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.events import Event, EventState, InboxEntry
from slack_docebo.storage.plans import Plan, PlanKind

ON = {"NOTIFICATION_MAIL_ID": "", "PROVISION_SLACK_USER_DATA": "true", "MAP_SLACK_USER_DATA": "true"}
ON |= {"LEAVERS": "deactivate", "REALTIME_RETRY_DELAYS": "0, 0"}

numbers = itertools.count(1)


def event_about(user: Mapping[str, Any], event_id: str, *, kind: str = "user_change") -> Event:
    """Return the event that tells of *user*, as Slack has that person now, received at this moment."""
    known = source_user(user)
    return Event(
        event_id=event_id,
        slack_team=known.team,
        slack_id=known.slack_id,
        updated=known.updated,
        kind=kind,
        received_at=datetime.now(UTC),
        profile=asdict(known),
    )


def environment(sandbox: Sandbox, database_url: str, folder: Path) -> dict[str, str]:
    """What the processes of an installation on *sandbox* find in their environment."""
    return connection_settings(sandbox.facts(), folder) | {
        "DATABASE_URL": database_url,
        "DOCEBO_CALLS_PER_HOUR": "100000000",
        "SLACK_CALLS_PER_MINUTE": "100000",
    }


class World:
    """Everything a test of real time looks at."""

    def __init__(self, sandbox: Sandbox, runtime: Runtime, workspace: Workspace) -> None:
        self.sandbox = sandbox
        self.runtime = runtime
        self.workspace = workspace

    def event(self, slack_id: str, *, kind: str = "user_change", bare: bool = False, **changes: Any) -> Event:
        """The event that tells of *slack_id* as Slack has it now."""
        event = event_about(self.sandbox.slack.get(slack_id), f"Ev{next(numbers)}", kind=kind)
        return replaced(event, **({"profile": None} if bare else {}), **changes)

    def put(self, *events: Event) -> None:
        with self.runtime.store.transaction() as tables:
            tables.inbox.put(events)

    def refuse(self, username: str, why: str = "no room") -> None:
        """Let Docebo refuse each row with this username, for this reason, and no other row."""
        faults = self.sandbox.docebo_gate.faults
        faults.clear()
        faults.add("POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=[username], message=why)

    def replay(self, *events: Event) -> int:
        """Let these events, which are parked, be tried anew; return how many there are."""
        with self.runtime.store.transaction() as tables:
            return tables.inbox.replay([event.event_id for event in events], self.runtime.now())

    async def serve(self) -> ServeResult:
        """Serve rounds until nothing is due."""
        served = ServeResult()
        while await serve_round(self.runtime, self.workspace, served):
            pass
        return served

    async def settle(self, people: Iterable[str] | None = None) -> None:
        """Bring everybody in line, then forget the calls that took."""
        self.put(*(self.event(slack_id) for slack_id in people or self.slack_ids))
        await self.serve()
        self.sandbox.docebo_gate.counters.reset()
        self.sandbox.slack_gate.counters.reset()

    @property
    def slack_ids(self) -> list[str]:
        return [user["id"] for user in self.sandbox.slack]

    def entry(self, event: Event) -> InboxEntry:
        with self.runtime.store.reading() as tables:
            found = tables.inbox.get(event.event_id)
        assert found is not None
        return found

    def state(self, event: Event) -> EventState:
        return self.entry(event).state

    def docebo_id(self, slack_id: str) -> int | None:
        with self.runtime.store.reading() as tables:
            mappings = tables.mappings(self.runtime.settings.docebo_url)
            mapping = mappings.of(self.workspace.team, [slack_id]).get(slack_id)
        return mapping.docebo_id if mapping else None

    def members(self) -> list[str]:
        """The Slack ids of those who are mapped to an account of an ordinary member."""
        with self.runtime.store.reading() as tables:
            mappings = tables.mappings(self.runtime.settings.docebo_url).of(self.workspace.team, self.slack_ids)
        accounts = {
            one: self.sandbox.docebo.accounts[mappings[one].docebo_id] for one in self.slack_ids if one in mappings
        }
        return [slack_id for slack_id, account in accounts.items() if account.level == "user"]

    def account(self, slack_id: str) -> Any:
        docebo_id = self.docebo_id(slack_id)
        assert docebo_id is not None
        return self.sandbox.docebo.accounts[docebo_id]

    def plans(self) -> list[Plan]:
        with self.runtime.store.reading() as tables:
            return tables.plans.recent(100, PlanKind.REALTIME_SYNC)

    @property
    def docebo_calls(self) -> int:
        return sum(self.sandbox.docebo_gate.counters.calls.values())

    @property
    def slack_calls(self) -> int:
        return sum(self.sandbox.slack_gate.counters.calls.values())


def replaced(event: Event, **changes: Any) -> Event:
    """*event* with other fields; those of the profile are changed by `profile={...}`."""
    values = {name: getattr(event, name) for name in Event.__slots__}
    if isinstance(changes.get("profile"), dict):
        changes["profile"] = {**(event.profile or {}), **changes["profile"]}
    return Event(**{**values, **changes})


@asynccontextmanager
async def world(
    sandbox: Sandbox,
    database_url: str,
    folder: Path,
    *,
    docebo_timeout_seconds: float = 60,
    addresses: Mapping[str, str] | None = None,
    **rows: str,
) -> AsyncIterator[World]:
    """Open a runtime on *sandbox* with these rows of the settings table, its connection validated.

    *addresses* are others by which the sandbox is reached, by the name of the setting.
    """
    values = {**environment(sandbox, database_url, folder), **(addresses or {})}
    settings = Settings(
        _env_file=None,
        docebo_timeout_seconds=docebo_timeout_seconds,
        **{name.lower(): value for name, value in values.items()},
    )
    behaviour = read_rows(table({**ON, **rows}))
    async with open_runtime(settings, behaviour, run_id="test-run") as runtime:
        yield World(sandbox, runtime, await validate(runtime))
