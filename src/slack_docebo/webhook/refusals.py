"""Refusals in a row: requests without a valid signature, events for another app or workspace.

Single ones are normal: strangers try the address, and a shared channel brings people of another company. Many in a row,
with nothing accepted in between, show a wrong setting.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slack_docebo.concurrency import to_completion
from slack_docebo.errors import StorageError
from slack_docebo.storage.refusals import Refusal, RefusalKind
from slack_docebo.storage.store import Store

LOG_FROM = 5  # in a row; then each tenfold
NOTE_SECONDS = 30.0  # between two looks whether there is something to note, however many there are

logger = logging.getLogger(__name__)


@dataclass
class _Row:
    since: datetime
    number: int = 0


class Refusals:
    """Counts refusals until something is accepted, logs when there are many, and stores them for `doctor`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[RefusalKind, _Row] = {}
        self._noted: list[Refusal] | None = None  # None: what a process before us has noted is over

    @property
    def in_a_row(self) -> dict[str, int]:
        """How many refusals of each kind there were since something was accepted."""
        return {kind.value: self._rows[kind].number if kind in self._rows else 0 for kind in RefusalKind}

    def refused(self, kind: RefusalKind) -> None:
        """Count one refusal, and log if there are many."""
        row = self._rows.setdefault(kind, _Row(datetime.now(UTC)))
        row.number += 1
        if row.number % LOG_FROM == 0 and str(row.number // LOG_FROM).rstrip("0") == "1":
            logger.warning("%s", Refusal(kind, row.since, row.number).line)

    def taken(self, *kinds: RefusalKind) -> None:
        """Begin to count these kinds again."""
        for kind in kinds:
            self._rows.pop(kind, None)

    async def work(self) -> None:
        """Store changes until cancelled."""
        while True:
            refusals = [Refusal(kind, row.since, row.number) for kind, row in self._rows.items()]
            if refusals != self._noted:
                try:
                    await to_completion(self._note, refusals)
                    self._noted = refusals
                except StorageError as error:
                    logger.debug("not noted: %s", error)
            await asyncio.sleep(NOTE_SECONDS)

    def _note(self, refusals: Sequence[Refusal]) -> None:
        with self._store.transaction() as tables:
            tables.refusals.replace(tables.refusals.all() if self._noted is None else self._noted, refusals)
