"""Upkeep: deletes what is too old in inbox, journal and files, and counts the events that wait in the inbox."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from slack_docebo.domain.moments import to_the_second
from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.reporting.shown import Cell, with_names
from slack_docebo.private_files import is_draft, is_ours
from slack_docebo.runtime import Runtime
from slack_docebo.safe_points import safe_point
from slack_docebo.storage.events import EventState
from slack_docebo.storage.inbox import InboxStatus
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.store import Store

SHOWN = 500  # what a page of Prefect's UI can be asked to show
LONGEST_GRACE = timedelta(days=366)
BETWEEN_SWEEPS = timedelta(days=1)  # at the most: they come every hour
PLANS_AT_ONCE = 20  # deleted in one transaction: each may have an operation for everybody, and others wait to write
# As reports and backups are called.
REPORT = re.compile(r"(?:mappings-)?[0-9a-z]{8}(?:-branches|-export|-import|-orphans|-person|-values)?\.(?:csv|json)")


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was deleted, and what is left in the inbox."""

    status: InboxStatus
    due: int  # events that are due and that no run is at work on, as far as the inbox shows
    purged: int  # events that were deleted
    plans: int = 0  # plans that were deleted, with everybody's outcomes
    files: int = 0  # reports and backups that were removed


def tidy(runtime: Runtime) -> Upkeep:
    """Delete everything older than the settings allow, and return what was deleted and what is left in the inbox.

    Plans stay as long as the limits count the people whom they have changed.
    """
    left, now = runtime.budget.part_left(), runtime.now()
    surely = _surely_by_now(runtime.store, runtime.settings.docebo_url, now)
    oldest = surely - timedelta(days=runtime.behaviour.journal_keep_days)
    counted = surely - timedelta(hours=runtime.behaviour.limit_window_hours)
    plans = sum(_purged_plans(runtime.store, min(oldest, counted)))
    with runtime.store.transaction() as tables:
        tables.standings.purge(oldest)
        tables.reads.purge(oldest)
        tables.profiles.purge(oldest)
        tables.leavers.purge(surely - 2 * LONGEST_GRACE)
        tables.setting_changes.purge(oldest)
        tables.applied().doubt_future_stamps(now)
        if runtime.behaviour.people_shown is PeopleShown.IDS:
            tables.names.clear()
    files = sum(1 for _ in _removed(runtime.settings.report_dir, oldest))
    with runtime.store.transaction() as tables:
        inbox = tables.inbox
        purged = inbox.purge(surely - timedelta(days=runtime.behaviour.inbox_keep_days))
        longest = timedelta(seconds=max(runtime.behaviour.realtime_retry_delays, default=0))
        inbox.doubt_future_tries(now, longest=longest)
        tables.shares.purge(now)
        tables.milestones.reach(runtime.settings.docebo_url, Milestone.SWEEP, now=now)
        if runtime.behaviour.frozen_until(now):
            tables.milestones.reach(runtime.settings.docebo_url, Milestone.FREEZE, now=now)
        due = inbox.due(now, SHOWN, left=left) + inbox.claimed()
        return Upkeep(status=inbox.status(), due=due, purged=purged, plans=plans, files=files)


def _surely_by_now(store: Store, docebo: str, now: datetime) -> datetime:
    """Return *now* or, if that is earlier, a day after the last sweep.

    A clock that is far ahead, as on a machine that has just woken up, is mostly right again by the next sweep.
    """
    with store.reading() as tables:
        last = tables.milestones.last(docebo, now=now).get(Milestone.SWEEP, now)
    return min(now, last + BETWEEN_SWEEPS)


def _purged_plans(store: Store, oldest: datetime) -> Iterator[int]:
    """Delete all plans made before *oldest*, and yield how many each transaction has deleted.

    Real time can make thousands of plans a day; between two transactions others can write.
    """
    purged = PLANS_AT_ONCE
    while purged == PLANS_AT_ONCE:
        safe_point()
        with store.transaction() as tables:
            purged = tables.plans.purge(oldest, limit=PLANS_AT_ONCE)
        yield purged


def _removed(folder: Path, oldest: datetime) -> Iterator[Path]:
    """Remove reports, backups and drafts in *folder* that were written before *oldest*, and yield each.

    Drafts are left over from killed writers. The age of the file itself counts, for the sweep of another machine may
    have purged its plan. Files that are not ours stay, and so do files that cannot be removed: the next sweep tries
    again.
    """
    for path in folder.glob("*"):
        draft = is_draft(path)
        if not (draft or REPORT.fullmatch(path.name)):
            continue
        try:
            found = path.lstat()
            if (draft or is_ours(found)) and found.st_mtime < oldest.timestamp():
                path.unlink()
                yield path
        except OSError:
            continue


def parked_rows(store: Store, shown: PeopleShown) -> list[dict[str, Cell]]:
    """Return the parked events as rows, with the people they are about as Prefect may show them."""
    with store.reading() as tables:
        by_team: dict[str, list[dict[str, Cell]]] = {}
        for entry in tables.inbox.oldest(SHOWN, EventState.PARKED):
            row: dict[str, Cell] = {
                "Slack user": entry.event.slack_id,
                "event": entry.event.event_id,
                "kind": entry.event.kind,
                "received": to_the_second(entry.event.received_at),
                "attempts": entry.attempts,
                "error": entry.error,
                "incident": entry.incident,
            }
            by_team.setdefault(entry.event.slack_team, []).append(row)
        return [row for team, rows in by_team.items() for row in with_names(tables, team, rows, shown)]
