"""Placing: rows that may have been refused because their branch was renamed or deleted since it was read."""

from collections.abc import Sequence
from contextlib import suppress

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.situation import reason_by_branch
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.reading.branches import read_branches
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.errors import RemoteError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome


class Placing:
    """Reads the branches again, once for a plan, when a row that names one is refused."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._is_read_again = False

    async def corrected(self, batch: Sequence[Numbered], results: Sequence[RowOutcome]) -> list[RowOutcome]:
        """Return *results* of *batch*, corrected for rows that may have been refused for their branch.

        A row whose branch is gone, or cannot be identified any more, is skipped. A creation whose branch has another
        name by now gets no outcome yet: it is sent again.
        """
        failed = {result.seq for result in results if result.outcome is Outcome.FAILED}
        placed = {seq: op for seq, op in batch if seq in failed and BRANCH in op.changes}
        if not placed or self._is_read_again:
            return list(results)
        self._is_read_again, before = True, self._runtime.org_chart.branches
        with suppress(RemoteError):
            await read_branches(self._runtime)
        now = self._runtime.org_chart.branches
        gone = {seq: reason for seq, op in placed.items() if (reason := reason_by_branch(op, now))}
        renamed = {
            seq
            for seq, op in placed.items()
            if before and now and op.kind is Kind.CREATE and seq not in gone
            if before.columns.get(str(op.changes[BRANCH])) != now.columns[str(op.changes[BRANCH])]
        }
        return [
            RowOutcome(result.seq, Outcome.SKIPPED, error=gone[result.seq]) if result.seq in gone else result
            for result in results
            if result.seq not in renamed
        ]
