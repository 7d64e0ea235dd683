"""Group commit: events that arrive while a transaction is committed are written together in the next one."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from slack_docebo.errors import StorageError
from slack_docebo.storage.events import Event
from slack_docebo.storage.store import Store
from slack_docebo.webhook.metrics import Metrics

PATIENCE_SECONDS = 2.5  # Slack waits for three
LARGEST_GROUP = 500
MOST_WAITING = 10_000

logger = logging.getLogger(__name__)

Waiting = tuple[Event, asyncio.Future[None]]


class InboxWriter:
    """The one writer of this process to the inbox; its methods belong to one event loop."""

    def __init__(self, store: Store, metrics: Metrics, *, committed: Callable[[], None]) -> None:
        self._store = store
        self._metrics = metrics
        self._committed = committed
        self._waiting: list[Waiting] = []
        self._closing = False
        self._work: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "inbox-writer")

    async def put(self, event: Event) -> None:
        """Return once *event* is committed; raise StorageError if it is not, or not in time: it may be later."""
        if self._closing or len(self._waiting) >= MOST_WAITING:
            raise StorageError("the inbox takes no more events for now: Slack will send this one again")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        if self._work is None:
            self._work = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await done
        except TimeoutError:
            logger.warning("an event was not stored in %g s: Slack will send it again", PATIENCE_SECONDS)
            raise StorageError("the database is busy: Slack will send this event again") from None

    async def close(self) -> None:
        """Write the events that wait and take no more."""
        self._closing = True
        if self._work:
            await self._work
        self._thread.shutdown()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while group := self._waiting[:LARGEST_GROUP]:
            del self._waiting[:LARGEST_GROUP]
            failure: StorageError | None = None
            try:
                await loop.run_in_executor(self._thread, self._commit, [event for event, _ in group])
            except StorageError as error:
                failure = error
            except Exception as error:  # Slack is told to send these again, and the next group is written
                logger.exception("%d events could not be written", len(group))
                failure = StorageError(f"the events could not be written ({type(error).__name__})")
            self._settle(group, failure)
        self._work = None

    def _commit(self, events: list[Event]) -> None:
        with self._store.transaction() as tables:
            tables.inbox.put(events)

    def _settle(self, group: list[Waiting], failure: StorageError | None) -> None:
        if failure is None:
            self._metrics.groups.observe(len(group))
            self._committed()
        else:
            self._metrics.store_faults.inc()
            logger.error("%d events were not stored, Slack will send them again: %s", len(group), failure)
        for _, done in group:
            if done.done():
                continue  # it waited too long and was told so
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)
