"""Sending: one batch after the other, each until it is known what became of every row.

Docebo may carry a call out and not answer, or answer something else; it may refuse a whole call for one person's text.
After any doubt the accounts are read before anything is sent again. A call that is refused as a whole is sent in halves
until the row that it is refused for is alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from slack_docebo.clients.docebo import PAGE_SIZE
from slack_docebo.clients.docebo_answers import AT_WORK
from slack_docebo.clients.docebo_wire import Row, RowResult, RowsLeftOut
from slack_docebo.domain.effects import account_of, is_carried_out
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.operations import Kind, Operation, Outcome, Value
from slack_docebo.domain.people import Account
from slack_docebo.domain.returns import has_left
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.reading.evidence import ask_for_people
from slack_docebo.engine.reading.outages import greet_docebo
from slack_docebo.engine.reading.sides import read_target
from slack_docebo.engine.writing.adapting import TRIED, Adapter, needed, optional, with_password
from slack_docebo.engine.writing.admitting import check_admitted, moved_meanwhile
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.errors import AccessDenied, IncompleteRead, OutcomeUnknown, PlanChanged, Rejected, RemoteError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome

UNANSWERED = 3  # calls in a row of which nobody knows what became: then a run gives up
# The status of a call with too many rows: a guess, no number and no answer is documented. A gateway may give up on it, too.
TOO_LARGE = (400, 413, 500, 502, 503, 504)
REFUSED_ALONE = 3  # rows that are refused one by one before any is taken: then it is not for their texts
FEW = 5  # accounts that are asked for one by one, where nobody knows how many calls a list of all takes
REFUSED_AND_THERE = (
    "Docebo refused the row, and has the account: whether that row has made it, nobody can tell; the next import looks"
)
STATUS_KEPT = "Docebo did not change the status"
NOT_SHOWN_YET = (
    "nobody knows whether Docebo has made the account, for it does not show it yet: the next run looks again"
)
WITHOUT = "done, but without what Docebo refuses for an account:"
REFUSED = "Docebo refuses this person's row, alone and with others"
Record = Callable[[Sequence[Numbered], Sequence[RowOutcome]], None]


class Sender:
    """Sends the batches of one plan; `accounts` is what was read again meanwhile, and is believed from then on."""

    def __init__(
        self, runtime: Runtime, plan_id: str, record: Record, *, branch: int | None = None, welcome: bool = False
    ) -> None:
        self._runtime = runtime
        self._plan_id = plan_id
        self._record = record  # called with the outcomes of each call before the next
        self._branch = branch  # of new accounts
        self._welcome = welcome  # new accounts get Docebo's own mail
        self.accounts: Accounts | None = None
        self._in_doubt: set[int] = set()  # sent before, and perhaps carried out later
        self._late: set[int] = set()  # in a call without any answer, and not carried out: sent again in halves
        self._unanswered = 0
        self._alone: list[tuple[Numbered, RemoteError]] = []  # not taken by themselves either, and why
        self._taken = 0  # rows
        self._largest = 0  # of the parts of a refused call that were taken
        self._tried = Counter[Kind]()  # refused rows that were tried otherwise
        self._adapter = Adapter(runtime)
        self._refused: list[Numbered] = []  # and nothing says that they were carried out all the same
        self._nameless: list[Numbered] = []  # accounts that were made, and whose ids Docebo did not say

    @property
    def rows_per_call(self) -> int:
        """How many rows a call is to have."""
        return self._adapter.rows_per_call

    def alike(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Return of *batch* what can be in one call with its first row: on some platforms only rows with the same columns."""
        if not self._adapter.wants_rows_alike:
            return list(batch)
        columns = [operation.changes.keys() - set(self.left_out(operation)) for _, operation in batch]
        return [numbered for numbered, its in zip(batch, columns, strict=True) if its == columns[0]]

    def left_out(self, operation: Operation) -> list[str]:
        """Return which attributes of *operation* rows go without."""
        if operation.kind in {Kind.DEACTIVATE, Kind.MOVE}:
            return []
        return self._adapter.left_out(operation.changes, creates=operation.kind is Kind.CREATE)

    async def send(self, kind: Kind, batch: Sequence[Numbered]) -> None:
        """Send the batch and record the outcomes that are known; what may be sent once more stays planned."""
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
            rest = await self.settle(batch)
            if not doubt.status:
                self._late.update(seq for seq, _ in rest)
            if rest and self._unanswered >= UNANSWERED - 1 and not may_be_at_work:
                await self._find_refused(kind, rest, doubt)
        except (Rejected, AccessDenied) as refusal:
            await self._find_refused(kind, batch, refusal)

    async def _find_refused(self, kind: Kind, batch: Sequence[Numbered], why: RemoteError) -> None:
        """Send *batch* in parts, and record as failed who is refused alone; raise *why* where nobody at all is taken."""
        self._largest = 0
        await self._send_in_halves(kind, batch, why)
        if self._largest and not self._alone and self._is_for_the_size(kind, batch, why):
            self._adapter.note_size(self._largest, refused=len(batch))
        if not self._taken and (len(self._alone) > 1 or isinstance(why, OutcomeUnknown)):
            raise why
        results = [_refused(numbered, refusal) for numbered, refusal in self._alone]
        self._refused += [numbered for numbered, _ in self._alone]
        self._record([numbered for numbered, _ in self._alone], results)
        self._alone = []

    def _is_for_the_size(self, kind: Kind, batch: Sequence[Numbered], why: RemoteError) -> bool:
        """Tell whether a call that was refused for nobody's row was refused as too large.

        Where few rows were refused it was more likely an accident, and a small size costs the next import of everybody.
        """
        is_large = len(batch) * 2 > self.rows_per_call
        return kind in {Kind.CREATE, Kind.UPDATE} and is_large and why.status in TOO_LARGE

    async def settle(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Read the accounts again, record what was carried out of *batch*, and return the rest.

        The gate lets nobody in before Docebo had time to finish a call without an answer.
        """
        async with self._runtime.gate.call():
            carried_out = await self._carried_out(batch)
        results = [RowOutcome(seq, Outcome.APPLIED, docebo_id) for seq, docebo_id in carried_out]
        # Done is done, but a mapping that was corrected meanwhile stays as it is.
        moved = moved_meanwhile(self._runtime, batch)
        unmapped = [(seq, replace(op, maps=False, fingerprint="") if seq in moved else op) for seq, op in batch]
        self._record(unmapped, results)
        done = {result.seq for result in results}
        rest = [numbered for numbered in batch if numbered[0] not in done]
        self._in_doubt.update(seq for seq, _ in rest)
        if not rest:
            self._unanswered = 0
        return rest

    async def _send_in_halves(self, kind: Kind, batch: Sequence[Numbered], why: RemoteError) -> None:
        """Send smaller and smaller parts of a *batch* that was not taken, until the rows that it is for are alone.

        Raises *why* where it is not for somebody's row.
        """
        await self._check_door(why)
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
                rest = await self.settle(half)
                if len(rest) == len(half) and self._unanswered >= UNANSWERED:
                    raise
                self._taken += len(half) - len(rest)
                self._largest = max(self._largest, len(half))  # the rest stays planned
            except OutcomeUnknown as doubt:
                if not doubt.status or doubt.status in AT_WORK:
                    raise
                if rest := await self.settle(half):
                    await self._send_in_halves(kind, rest, doubt)

    async def _check_door(self, why: RemoteError) -> None:
        """Raise where even a harmless call is refused: then the trouble is our grant's or Docebo's, and nobody's row."""
        if isinstance(why, AccessDenied | OutcomeUnknown):
            if why.status == 401:
                raise why
            try:
                await greet_docebo(self._runtime)
            except RemoteError:
                raise why from None

    async def _call(self, kind: Kind, batch: Sequence[Numbered]) -> None:
        """Make one call for *batch* and record its outcomes."""
        without = [self.left_out(operation) for _, operation in batch]
        async with self._runtime.gate.call(lambda: check_admitted(self._runtime, self._plan_id, batch)):
            if kind is Kind.DEACTIVATE and all("active" in operation.changes for _, operation in batch):
                ids = [operation.docebo_id for _, operation in batch if operation.docebo_id is not None]
                changed = await self._runtime.docebo.change_status(ids, active=False)
                answers = [RowResult(op.docebo_id, "" if op.docebo_id in changed else STATUS_KEPT) for _, op in batch]
            elif kind is Kind.MOVE:
                branch_id = int(batch[0][1].changes[BRANCH])
                ids = [operation.docebo_id for _, operation in batch if operation.docebo_id is not None]
                await self._runtime.docebo.move_to_branch(ids, branch_id)
                answers = [RowResult(operation.docebo_id) for _, operation in batch]
            else:
                creates = kind is Kind.CREATE
                first = await self._upsert(
                    kind, [_row(op, self._adapter.written(op.changes, creates=creates)) for _, op in batch]
                )
                answers = await self._try_otherwise(kind, batch, first)
                for place, (refused, answer) in enumerate(zip(first, answers, strict=True)):
                    if refused.error and not answer.error:  # what it was refused for is known by now
                        without[place] = self.left_out(batch[place][1])
        self._unanswered = 0
        results = [_result(*one) for one in zip(batch, answers, without, strict=True)]
        self._taken += sum(result.outcome is Outcome.APPLIED for result in results)
        looked_at = await self._looked_at_again(kind, batch, results)
        for numbered, result in zip(batch, looked_at, strict=True):
            if result.outcome is Outcome.FAILED:
                self._refused.append(numbered)
            elif result.outcome is Outcome.APPLIED and result.docebo_id is None:
                self._nameless.append(numbered)
        self._record(batch, looked_at)

    async def _upsert(self, kind: Kind, rows: Sequence[Row]) -> list[RowResult]:
        """Send *rows* in one call, and return their results; a row that holds nothing is not sent."""
        sent = [row for row in rows if row.attributes]
        answers = iter(await self._written(kind, sent) if sent else [])
        return [next(answers) if row.attributes else RowResult(row.docebo_id) for row in rows]

    async def _written(self, kind: Kind, rows: Sequence[Row]) -> list[RowResult]:
        """Make the call, once more without each option for whose name Docebo refuses it."""
        creates = kind is Kind.CREATE
        while True:
            try:
                return await self._runtime.docebo.upsert_users(
                    rows,
                    create=creates,
                    branch=self._branch if creates else None,
                    welcome=self._welcome,
                    without=self._adapter.unknown_options,
                )
            except Rejected as refusal:
                if not self._adapter.drops_option(refusal.said):
                    raise

    async def _tried_once(self, kind: Kind, rows: Sequence[Row]) -> list[RowResult]:
        """Send *rows* like `_upsert`; a call that is refused as a whole has taken none of them.

        Where an answer names failed rows alone, the others are taken to be carried out, once a new account is seen.
        """
        try:
            return await self._upsert(kind, rows)
        except RowsLeftOut as doubt:
            if doubt.failed is None:
                raise
            return [doubt.failed.get(place) or await self._seen(row, doubt) for place, row in enumerate(rows)]
        except (Rejected, AccessDenied) as refusal:
            return [RowResult(row.docebo_id, refusal.detail or REFUSED, refusal.said) for row in rows]

    async def _seen(self, row: Row, doubt: RowsLeftOut) -> RowResult:
        """Return the result of a *row* that was carried out, with the id of a new account; raise *doubt* where none is seen."""
        if row.docebo_id is not None:
            return RowResult(row.docebo_id)
        found = await self._runtime.docebo.find_users(str(row.attributes["username"]))
        if len(found) != 1:
            raise doubt
        return RowResult(found[0].docebo_id)

    async def _try_otherwise(
        self, kind: Kind, batch: Sequence[Numbered], answers: Sequence[RowResult]
    ) -> list[RowResult]:
        """Return *answers*, where a row that is refused for what an account need not have has been sent without that.

        As long as nobody was ever made, it may be refused for a password that it lacks.
        """
        results, creates = list(answers), kind is Kind.CREATE
        wants_password = creates and self._adapter.may_want_passwords
        doubtful = [
            place
            for place, ((seq, op), answer) in enumerate(zip(batch, answers, strict=True))
            if answer.error and seq not in self._in_doubt
            if wants_password or optional(op.changes, creates=creates)
        ]
        tried = doubtful[: max(0, TRIED - self._tried[kind])]
        if not tried:
            return results
        self._tried[kind] += len(tried)
        taken = []
        without_rest = [(op, needed(op.changes, creates=creates)) for _, op in map(batch.__getitem__, tried)]
        rows = [_row(op, self._adapter.written(changes, creates=creates)) for op, changes in without_rest]
        bare = await self._tried_once(kind, rows)
        if wants_password and all(answer.error for answer in bare):
            secured = [replace(row, attributes={**row.attributes, **with_password()}) for row in rows]
            bare = await self._tried_once(kind, secured)
            if not all(answer.error for answer in bare):
                self._adapter.give_passwords()
        for place, answer in zip(tried, bare, strict=True):
            if not answer.error:
                results[place] = answer
                taken.append((batch[place][1], answer.docebo_id or batch[place][1].docebo_id))
        for number, (operation, docebo_id) in enumerate(taken):
            rest = optional(operation.changes, creates=creates)
            if docebo_id is None:  # Docebo did not say the id: the next run writes the rest
                self._adapter.refuse(rest)
                continue
            if number:  # the first has shown in which form they are taken
                [answer] = await self._tried_once(Kind.UPDATE, [Row(docebo_id, self._adapter.written(rest))])
                if not answer.error:
                    continue
            await self._find_refused_values(docebo_id, rest)
        if taken and (others := [place for place in doubtful if place not in tried]):
            others_of = map(batch.__getitem__, others)
            rows = [_row(op, self._adapter.written(op.changes, creates=creates)) for _, op in others_of]
            for place, answer in zip(others, await self._tried_once(kind, rows), strict=True):
                results[place] = answer
        return results

    async def _find_refused_values(self, docebo_id: int, attributes: Mapping[str, Value]) -> None:
        """Write each of *attributes* by itself, and note in which form it is taken, or that it is refused."""
        for name, value in attributes.items():
            for form in self._adapter.forms(name, value):
                [answer] = await self._tried_once(Kind.UPDATE, [Row(docebo_id, {name: form})])
                if not answer.error:
                    self._adapter.take(name, value, form)
                    break
            else:
                self._adapter.refuse({name: value})

    async def _looked_at_again(
        self, kind: Kind, batch: Sequence[Numbered], results: Sequence[RowOutcome]
    ) -> list[RowOutcome]:
        """Return *results*, where the other side's no may only say that it was done before: then it was."""
        refused = [
            numbered for numbered, result in zip(batch, results, strict=True) if result.outcome is Outcome.FAILED
        ]
        if not refused:
            return list(results)
        # Docebo's no to a status says nothing of the one it has.
        doubtful = [one for one in refused if kind is Kind.DEACTIVATE or one[0] in self._in_doubt]
        settled: dict[int, RowOutcome] = {}
        if kind is Kind.CREATE:
            doubtful += self._sent_by_others([one for one in refused if one not in doubtful])
            # A creation that is done is refused as well, and the search may be behind.
            settled = {seq: RowOutcome(seq, Outcome.SKIPPED, error=NOT_SHOWN_YET, in_doubt=True) for seq, _ in doubtful}
            settled |= self._made_meanwhile(refused)
            settled |= await self._made_for_another_id([one for one in refused if one[0] not in settled])
        settled |= {
            seq: RowOutcome(seq, Outcome.APPLIED, docebo_id) for seq, docebo_id in await self._carried_out(doubtful)
        }
        return [settled.get(result.seq, result) for result in results]

    def _sent_by_others(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Return which of *batch* another plan was to create, without anybody knowing yet what became of it."""
        with self._runtime.store.reading() as tables:
            people = tables.intents.creations_of(self._plan_id, [operation.slack_id for _, operation in batch])
        return [(seq, operation) for seq, operation in batch if (operation.slack_team, operation.slack_id) in people]

    async def look_at_unclear(self) -> tuple[list[Numbered], list[RowOutcome]]:
        """Return what became of the rows that were refused and carried out all the same, or made nobody knows which account.

        Docebo may make an account and fail at what comes after. It takes a call for each of a few, or one list for all. An
        account that is there although it was refused may be somebody else's doing as well: it is not taken for ours.
        """
        refused = [one for one in self._refused if one[1].kind in {Kind.CREATE, Kind.UPDATE}]
        unclear = [*refused, *self._nameless]
        self._refused, self._nameless = [], []
        try:
            done = dict(await self._carried_out(unclear))
        except (RemoteError, IncompleteRead):  # then what Docebo has said stands
            return [], []
        not_ours = {seq for seq, operation in refused if operation.kind is Kind.CREATE}
        return unclear, [
            RowOutcome(seq, Outcome.SKIPPED, docebo_id, REFUSED_AND_THERE)
            if seq in not_ours
            else RowOutcome(seq, Outcome.APPLIED, docebo_id)
            for seq, docebo_id in done.items()
        ]

    async def _carried_out(self, batch: Sequence[Numbered]) -> list[tuple[int, int]]:
        """Return place and account of the operations that their accounts show to be carried out."""
        moved = await self._moved([numbered for numbered in batch if numbered[1].kind is Kind.MOVE])
        batch = [numbered for numbered in batch if numbered[1].kind is not Kind.MOVE]
        if not batch:
            return moved
        pages = len(self.accounts or ()) // PAGE_SIZE
        if len(batch) <= max(FEW, pages):
            accounts = Accounts()
            for _, operation in batch:
                accounts.add(await self._asked(operation))
            self.believe(accounts)
        else:
            accounts = self.accounts = await read_target(self._runtime)
        return moved + [
            (seq, account.docebo_id)
            for seq, operation in batch
            if (account := account_of(accounts, operation)) and is_carried_out(operation, account)
        ]

    async def _moved(self, batch: Sequence[Numbered]) -> list[tuple[int, int]]:
        """Return place and account of those who are in the branch to which they were moved: one listing for each branch."""
        there: dict[int, set[int]] = {}
        for branch_id in sorted({int(operation.changes[BRANCH]) for _, operation in batch}):
            there[branch_id] = await self._runtime.docebo.in_branch(branch_id)
        return [
            (seq, operation.docebo_id)
            for seq, operation in batch
            if operation.docebo_id and operation.docebo_id in there[int(operation.changes[BRANCH])]
        ]

    def believe(self, looked_at: Iterable[Account]) -> None:
        """Let what was *looked at* again be what the next batch is held against."""
        self.accounts = self.accounts or Accounts()
        self.accounts.add(looked_at)

    async def _asked(self, operation: Operation) -> list[Account]:
        """Return what Docebo shows of the account of *operation*: by its id or, of a creation, by its username."""
        if operation.docebo_id is None:
            return await self._runtime.docebo.find_users(str(operation.changes.get("username", "")))
        seen = await self._runtime.docebo.user(operation.docebo_id)
        if not isinstance(seen, Present) or is_carried_out(operation, seen.value):
            return [seen.value] if isinstance(seen, Present) else []
        # The view of one user lacks attributes that the listing has.
        listed = await self._runtime.docebo.find_users(seen.value.username)
        return [account for account in listed if account.docebo_id == operation.docebo_id] or [seen.value]

    def _made_meanwhile(self, batch: Sequence[Numbered]) -> dict[int, RowOutcome]:
        """Return the outcome of those whom another run of ours gave their account meanwhile, by place."""
        found: dict[int, RowOutcome] = {}
        with self._runtime.store.reading() as tables:
            applied = tables.applied(self._runtime.settings.docebo_url)
            for team in {operation.slack_team for _, operation in batch}:
                of_team = {op.slack_id: seq for seq, op in batch if op.slack_team == team}
                for slack_id, known in applied.of(team, list(of_team)).items():
                    if known.docebo_id is not None:
                        said = f"account {known.docebo_id} was made for this person meanwhile"
                        seq = of_team[slack_id]
                        found[seq] = RowOutcome(seq, Outcome.SKIPPED, known.docebo_id, said)
        return found

    async def _made_for_another_id(self, batch: Sequence[Numbered]) -> dict[int, RowOutcome]:
        """Return the outcome of those whose account was made for another Slack id, and is not shown yet, by place.

        Slack is asked for whoever has it: that is the same person where the company has just joined a Grid, and gone
        where somebody has returned under a new id.
        """
        found: dict[int, RowOutcome] = {}
        with self._runtime.store.reading() as tables:
            names = [str(operation.changes.get("username", "")) for _, operation in batch]
            bearing = tables.accounts_at(self._runtime.settings.docebo_url).bearing(names)
            given = tables.applied(self._runtime.settings.docebo_url).given(bearing.values())
        for seq, operation in batch:
            docebo_id = bearing.get(str(operation.changes.get("username", "")))
            holders = given.get(docebo_id or 0, set()) - {operation.slack_id}
            with suppress(RemoteError):
                answers = await ask_for_people(self._runtime, operation.slack_team, sorted(holders))
                if any(isinstance(seen, Present) and operation.slack_id in seen.value.ids for seen in answers.values()):
                    said = f"account {docebo_id} was made for this person meanwhile"
                    found[seq] = RowOutcome(seq, Outcome.SKIPPED, docebo_id, said)
                elif gone := [slack_id for slack_id, seen in answers.items() if has_left(seen)]:
                    said = f"account {docebo_id} was made for {gone[0]}, who is gone, and Docebo does not show it yet"
                    found[seq] = RowOutcome(seq, Outcome.SKIPPED, docebo_id, said)
        return found


def _result(numbered: Numbered, answer: RowResult, without: Sequence[str]) -> RowOutcome:
    seq, operation = numbered
    if answer.error:
        return RowOutcome(seq, Outcome.FAILED, operation.docebo_id, answer.error, said=answer.said)
    told = f"{WITHOUT} {', '.join(without)}" if without else ""
    return RowOutcome(seq, Outcome.APPLIED, answer.docebo_id or operation.docebo_id, told)


def _refused(numbered: Numbered, why: RemoteError) -> RowOutcome:
    seq, operation = numbered
    reason = f"{REFUSED}: {why.detail}" if why.detail else REFUSED
    return RowOutcome(seq, Outcome.FAILED, operation.docebo_id, reason, said=why.said)


def _row(operation: Operation, attributes: Mapping[str, Value]) -> Row:
    return Row(operation.docebo_id, attributes)
