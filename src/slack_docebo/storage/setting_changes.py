"""Who changed which setting, when, from what to what."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from slack_docebo.domain.setting_change import SettingChange
from slack_docebo.storage.schema import setting_change


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """A change that was saved with the form; *by* is a name as somebody has typed it."""

    changed_at: datetime
    by: str
    change: SettingChange


class SettingChangeRepository:
    """The table `setting_change`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, changes: Iterable[SettingChange], *, by: str, run_id: str, now: datetime) -> None:
        """Record *changes*, which were saved together."""
        rows = [
            {"changed_at": now, "key": key, "before": before, "after": after, "changed_by": by, "run_id": run_id}
            for key, before, after in changes
        ]
        if rows:
            self._connection.execute(insert(setting_change), rows)

    def recent(self, limit: int) -> list[RecordedChange]:
        """Return the newest changes, the newest first."""
        newest = select(setting_change).order_by(setting_change.c.changed_at.desc(), setting_change.c.key).limit(limit)
        return [
            RecordedChange(row.changed_at, row.changed_by, SettingChange(row.key, row.before, row.after))
            for row in self._connection.execute(newest)
        ]

    def purge(self, before: datetime) -> None:
        """Delete what was changed *before* that."""
        self._connection.execute(delete(setting_change).where(setting_change.c.changed_at < before))
