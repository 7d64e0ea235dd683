"""The reception of verified payloads, whichever way they came: over HTTP or through Socket Mode."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from slack_docebo.clients.prefect import PrefectApi, open_prefect
from slack_docebo.concurrency import Shared, to_completion
from slack_docebo.current_settings import Current
from slack_docebo.errors import AccessDenied, StorageError, SyncError
from slack_docebo.settings import ReceptionSettings
from slack_docebo.storage.events import Event
from slack_docebo.storage.inbox import InboxStatus
from slack_docebo.storage.refusals import RefusalKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp
from slack_docebo.webhook.figures import Figures, read_figures
from slack_docebo.webhook.intake import Alert, Audience, Challenge, Drop, Reconcile, Several, decide
from slack_docebo.webhook.metrics import Metrics
from slack_docebo.webhook.refusals import Refusals
from slack_docebo.webhook.waker import Waker
from slack_docebo.webhook.writer import InboxWriter

LOOK_SECONDS = 1.0  # how long an answer about Prefect or the store is used again
PREFECT_SECONDS = 0.5  # Kubernetes waits one second for /readyz, and Prefect does not decide about it
CALL_SECONDS = 5.0  # for which Prefect is waited for when a run is asked for
STORE_SECONDS = 2.5
FIGURES_SECONDS = 30.0  # they tell of a day, and cost more than a look at the inbox
FOLLOW_SECONDS = 30.0  # how long it may go unnoticed that runs read another workspace, or other custom fields

R = TypeVar("R", bound=ReceptionSettings)

logger = logging.getLogger(__name__)


class Reception:
    """Carries out what the intake decides. A payload may be acknowledged once `receive` has returned."""

    def __init__(self, settings: ReceptionSettings, store: Store, prefect: PrefectApi) -> None:
        self.metrics = Metrics()
        self.refusals = Refusals(store)
        self._settings = settings
        self._store = store
        self._audience = Audience(settings.slack_app_id, settings.slack_team_id)
        self._waker = Waker(store, prefect, self.metrics)
        self._writer = InboxWriter(store, self.metrics, committed=self._waker.nudge)
        self._status = Shared(lambda: to_completion(self._read_status), seconds=LOOK_SECONDS, patience=STORE_SECONDS)
        self._prefect = Shared(prefect.check, seconds=LOOK_SECONDS, patience=PREFECT_SECONDS)
        self._figures = Shared(
            lambda: to_completion(self._read_figures), seconds=FIGURES_SECONDS, patience=STORE_SECONDS
        )

    async def receive(self, payload: object) -> str:
        """Deal with *payload* and return the text to answer; raise StorageError if it could not be kept."""
        match decide(payload, self._audience, now=datetime.now(UTC)):
            case Event() as event:
                await self._writer.put(event)
                self.metrics.stored.labels(event.kind).inc()
                self.refusals.taken(*RefusalKind)
            case Several(events):
                await asyncio.gather(*map(self._writer.put, events))
                self.metrics.stored.labels(events[0].kind).inc(len(events))
                self.refusals.taken(*RefusalKind)
            case Challenge(text):
                return text  # which the doctor asks for as well, and signs with what it has
            case Reconcile(reason):
                logger.warning("events are missing (%s): asking for a reconciliation", reason)
                self.metrics.missing.labels(reason).inc()
                await self._want_reconciliation()
            case Alert(kind, advice):
                logger.error("%s: %s", kind, advice)
                self.metrics.alerts.labels(kind).inc()
                # The run's connection check will fail, and operators are told of that as of any failure.
                await self._want_reconciliation()
            case Drop(reason, kind):
                self.metrics.dropped.labels(reason, kind).inc()
                self.refusals.taken(RefusalKind.UNSIGNED)
                if reason in set(RefusalKind):
                    self.refusals.refused(RefusalKind(reason))
        return ""

    async def status(self) -> InboxStatus:
        """Return how full the inbox is, or was a second ago; raise StorageError if it cannot be told."""
        try:
            return await self._status.get()
        except TimeoutError:
            raise StorageError("the database does not answer") from None

    async def figures(self) -> Figures:
        """Return how runs did lately, or half a minute ago; raise StorageError if it cannot be told."""
        try:
            return await self._figures.get()
        except TimeoutError:
            raise StorageError("the database does not answer") from None

    async def prefect(self) -> str:
        """Say how Prefect is, or was a second ago: "up", or what is wrong. Events are stored in any case."""
        try:
            await self._prefect.get()
        except AccessDenied:
            return "refuses our login: check PREFECT_API_AUTH_STRING; runs are asked for later"
        except (SyncError, TimeoutError):
            return "down: events are stored, runs are asked for later"
        return "up"

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Write events and ask for runs within the block; at its end the events that wait are written first."""
        works = (self._waker.work(), self._follow_runs(), self.refusals.work())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            await self._writer.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow_runs(self) -> None:
        """Take what runs take: the workspace that is linked, if the settings name none, and the custom fields they read."""
        while True:
            with contextlib.suppress(StorageError):
                self._audience = await to_completion(self._audience_of_runs)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _want_reconciliation(self) -> None:
        await to_completion(self._note_reconciliation)
        self._waker.nudge()

    def _note_reconciliation(self) -> None:
        with self._store.transaction() as tables:
            tables.wake_ups.want(WakeUp.RECONCILIATION, datetime.now(UTC))

    def _audience_of_runs(self) -> Audience:
        with self._store.reading() as tables:
            link = tables.links.of(self._settings.docebo_url)
            team = self._settings.slack_team_id or (link.slack_team if link else "")
            return replace(self._audience, team=team, fields=tables.profiles.fields_read(team))

    def _read_figures(self) -> Figures:
        with self._store.reading() as tables:
            return read_figures(tables, self._settings.docebo_url)

    def _read_status(self) -> InboxStatus:
        with self._store.reading() as tables:
            return tables.inbox.status()


@asynccontextmanager
async def open_reception(current: Current[R], store: Store) -> AsyncIterator[Reception]:
    """Open a reception that is at work; the login of Prefect may be exchanged meanwhile."""
    settings = current()
    async with open_prefect(
        settings.prefect_api_url, lambda: current().prefect_api_auth_string, timeout=CALL_SECONDS
    ) as prefect:
        reception = Reception(settings, store, prefect)
        async with reception.at_work():
            yield reception
