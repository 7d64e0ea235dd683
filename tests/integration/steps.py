"""Runs that are disturbed at one of their steps: the database is locked, or the process dies."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any
from unittest.mock import patch

from sqlalchemy.exc import OperationalError

from slack_docebo.clients.docebo_requests import DoceboRequests
from slack_docebo.storage.faults import translated
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables


class Befalls(StrEnum):
    """What befalls a step."""

    LOCKED = "another process keeps the database locked"  # for longer than a transaction waits
    KILLED = "the process is killed"


class Killed(BaseException):
    """No code of the process runs from here on: whatever it still tries does nothing."""


class Steps:
    """Counts the steps of a run, and disturbs the one numbered *at*.

    A lock meets a transaction that begins. A process dies right before a commit, right after it, or once Docebo has carried
    out a call and before it has answered.
    """

    def __init__(self, at: int, befalls: Befalls) -> None:
        self._left = at
        self._befalls = befalls
        self.is_dead = False

    @property
    def was_disturbed(self) -> bool:
        """Whether there was such a step."""
        return self._left <= 0

    def begin(self, database: str) -> None:
        """Begin a transaction."""
        self.live()
        if self._befalls is Befalls.LOCKED and self._is_it():
            with translated(database):
                raise OperationalError("BEGIN IMMEDIATE", {}, sqlite3.OperationalError("database is locked"))

    def live(self) -> None:
        """Do anything at all."""
        if self.is_dead:
            raise Killed

    def come_by(self) -> None:
        """Come by a place where a process may die."""
        self.live()
        if self._befalls is Befalls.KILLED and self._is_it():
            self.is_dead = True
            raise Killed

    def _is_it(self) -> bool:
        self._left -= 1
        return self._left == 0


@contextmanager
def disturbed(steps: Steps) -> Iterator[None]:
    """Let the block be a process whose steps are counted, and perhaps disturbed."""
    steps.is_dead = False
    transactions, readings, writes = Store.transaction, Store.reading, DoceboRequests.write

    @contextmanager
    def transaction(self: Store, *, durable: bool = True) -> Iterator[Tables]:
        steps.begin(self.url)
        with transactions(self, durable=durable) as tables:
            yield tables
            steps.come_by()
        steps.come_by()

    @contextmanager
    def reading(self: Store) -> Iterator[Tables]:
        steps.live()
        with readings(self) as tables:
            yield tables

    async def write(self: DoceboRequests, *args: Any, **kwargs: Any) -> Any:
        steps.live()
        answer = await writes(self, *args, **kwargs)
        steps.come_by()
        return answer

    with (
        patch.object(Store, "transaction", transaction),
        patch.object(Store, "reading", reading),
        patch.object(DoceboRequests, "write", write),
    ):
        yield
