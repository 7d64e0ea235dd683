"""The budget of calls that one Docebo allows per hour, shared by all processes."""

import asyncio
import time
from collections.abc import Callable

from sqlalchemy import bindparam, select, update

from slack_docebo.storage.gate import Sleep
from slack_docebo.storage.schema import call_budget
from slack_docebo.storage.statements import insertion
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

HOUR = 3600.0

# Made once: before every call, building and reading a statement would take longer than carrying it out.
ARRIVAL = select(call_budget.c.arrival).where(call_budget.c.docebo == bindparam("at"))
ARRIVAL_KEPT = ARRIVAL.with_for_update()  # for this transaction
BOOK = update(call_budget).where(call_budget.c.docebo == bindparam("at")).values(arrival=bindparam("arrives"))


class CallBudget:
    """Spends at most *per_hour* calls in any hour: half of them at once, the others evenly.

    So there is always one left soon for real time, however much an import spends. This is the generic cell rate
    algorithm. All it remembers is one number, the *arrival*: when the next call would be due if all calls made so far
    had been spread evenly.
    """

    def __init__(
        self,
        store: Store,
        docebo: str,
        per_hour: int,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store = store
        self._docebo = docebo
        self._interval = HOUR / (per_hour / 2)
        self._clock = clock
        self._sleep = sleep

    async def spend(self) -> None:
        """Return as soon as one more call is allowed, having booked it."""
        while (wait := self._book()) > 0:
            await self._sleep(wait)

    def left(self) -> int:
        """Return how many calls are allowed right now."""
        return int(self.part_left() * HOUR / self._interval + 1e-6)  # the last part: 2.9999999 calls are three

    def part_left(self) -> float:
        """Return which part of the calls that may be made at once is left, from 0 to 1."""
        with self._store.reading() as tables:
            return part_left(tables, self._docebo, self._clock())

    def _book(self) -> float:
        """Book one call and return 0, or book nothing and return how many seconds to wait."""
        with self._store.transaction(durable=False) as tables:
            now = self._clock()
            latest = now + HOUR
            # Later than that is only what was booked before the clock was set back: it would wait for the old time.
            arrival = max(min(self._arrival(tables), latest), now)
            wait = arrival + self._interval - latest
            allowed = wait <= 1e-6
            arrives = arrival + self._interval if allowed else arrival
            tables.connection.execute(BOOK, {"at": self._docebo, "arrives": arrives})
            return 0.0 if allowed else wait

    def _arrival(self, tables: Tables) -> float:
        """Return the arrival on record, and keep the row for this transaction."""
        arrival: float | None = tables.connection.scalar(ARRIVAL_KEPT, {"at": self._docebo})
        if arrival is None:
            first = insertion(tables.connection, call_budget).values(docebo=self._docebo, arrival=0.0)
            tables.connection.execute(first.on_conflict_do_nothing())
            arrival = tables.connection.scalars(ARRIVAL_KEPT, {"at": self._docebo}).one()
        return arrival


def part_left(tables: Tables, docebo: str, now: float) -> float:
    """Return which part of the calls to *docebo* that may be made at once is left *now*, in seconds, from 0 to 1."""
    arrival = tables.connection.scalar(ARRIVAL, {"at": docebo})
    ahead = (arrival or 0.0) - now
    return 1.0 - min(max(0.0, ahead / HOUR), 1.0)
