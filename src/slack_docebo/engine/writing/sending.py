"""Sending: one batch after the other, each until the outcome of every row is known.

Docebo may carry out a call and not answer, or answer something else; it may refuse a whole call for one person's text.
After any doubt the accounts are read before anything is sent again. A call that is refused as a whole is sent in halves
until the row that it is refused for is alone.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from slack_docebo.clients.docebo_answers import AT_WORK
from slack_docebo.clients.docebo_rows import Row, RowResult, RowsLeftOut
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.reading.outages import ping_docebo
from slack_docebo.engine.writing.adapting import Adapter
from slack_docebo.engine.writing.admitting import check_admitted
from slack_docebo.engine.writing.calls import Calls
from slack_docebo.engine.writing.experiments import Experiments
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.engine.writing.verifying import Verifier
from slack_docebo.errors import AccessDenied, Halted, OutcomeUnknown, PlanChanged, Rejected, RemoteError
from slack_docebo.runtime import Runtime

UNANSWERED = 3  # calls in a row of which nobody knows what became: then a run gives up
# The status of a call with too many rows: a guess, no number and no answer is documented. A gateway may give up on it, too.
TOO_LARGE = (400, 413, 500, 502, 503, 504)
AT_ONCE = timedelta(minutes=1)  # for so long a call may wait, whatever EVIDENCE_MINUTES says
REFUSED_ALONE = 3  # rows that are refused one by one before any is taken: then it is not for their texts


class Sender:
    """Sends the batches of one plan; *verifier* finds out what became of their rows, and records it."""

    def __init__(
        self,
        runtime: Runtime,
        plan_id: str,
        adapter: Adapter,
        verifier: Verifier,
        *,
        branch: int | None,
        welcome: bool,
    ) -> None:
        self._runtime = runtime
        self._plan_id = plan_id
        self._adapter = adapter
        self._verifier = verifier
        self._waited: set[int] = set()  # for their call, or stood still, for so long that they were admitted anew
        self._late: set[int] = set()  # in a call without any answer, and not carried out: sent again in halves
        self._unanswered = 0
        self._alone: list[tuple[Numbered, RemoteError]] = []  # not taken by themselves either, and why
        self._taken = 0  # rows
        self._largest = 0  # of the parts of a refused call that were taken
        self._calls = Calls(runtime, adapter, branch=branch, welcome=welcome)
        self._experiments = Experiments(self._calls, adapter)

    def alike(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Return the most rows of *batch* that fit in one call: on some platforms, rows of equal columns.

        As long as nothing is known of that, only the branch of new accounts has to be in all of them or in none: no list
        shows it, so nobody would notice that it was left out.
        """
        if self._adapter.takes_own_columns:
            return list(batch)
        columns = [frozenset(operation.changes).difference(self.left_out(operation)) for _, operation in batch]
        if not self._adapter.wants_rows_alike:
            columns = [its & {BRANCH} for its in columns]
        [(most, _)] = Counter(columns).most_common(1)
        return [numbered for numbered, its in zip(batch, columns, strict=True) if its == most]

    def left_out(self, operation: Operation) -> list[str]:
        """Return the attributes of *operation* that its row leaves out, because Docebo refuses or cannot hold them."""
        if operation.kind in {Kind.DEACTIVATE, Kind.MOVE}:
            return []
        creates = operation.kind is Kind.CREATE
        unwritten = self._experiments.unwritten.get(operation.slack_id, ()) if creates else ()
        return list(dict.fromkeys([*self._adapter.left_out(operation.changes, creates=creates), *unwritten]))

    async def send(self, kind: Kind, batch: Sequence[Numbered]) -> None:
        """Send the batch and record the outcomes that are known; rows that may be sent again stay planned."""
        with suppress(PlanChanged):  # what is left of the batch is admitted anew
            await self._send(kind, batch)

    async def _send(self, kind: Kind, batch: Sequence[Numbered]) -> None:
        if len(batch) > 1 and any(seq in self._late for seq, _ in batch):
            middle = len(batch) // 2
            for half in (batch[:middle], batch[middle:]):
                await self._send_whole(kind, half)
        else:
            await self._send_whole(kind, batch)

    async def _send_whole(self, kind: Kind, batch: Sequence[Numbered]) -> None:
        try:
            await self._call(kind, batch)
        except OutcomeUnknown as doubt:
            self._unanswered += 1
            may_be_at_work = not doubt.status or doubt.status in AT_WORK
            if self._unanswered >= UNANSWERED and may_be_at_work:
                raise
            rest = await self._settle(batch)
            self._learn_from(doubt, batch, rest)
            if not doubt.status:
                self._late.update(seq for seq, _ in rest)
            if rest and self._unanswered >= UNANSWERED - 1 and not may_be_at_work:
                await self._find_refused(kind, rest, doubt)
        except (Rejected, AccessDenied) as refusal:
            if kind is Kind.MOVE:
                await self._find_refused_moves(batch, refusal)
            else:
                await self._find_refused(kind, batch, refusal)

    def _learn_from(self, doubt: OutcomeUnknown, batch: Sequence[Numbered], rest: Sequence[Numbered]) -> None:
        """Note that only refused rows are answered, if the answer named exactly the rows in *rest* as failed."""
        if not isinstance(doubt, RowsLeftOut) or doubt.failed is None:
            return
        refused = {batch[place][0] for place in doubt.failed}
        if len(refused) < len(batch) and {seq for seq, _ in rest} == refused:
            self._adapter.note_refused_alone()

    async def _find_refused_moves(self, batch: Sequence[Numbered], why: RemoteError) -> None:
        """Record each move that is refused by itself as failed, or all if all are: their branch may be gone."""
        try:
            await self._find_refused(Kind.MOVE, batch, why)
        except Rejected:
            await self._verifier.record_refused_moves(batch, why)

    async def _find_refused(self, kind: Kind, batch: Sequence[Numbered], why: RemoteError) -> None:
        """Send *batch* in parts and record each row refused by itself as failed; raise *why* if no row is accepted."""
        self._largest, self._alone = 0, []
        await self._send_in_halves(kind, batch, why)
        if self._largest and not self._alone and self._is_for_the_size(kind, batch, why):
            self._adapter.note_size(self._largest, refused=len(batch))
        if not self._taken and (len(self._alone) > 1 or isinstance(why, OutcomeUnknown)):
            raise why
        await self._verifier.record_refused(self._alone)

    def _is_for_the_size(self, kind: Kind, batch: Sequence[Numbered], why: RemoteError) -> bool:
        """Tell whether a call that was refused, though none of its rows is, was refused for its size.

        A refusal of few rows was more likely an accident, and a small size slows down the next import of everybody.
        """
        is_large = len(batch) * 2 > self._adapter.rows_per_call
        return kind in {Kind.CREATE, Kind.UPDATE} and is_large and why.status in TOO_LARGE

    async def _settle(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Record which rows of *batch* were carried out, after a call of which nobody knows; return the others."""
        rest = await self._verifier.settle(batch)
        if not rest:
            self._unanswered = 0
        return rest

    async def _send_in_halves(self, kind: Kind, batch: Sequence[Numbered], why: RemoteError) -> None:
        """Send a refused *batch* in ever smaller parts, until each row that is to blame is alone.

        Raises *why* if no single row is to blame.
        """
        await self._check_grant(why)
        if len(batch) == 1:
            self._alone.append((batch[0], why))
            if len(self._alone) >= REFUSED_ALONE and not self._taken:
                raise why
            return
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            try:
                await self._call(kind, half)
                self._largest = max(self._largest, len(half))
            except (Rejected, AccessDenied) as refusal:
                await self._send_in_halves(kind, half, refusal)
            except RowsLeftOut:
                self._unanswered += 1
                rest = await self._settle(half)
                if len(rest) == len(half) and self._unanswered >= UNANSWERED:
                    raise
                self._taken += len(half) - len(rest)
                self._largest = max(self._largest, len(half))  # the rest stays planned
            except OutcomeUnknown as doubt:
                if not doubt.status or doubt.status in AT_WORK:
                    raise
                if rest := await self._settle(half):
                    await self._send_in_halves(kind, rest, doubt)

    async def _check_grant(self, why: RemoteError) -> None:
        """Raise *why* if Docebo refuses even a harmless call: then the grant or Docebo is to blame, and no row."""
        if isinstance(why, AccessDenied | OutcomeUnknown):
            if why.status == 401:
                raise why
            try:
                await ping_docebo(self._runtime.docebo)
            except RemoteError:
                raise why from None

    async def _call(self, kind: Kind, batch: Sequence[Numbered]) -> None:
        """Make one call for *batch* and record its outcomes.

        If the plan changes or somebody stops it before refused rows were tried in another form, the other rows are
        recorded.
        """
        without = [self.left_out(operation) for _, operation in batch]
        since = self._runtime.now()
        first: list[RowResult] = []
        answers: list[RowResult] = []
        try:
            async with self._runtime.gate.call(lambda: self._check(batch, since)):
                self._verifier.rereading.note_sent(batch)
                if kind is Kind.DEACTIVATE and all("active" in operation.changes for _, operation in batch):
                    answers = await self._calls.deactivate(batch)
                elif kind is Kind.MOVE:
                    answers = await self._calls.move(batch)
                else:
                    creates = kind is Kind.CREATE
                    rows = [Row(op.docebo_id, self._adapter.written(op.changes, creates=creates)) for _, op in batch]
                    first = await self._calls.upsert(kind, rows)
                    answers = list(first)
                    if kind is not Kind.DEACTIVATE:  # whose rows need all that they say
                        await self._experiments.try_otherwise(kind, batch, answers, self._verifier.in_doubt)
                    for place, (refused, answer) in enumerate(zip(first, answers, strict=True)):
                        if refused.error and not answer.error:  # what it was refused for is known by now
                            without[place] = self.left_out(batch[place][1])
                    # Who lacks what nobody has refused counts as not in line yet.
                    batch = [
                        (seq, replace(op, fingerprint="") if op.slack_id in self._experiments.unwritten else op)
                        for seq, op in batch
                    ]
        except (PlanChanged, Halted):
            # An account that was made without some of it is made all the same: the next run writes the rest.
            answers = answers if kind is Kind.CREATE else first
            await self._record_answers(kind, *_accepted_rows(batch, first, answers, without))
            raise
        await self._record_answers(kind, batch, answers, without)

    def _check(self, batch: Sequence[Numbered], since: datetime) -> None:
        """Raise what `check_admitted` raises, and PlanChanged, once for each row, if the call waits for too long *since*.

        Another call may have kept it waiting, or the run stood still: what was asked about these accounts is outdated.
        """
        check_admitted(self._runtime, self._plan_id, batch)
        seqs = {seq for seq, _ in batch}
        if self._runtime.now() - since > max(AT_ONCE, timedelta(minutes=self._runtime.behaviour.evidence_minutes)):
            if seqs <= self._waited:
                return  # it would be so each time
            self._waited |= seqs
            raise PlanChanged("what the accounts of these rows have shown is outdated")

    async def _record_answers(
        self,
        kind: Kind,
        batch: Sequence[Numbered],
        answers: Sequence[RowResult],
        without: Sequence[Sequence[str]],
    ) -> None:
        """Record what became of *batch* by the *answers* of a call that was answered; *without* is what its rows lack."""
        self._unanswered = 0
        self._taken += sum(not answer.error for answer in answers)
        await self._verifier.record_answers(kind, batch, answers, without)


def _accepted_rows(
    batch: Sequence[Numbered],
    first: Sequence[RowResult],
    answers: Sequence[RowResult],
    without: Sequence[Sequence[str]],
) -> tuple[list[Numbered], list[RowResult], list[Sequence[str]]]:
    """Return the rows accepted by *answers* so far; rows refused at *first* lack values and get no fingerprint."""
    taken = [place for place, answer in enumerate(answers) if not answer.error]
    in_line = [
        (seq, replace(op, fingerprint="") if answer.error else op)
        for (seq, op), answer in zip(batch, first, strict=False)
    ]
    return [in_line[one] for one in taken], [answers[one] for one in taken], [without[one] for one in taken]
