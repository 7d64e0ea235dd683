"""Calls: one call to Docebo for a batch of one kind, with an answer for each row."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress

from slack_docebo.clients.docebo_rows import Row, RowResult, RowsLeftOut
from slack_docebo.domain.effects import accounts_of
from slack_docebo.domain.observation import Present
from slack_docebo.domain.operations import ROW_REFUSED, STATUS_KEPT, Kind, Value
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.reading.evidence import counted, observe_account, reserve_calls
from slack_docebo.engine.writing.adapting import Adapter
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.errors import AccessDenied, IncompleteRead, PlanChanged, Rejected, RemoteError
from slack_docebo.runtime import Runtime


class Calls:
    """Makes the calls of one plan, in the form that this platform accepts."""

    def __init__(self, runtime: Runtime, adapter: Adapter, *, branch: int | None, welcome: bool) -> None:
        self._runtime = runtime
        self._docebo = runtime.docebo
        self._adapter = adapter
        self._branch = branch  # of new accounts
        self._welcome = welcome  # new accounts get Docebo's own mail

    async def deactivate(self, batch: Sequence[Numbered]) -> list[RowResult]:
        """Deactivate the accounts of *batch*; Docebo may do so for some of them only."""
        changed = await self._docebo.change_status(accounts_of(op for _, op in batch), active=False)
        return [RowResult(op.docebo_id, "" if op.docebo_id in changed else STATUS_KEPT) for _, op in batch]

    async def move(self, batch: Sequence[Numbered]) -> list[RowResult]:
        """Move the accounts of *batch* to the branch of the first one."""
        await self._docebo.branches.move_to_branch(accounts_of(op for _, op in batch), int(batch[0][1].changes[BRANCH]))
        return [RowResult(operation.docebo_id) for _, operation in batch]

    async def upsert(self, kind: Kind, rows: Sequence[Row]) -> list[RowResult]:
        """Send *rows* in one call and return their results; an empty row is not sent.

        Where the answer names failed rows alone, the other updates count as carried out if this platform is known to
        answer so: the accounts would not show everything that they change.
        """
        sent = [row for row in rows if row.attributes]
        try:
            answers = iter(await self._written(kind, sent) if sent else [])
        except RowsLeftOut as doubt:
            if doubt.failed is None or kind is not Kind.UPDATE or not self._adapter.answers_refused_alone:
                raise
            answers = iter([doubt.failed.get(place) or RowResult(row.docebo_id) for place, row in enumerate(sent)])
        return [next(answers) if row.attributes else RowResult(row.docebo_id) for row in rows]

    async def upsert_once(self, kind: Kind, rows: Sequence[Row]) -> list[RowResult]:
        """Send *rows* like `upsert`; a call that is refused as a whole is returned as the refusal of each row.

        Where the answer names failed rows alone, the others count as carried out, a new account once it is seen.
        """
        try:
            return await self.upsert(kind, rows)
        except RowsLeftOut as doubt:
            if doubt.failed is None:
                raise
            return [doubt.failed.get(place) or await self._seen(row, doubt) for place, row in enumerate(rows)]
        except (Rejected, AccessDenied) as refusal:
            return [RowResult(row.docebo_id, refusal.detail or ROW_REFUSED, refusal.said) for row in rows]

    async def names(self, docebo_id: int | None) -> dict[str, Value]:
        """Return the names that Docebo shows of an account, for one of EVIDENCE_CALLS; none if no call is left."""
        if docebo_id is None or not reserve_calls(self._runtime, accounts=1):
            return {}
        with counted(self._runtime):
            seen = await observe_account(self._runtime.docebo, docebo_id)
        account = seen.value if isinstance(seen, Present) else None
        names = {"first_name": account.first_name, "last_name": account.last_name} if account else {}
        return {name: value for name, value in names.items() if value}

    async def made(self, row: Row, *, after: Sequence[int] = (0,)) -> int | None:
        """Return the id of the new account of *row*, which Docebo has accepted without saying it; None if none is shown.

        The search may be behind: it is asked *after* so many seconds each time, until it shows the account.
        """
        for seconds in after:
            await asyncio.sleep(seconds)
            with suppress(RemoteError, IncompleteRead):
                found = await self._docebo.find_users(str(row.attributes["username"]))
                if len(found) == 1:
                    return found[0].docebo_id
        return None

    async def _written(self, kind: Kind, rows: Sequence[Row]) -> list[RowResult]:
        """Make the call; raise PlanChanged if Docebo refuses an option by name, for nothing is proven without it."""
        creates = kind is Kind.CREATE
        try:
            answers = await self._docebo.upsert_users(
                rows,
                create=creates,
                branch=self._branch if creates else None,
                welcome=self._welcome,
                without=self._adapter.unknown_options,
            )
        except Rejected as refusal:
            self._leave_out_option(refusal.said)
            raise
        if all(answer.error for answer in answers):  # each row may be refused for an option of the call
            self._leave_out_option(*(answer.said for answer in answers))
        return answers

    def _leave_out_option(self, *refusals: str) -> None:
        """Raise PlanChanged if all *refusals* of a call or of its rows name an option, which is left out from then on."""
        shared = set.intersection(*(set(re.findall(r"\w+", said)) for said in refusals))
        if self._adapter.drop_option(shared):
            raise PlanChanged("an option of calls is left out by now") from None

    async def _seen(self, row: Row, doubt: RowsLeftOut) -> RowResult:
        """Return the result of a *row* that was carried out, with a new account's id; raise *doubt* if none is seen."""
        if row.docebo_id is not None:
            return RowResult(row.docebo_id)
        if (docebo_id := await self.made(row)) is None:
            raise doubt
        return RowResult(docebo_id)
