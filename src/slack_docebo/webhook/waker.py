"""Asking Prefect for runs, in a task of its own: Slack is answered whether or not Prefect is up.

A run is asked for when an event comes, and when one that had to wait is due: no process is started just to look. A
sweep is asked for so that the status page shows what somebody has changed from a shell, which may not reach Prefect.
"""

import asyncio
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from slack_docebo.clients.prefect import PrefectApi
from slack_docebo.concurrency import to_completion
from slack_docebo.errors import OutcomeUnknown, RemoteError, told
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp
from slack_docebo.webhook.metrics import Metrics

REALTIME_SYNC = "realtime-sync/slack-events"
RECONCILIATION = "bulk-import/reconcile"
KEEP_IMPORTS_OUT = (  # flows of which a run has the place of an import; of real time only one for people who are named
    "apply-plan",
    "bulk-import",
    "decide",
    "mappings",
    "personal-data",
    "reset-mappings",
    "restore-mappings",
    "settings",
    "undo",
)
SWEEP = "sweep/sweep"
DUE_SECONDS = 15.0  # between two looks for what falls due
LOOK_SECONDS = 1.0  # a run that ends can leave a wake-up, and tells nobody
SHORT_SECONDS = LOOK_SECONDS / 20
PATIENCE = timedelta(seconds=30)  # how long a run that was asked for may take to begin
BETWEEN_RECONCILIATIONS = timedelta(minutes=10)

logger = logging.getLogger(__name__)


class Waker:
    """Asks for a run when a wake-up is set: one run for all events that wait."""

    def __init__(self, store: Store, prefect: PrefectApi, metrics: Metrics) -> None:
        self._store = store
        self._prefect = prefect
        self._metrics = metrics
        self._nudged = asyncio.Event()
        self._complaint = ""
        self._rest = SHORT_SECONDS
        self._looked_at = float("-inf")

    def nudge(self) -> None:
        """Wake the task up, because an event was stored or a reconciliation is wanted."""
        self._nudged.set()

    async def work(self) -> None:
        """Ask for runs until cancelled."""
        while True:
            try:
                looks = time.monotonic() - self._looked_at >= DUE_SECONDS
                if looks:
                    self._looked_at = time.monotonic()
                    await to_completion(self._wake_up_for_what_is_due)
                await self._ask_for_realtime_sync()
                await self._ask_for_reconciliation()
                if looks:
                    with suppress(RemoteError):  # it is asked for at the next look, and no event waits for it
                        await self._ask_for_sweep()
                self._say("")
                self._rest = SHORT_SECONDS
            except Exception as error:  # whatever it is: who has stored an event is not told that nobody asks any more
                self._say(told(error))
                self._rest = min(2 * self._rest, LOOK_SECONDS)
            await self._pause()

    async def _pause(self) -> None:
        if not self._complaint:
            # Not by `wait_for`: before Python 3.12 it loses a cancellation that comes with the nudge, and we went on for ever.
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._nudged.wait()
        # Events that are stored a moment later share the run. Prefect on a busy SQLite refuses for a moment: it is asked
        # again soon, and once a second while it is down.
        await asyncio.sleep(self._rest)
        self._nudged.clear()

    async def _ask_for_realtime_sync(self) -> None:
        if not await to_completion(self._note_asked):
            return
        try:
            if await self._prefect.is_about_to_run(REALTIME_SYNC):
                return  # that run will apply what waits; if it never begins, we ask again later
            await self._ask(REALTIME_SYNC)
        except OutcomeUnknown:
            raise  # `asked` stays noted: the run may have been created, and a second one would be too many
        except RemoteError:
            await to_completion(self._note_not_asked)
            raise

    async def _ask_for_reconciliation(self) -> None:
        if not await to_completion(self._is_reconciliation_due):
            return
        # An import that has begun may have read the people before they changed, and keeps others out, as whatever has its
        # place does: wait for its end.
        if not await self._prefect.is_running(*KEEP_IMPORTS_OUT):
            await self._ask_unless_coming(RECONCILIATION, WakeUp.RECONCILIATION)

    async def _ask_for_sweep(self) -> None:
        if await to_completion(self._is_sweep_wanted):
            await self._ask_unless_coming(SWEEP, WakeUp.SWEEP)

    async def _ask_unless_coming(self, deployment: str, run: WakeUp) -> None:
        """Ask for a run of *deployment*, unless one is about to begin, and note that *run* is wanted no more."""
        if not await self._prefect.is_about_to_run(deployment):
            await self._ask(deployment)
        await to_completion(self._want_no_more, run)

    async def _ask(self, deployment: str) -> None:
        try:
            run_id = await self._prefect.ask_for_run(deployment)
        except RemoteError:
            self._metrics.runs.labels(deployment, "failed").inc()
            raise
        self._metrics.runs.labels(deployment, "created").inc()
        logger.info("asked for run %s of %s", run_id, deployment)

    def _wake_up_for_what_is_due(self) -> None:
        now = datetime.now(UTC)
        with self._store.reading() as tables:
            if not tables.inbox.is_due_without_a_run(now):
                return
        with self._store.transaction() as tables:
            tables.wake_ups.want(WakeUp.REALTIME_SYNC, now)

    def _note_asked(self) -> bool:
        """Note that a run is asked for; return False if none is needed, or one was asked for or is at work."""
        with self._store.reading() as tables:
            if not tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC):
                return False
        with self._store.transaction() as tables:
            return tables.wake_ups.may_ask(datetime.now(UTC), patience=PATIENCE)

    def _note_not_asked(self) -> None:
        with self._store.transaction() as tables:
            tables.wake_ups.not_asked()

    def _is_reconciliation_due(self) -> bool:
        with self._store.reading() as tables:
            return tables.wake_ups.is_due(WakeUp.RECONCILIATION, datetime.now(UTC), pause=BETWEEN_RECONCILIATIONS)

    def _is_sweep_wanted(self) -> bool:
        with self._store.reading() as tables:
            return tables.wake_ups.is_wanted(WakeUp.SWEEP)

    def _want_no_more(self, run: WakeUp) -> None:
        with self._store.transaction() as tables:
            tables.wake_ups.note_asked(run, datetime.now(UTC))

    def _say(self, complaint: str) -> None:
        """Log a problem when it begins, and when it is over."""
        if complaint != self._complaint:
            if complaint:
                logger.error("no run could be asked for, events are kept: %s", complaint)
            else:
                logger.info("runs can be asked for again")
            self._complaint = complaint
