"""Columns: two rows of a call show whether each row may have columns of its own.

The description of the batch call speaks of rows as objects. But a platform that reads them as a table would leave out
what its first row lacks, or empty what a later one does, and say nothing. So the first two updates whose columns differ
go alone, and both accounts are looked at.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import NoReturn

from slack_docebo.domain.attributes import current_value
from slack_docebo.domain.dialect import ROW_COLUMNS, RowColumns
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.people import Account
from slack_docebo.domain.proof import is_plain, is_respelt, not_shown
from slack_docebo.domain.targets import field_id_of
from slack_docebo.engine.reading.dialects import known_dialect, learn
from slack_docebo.engine.writing.recording import Numbered, record
from slack_docebo.engine.writing.rereading import Rereading
from slack_docebo.engine.writing.sending import Sender
from slack_docebo.errors import Unproven
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome

SHOWN = frozenset({"first_name", "last_name", "email", "time_zone"})  # by the view of one account, and rarely empty
PAIRS = 3  # that tell nothing, before a run does without


class Columns:
    """Finds out by two rows of one plan how the platform reads rows with different columns."""

    def __init__(self, runtime: Runtime, plan_id: str, rereading: Rereading) -> None:
        self._runtime = runtime
        self._plan_id = plan_id
        self._rereading = rereading
        self._left = 0 if known_dialect(runtime).answer(ROW_COLUMNS) else PAIRS
        self._before: Account | None = None

    def first(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Return a telling pair of updates, the one with fewer columns first, or all of *batch* if there is none."""
        of_any = {frozenset(operation.changes) for _, operation in batch}
        if not self._left or not _are_updates(batch) or len(of_any) == 1:
            return list(batch)
        pairs = permutations(batch, 2)
        telling = ([one, other] for one, other in pairs if _telling(one[1], other[1]) and is_plain(other[1]))
        return next(telling, list(batch))

    def is_telling(self, batch: Sequence[Numbered]) -> bool:
        """Tell whether *batch* is a telling pair."""
        return bool(self._left) and len(batch) == 2 and _are_updates(batch) and bool(_telling(batch[0][1], batch[1][1]))

    async def look(self, pair: Sequence[Numbered]) -> None:
        """Read the first account of the *pair* before it is sent."""
        self._before = await self._account(pair[0][1])

    async def prove(self, pair: Sequence[Numbered], sender: Sender) -> None:
        """Send the *pair*, read both accounts, and store what they show compared with the first one as read before.

        Raises Unproven where an account shows that its row was read with the columns of the other one.
        """
        self._left -= 1
        (_, lacking), (_, having) = pair
        names = _telling(lacking, having)
        before, self._before = self._before, None
        await sender.send(Kind.UPDATE, pair)
        names = [name for name in names if name not in sender.left_out(having)]  # what Docebo has just refused
        if not names or not self._are_applied(pair):
            return
        after, other = await self._account(lacking), await self._account(having)
        if before is None or after is None or other is None:
            return
        sent = replace(having, changes={name: having.changes[name] for name in names})
        ignored = not_shown(sent, [other])
        if ignored and not any(current_value(other, name) for name in ignored):  # a view may lack what a list shows
            ignored = not_shown(sent, [other, *await self._listed(other)])
        changed = [name for name in names if current_value(before, name) != current_value(after, name)]
        if ignored or changed:
            self._learn(RowColumns.ALIKE)
            self._stop_at(*(pair[0], changed) if changed else (pair[1], ignored))
        elif any(current_value(before, name) for name in names):
            self._learn(RowColumns.OWN)

    def _stop_at(self, numbered: Numbered, names: Sequence[str]) -> NoReturn:
        """Record that the columns *names* of this row are wrong, and raise Unproven."""
        seq, operation = numbered
        told = f"{', '.join(names)} is not as it has to be: Docebo took the columns of another row for this one's"
        outcome = RowOutcome(seq, Outcome.APPLIED, operation.docebo_id, f"done, but {told}")
        record(self._runtime, self._plan_id, [numbered], [outcome])
        raise Unproven(
            f"account {operation.docebo_id} was written in one call with another one, and {told}. Nothing more was sent. Run"
            " again: from now on a call has rows with the same columns, and the next run corrects that account"
        )

    async def _account(self, operation: Operation) -> Account | None:
        return await self._rereading.account(operation.docebo_id or 0)

    async def _listed(self, account: Account) -> list[Account]:
        found = await self._rereading.with_username(account.username)
        return [one for one in found if one.docebo_id == account.docebo_id]

    def _are_applied(self, pair: Sequence[Numbered]) -> bool:
        with self._runtime.store.reading() as tables:
            open_ = tables.operations.still_planned(self._plan_id, [seq for seq, _ in pair])
            undone = tables.operations.not_done(self._plan_id, [operation.slack_id for _, operation in pair])
        return not (open_ or undone)

    def _learn(self, columns: RowColumns) -> None:
        self._left = 0
        told = "two rows with different columns in one call, whose accounts were read afterwards"
        learn(self._runtime, ROW_COLUMNS, columns, source=told)


def _are_updates(batch: Sequence[Numbered]) -> bool:
    return all(operation.kind is Kind.UPDATE for _, operation in batch)


def _telling(lacking: Operation, having: Operation) -> list[str]:
    """Return the columns that only the row *having* has, and both accounts show; not texts that are only respelt."""
    names = having.changes.keys() - lacking.changes.keys()
    shown = [name for name in names if (name in SHOWN or field_id_of(name)) and having.changes[name] != ""]
    return sorted(name for name in shown if not is_respelt(having, name))
