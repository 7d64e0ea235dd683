"""Wake-ups: which runs are wanted, since when, and whether somebody has asked Prefect for them.

One row is for the run that serves events, one for the reconciliation that finds what Slack left out, one for the sweep that
writes the status page.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, bindparam, exists, or_, select, update

from slack_docebo.domain.stamps import TOLERANCE
from slack_docebo.storage.schema import wake_up
from slack_docebo.storage.statements import insertion_text

LONGEST_QUIET = timedelta(hours=1)
WANT = insertion_text(
    (wake_up.c.name, wake_up.c.wanted_at),
    "(name) DO UPDATE SET wanted_at = coalesce(wake_up.wanted_at, excluded.wanted_at)",
)
QUIET = insertion_text(
    (wake_up.c.name, wake_up.c.quiet_until), "(name) DO UPDATE SET quiet_until = excluded.quiet_until"
)
# Made once, for it is asked often: a statement costs more to build than to carry out.
WANTED = select(wake_up.c.name).where(wake_up.c.name == bindparam("name"), wake_up.c.wanted_at.is_not(None))


class WakeUp(StrEnum):
    """What may be wanted."""

    REALTIME_SYNC = "realtime-sync"  # a run that serves events
    RECONCILIATION = "reconciliation"
    SWEEP = "sweep"


IS_REALTIME_SYNC = wake_up.c.name == WakeUp.REALTIME_SYNC.value


class WakeUpRepository:
    """The table `wake_up`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def want(self, run: WakeUp, now: datetime) -> None:
        """Note that *run* is wanted since *now*, or since earlier if that was noted before."""
        self._connection.execute(WANT, {"name": run.value, "wanted_at": now})

    def is_wanted(self, run: WakeUp) -> bool:
        """Tell whether *run* is wanted: the one that serves events until a run finds none to claim, others until asked for."""
        return self._connection.scalar(WANTED, {"name": run.value}) is not None

    def is_due(self, run: WakeUp, now: datetime, *, pause: timedelta) -> bool:
        """Tell whether *run* is wanted, and none was asked for during the last *pause*."""
        query = WANTED.where(_is_past(wake_up.c.asked_at, now - pause, now))
        return self._connection.scalar(query, {"name": run.value}) is not None

    def note_asked(self, run: WakeUp, now: datetime) -> None:
        """Note that *run* was asked for, so that no other is wanted until somebody wants one again."""
        asked = update(wake_up).where(wake_up.c.name == run.value).values(wanted_at=None, asked_at=now)
        self._connection.execute(asked)

    def hold(self) -> None:
        """Lock the wake-up of the run that serves events for this transaction, once all who are setting it have committed.

        So a run that finds no event to claim and clears the wake-up does not clear it for an event that it has not
        seen.
        """
        self._connection.execute(select(wake_up.c.name).where(IS_REALTIME_SYNC).with_for_update())

    def want_no_run(self) -> None:
        """Note that no run that serves events is wanted, because no event is due."""
        self._set(wanted_at=None, asked_at=None)

    def may_ask(self, now: datetime, *, patience: timedelta) -> bool:
        """Tell whether the caller has to ask Prefect for a run that serves events; if so, nobody else has to for the time of *patience*.

        Nobody has to ask while no run is wanted, nor while one is at work, which looks for new events by itself.
        """
        asking = (
            update(wake_up)
            .where(
                IS_REALTIME_SYNC,
                wake_up.c.wanted_at.is_not(None),
                _is_past(wake_up.c.asked_at, now - patience, now),
                _is_past(wake_up.c.quiet_until, now, now),
            )
            .values(asked_at=now)
        )
        return self._connection.execute(asking).rowcount == 1

    def not_asked(self) -> None:
        """Note that asking Prefect for the run has failed, so that anybody may ask at once."""
        self._set(asked_at=None)

    def quiet(self, until: datetime | None) -> None:
        """Let nobody ask for a run before *until*, as one is at work or has just failed; with None, anybody may."""
        self._connection.execute(QUIET, {"name": WakeUp.REALTIME_SYNC.value, "quiet_until": until})

    def _set(self, **values: object) -> None:
        self._connection.execute(update(wake_up).where(IS_REALTIME_SYNC).values(**values))


def has_run(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a run that serves events is wanted or at work."""
    wanted_or_at_work = or_(wake_up.c.wanted_at.is_not(None), ~_is_past(wake_up.c.quiet_until, now, now))
    return exists().where(IS_REALTIME_SYNC, wanted_or_at_work)


def _is_past(noted: Column[Any], moment: datetime, now: datetime) -> ColumnElement[bool]:
    """Return the condition that *noted* is empty, not later than *moment*, or impossibly far in the future.

    In the last case the clock was ahead when it was noted.
    """
    return or_(noted.is_(None), noted <= moment, noted > now + LONGEST_QUIET + TOLERANCE)
