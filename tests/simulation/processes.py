"""Our processes: each runs the real engine with the real clients; all use one database."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection, Engine

from slack_docebo.clients.answers import BoundedClient
from slack_docebo.clients.docebo import DoceboClient
from slack_docebo.clients.docebo_requests import DoceboRequests
from slack_docebo.clients.slack import SlackClient
from slack_docebo.errors import StorageError, SyncError
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.runtime import Runtime, grant
from slack_docebo.settings import Settings
from slack_docebo.storage.budget import CallBudget
from slack_docebo.storage.gate import BatchGate
from slack_docebo.storage.store import Store
from tests.simulation.locks import Locks, SimulatedLock
from tests.simulation.wire import DoceboTransport, Send, SlackSession

SLACK_SECONDS = 30.0  # that one call to Slack may take


class Database:
    """The database of all processes: a copy of an empty one, which waits for no disk."""

    def __init__(self, folder: Path, empty: Path) -> None:
        self.path = folder / "store.db"
        shutil.copy(empty, self.path)
        self.url = f"sqlite:///{self.path}"
        self.locks = Locks()
        self._opened = Store.open(self.url)

    def store_of(self, process: str) -> "ProcessStore":
        """Return the database as *process* has it open."""
        return ProcessStore.beside(self._opened, self.path, self.locks, process)

    def close(self) -> None:
        self._opened.close()


class ProcessStore(Store):
    """The database as one process has it open."""

    def __init__(self, writers: Engine, readers: Engine, path: Path, *, locks: Locks, process: str) -> None:
        super().__init__(writers, readers, url=f"sqlite:///{path}", path=path)
        self._locks = locks
        self._process = process
        self.is_busy = False  # so that the next transaction fails
        self.is_dead = False

    @classmethod
    def beside(cls, opened: Store, path: Path, locks: Locks, process: str) -> Self:
        """Return the database, which is *opened* already, as *process* has it open."""
        return cls(opened._writers, opened._readers, path, locks=locks, process=process)

    def lock(self, name: str) -> SimulatedLock:
        return self._locks.lock(name, self._process)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        if self.is_dead:
            raise StorageError("the dead write nothing")
        if self.is_busy and durable:
            self.is_busy = False
            raise StorageError("the database was locked for too long")
        with super().transaction(durable=durable) as tables:
            yield tables

    def close(self) -> None:
        """Leave the database open for the other processes."""


@dataclass
class Process:
    """One process of ours, what it met, and how it ended."""

    name: str
    runtime: Runtime
    store: ProcessStore
    begun: float  # unix seconds
    work: asyncio.Task[None] | None = None
    calls: Counter[str] = field(default_factory=Counter)  # reads and writes
    faults: list[str] = field(default_factory=list)
    failure: SyncError | None = None
    line: str = ""  # of its report
    failed_people: int = 0  # by its report
    undecided_people: int = 0  # by its report: they wait for a decision
    plan_id: str = ""
    undoes: str = ""  # the plan that it undoes, if that one followed an import
    backup: Path | None = None  # that a reset has written
    restored: Path | None = None  # the backup that a restore has read
    planned_at: float = 0.0  # unix seconds: when its plan was made
    left_out: set[int] = field(default_factory=set)  # people whom a list that broke off did not show
    not_shown: set[int] = field(default_factory=set)  # people for whom it asked Slack, which does not show them

    @property
    def is_dead(self) -> bool:
        return self.store.is_dead

    @property
    def has_done_all(self) -> bool:
        """Whether it ended by itself and did not fail."""
        return self.has_ended and not self.is_dead and not self.failure

    @property
    def came_to_nothing(self) -> bool:
        """Whether it died or failed before it had a plan, so that nothing is known of what it had read."""
        return not self.plan_id and bool(self.is_dead or self.failure)

    @property
    def has_ended(self) -> bool:
        return self.is_dead or (self.work is not None and self.work.done())


def open_process(
    name: str,
    settings: Settings,
    behaviour: IntegrationSettings,
    store: ProcessStore,
    *,
    to_slack: Send,
    to_docebo: Send,
    begun: float,
    keeps_budget: bool = False,
) -> Process:
    """Open a runtime like `open_runtime`, with clients whose transports end in the models.

    Only a process that *keeps* the *budget* of calls waits when that is spent.
    """
    http = BoundedClient(
        "Docebo",
        seconds=settings.docebo_timeout_seconds,
        base_url=settings.docebo_url,
        transport=DoceboTransport(to_docebo),
        trust_env=False,
    )
    web = AsyncWebClient("xoxb-sandbox-bot-token", base_url=settings.slack_api_url, retry_handlers=[])
    web.session = SlackSession(to_slack, seconds=SLACK_SECONDS)  # type: ignore[assignment]
    gate = BatchGate(store, settings.docebo_url, grace_seconds=settings.docebo_timeout_seconds)
    budget = CallBudget(store, settings.docebo_url, settings.docebo_calls_per_hour)
    paced = {"before_call": budget.spend} if keeps_budget else {}
    docebo = DoceboClient(DoceboRequests(http, lambda: grant(settings), before_write=gate.begin_attempt, **paced))
    slack = SlackClient(
        web,
        lambda: settings.slack_bot_token,
        page_size=settings.slack_page_size,
        calls_per_minute=settings.slack_calls_per_minute,
    )
    runtime = Runtime(settings, behaviour, store, slack=slack, docebo=docebo, gate=gate, budget=budget, run_id=name)
    return Process(name, runtime, store, begun)
