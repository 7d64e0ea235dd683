"""Verifying: what became of rows that were sent, by Docebo's answers and by what its accounts show.

Docebo may carry out a row and refuse it, or say that it was done where it was not. An account may be new, and show what
another run of ours has sent.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import replace

from slack_docebo.clients.docebo_rows import RowResult
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.effects import changes_access, differs, is_looked_for
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import (
    NOT_SHOWN_YET,
    ROW_REFUSED,
    SAID_TO_BE_MADE,
    SENT_BEFORE,
    STATUS_KEPT,
    Kind,
    Operation,
    Outcome,
)
from slack_docebo.domain.quoting import MEANINGS
from slack_docebo.domain.targets import is_manager
from slack_docebo.engine.reading.accounts import listed_last
from slack_docebo.engine.writing.admitting import remapped_meanwhile
from slack_docebo.engine.writing.placing import Placing
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.engine.writing.refused_creations import (
    given_up,
    made_already,
    made_for_another_id,
    made_meanwhile,
    sent_by_others,
)
from slack_docebo.engine.writing.rereading import Effect, Rereading
from slack_docebo.errors import IncompleteRead, OutcomeUnknown, RemoteError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome

REFUSED_AND_THERE = (
    "Docebo refused the row, and has the account: whether that row has made it, nobody can tell; the next import looks"
)
CONTRADICTED = (
    "Docebo says that it was done, and still shows the account as it was before. Set by hand in Docebo whether it is active"
    " and when it expires, and ask Docebo's support why its answer is wrong"
)
STATUS_NOT_SHOWN_YET = "nobody knows whether this was done, for Docebo does not show it yet: the next run looks again"
WITHOUT = "done, but without what Docebo refuses for an account:"
FAILS_AT_ROW = "Docebo fails at this person's row each time, with HTTP"
Record = Callable[[Sequence[Numbered], Sequence[RowOutcome]], None]


class Verifier:
    """Finds out what became of rows that were sent for one plan, and records it by *record*, call by call."""

    def __init__(self, runtime: Runtime, plan_id: str, rereading: Rereading, record: Record) -> None:
        self._runtime = runtime
        self._store, self._docebo = runtime.store, runtime.settings.docebo_url
        self._plan_id = plan_id
        self.rereading = rereading
        self._record = record
        self._placing = Placing(runtime)
        self.in_doubt: set[int] = set()  # rows that were sent before, and perhaps are carried out later
        self._listed: frozenset[int] | None = None  # accounts, by the last whole list; read with the first new account
        self._says_ids = False  # of new accounts
        self._refused: list[Numbered] = []  # and nothing says that they were carried out all the same
        self._without_id: list[Numbered] = []  # accounts that were made, and whose ids Docebo did not say

    @property
    def made_without_id(self) -> list[Numbered]:
        """The new accounts whose ids Docebo does not tell; none once it has told one."""
        return [] if self._says_ids else list(self._without_id)

    async def settle(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Read the accounts again, record which rows of *batch* were carried out, and return the others.

        The gate opens only once Docebo has had the time to finish a call that it did not answer.
        """
        async with self._runtime.gate.call():
            carried_out = await self.rereading.carried_out(batch)
        by_others = await to_completion(self._made_by_others, batch, dict(carried_out))
        results = list(_done(dict(carried_out), by_others=by_others).values())
        # Done is done, but a mapping that was corrected meanwhile stays as it is.
        remapped = remapped_meanwhile(self._store, self._docebo, batch)
        unmapped = [(seq, replace(op, maps=False, fingerprint="") if seq in remapped else op) for seq, op in batch]
        self._record(unmapped, results)
        done = {result.seq for result in results}
        rest = [numbered for numbered in batch if numbered[0] not in done]
        self.in_doubt.update(seq for seq, _ in rest)
        return rest

    async def record_answers(
        self,
        kind: Kind,
        batch: Sequence[Numbered],
        answers: Sequence[RowResult],
        without: Sequence[Sequence[str]],
    ) -> None:
        """Record the outcomes of a call by its *answers*, reading the accounts for which an answer is no proof.

        *without* are the attributes that each row did not hold.
        """
        results = [_result(*one) for one in zip(batch, answers, without, strict=True)]
        if kind is Kind.CREATE:
            results = await to_completion(self._without_known_ids, results)
            self._says_ids |= any(result.docebo_id for result in results if result.outcome is Outcome.APPLIED)
        looked_at = await self._with_access_checked(
            kind, batch, await self._with_refusals_checked(kind, batch, results)
        )
        looked_at = await self._placing.corrected(batch, looked_at)
        numbered_by = {numbered[0]: numbered for numbered in batch}
        for numbered, result in ((numbered_by[result.seq], result) for result in looked_at):
            if result.outcome is Outcome.FAILED:
                self._refused.append(numbered)
            elif _has_no_id(result):
                self._without_id.append(numbered)
        self._record(batch, [replace(one, in_doubt=True) if _is_open(one) else one for one in looked_at])

    async def record_refused(self, alone: Sequence[tuple[Numbered, RemoteError]]) -> None:
        """Record the rows that were refused *alone*, each with its error, as failed, or in doubt if they may be done before."""
        batch = [numbered for numbered, _ in alone]
        refused = [self._refused_or_in_doubt(numbered, _refused(numbered, why)) for numbered, why in alone]
        results = await self._placing.corrected(batch, refused)
        still_refused = {result.seq for result in results if result in refused}
        self._refused += [numbered for numbered in batch if numbered[0] in still_refused]
        self._record(batch, results)

    async def record_refused_moves(self, batch: Sequence[Numbered], why: RemoteError) -> None:
        """Record that all moves of *batch* are refused: their branch may be gone."""
        self._record(batch, await self._placing.corrected(batch, [_refused(numbered, why) for numbered in batch]))

    def with_doubts(self, batch: Sequence[Numbered], skipped: Sequence[RowOutcome]) -> list[RowOutcome]:
        """Return *skipped*, in which rows of *batch* that were sent before say that they may have been carried out.

        An account, branch or manager that they may have given is still looked for.
        """
        looked_for = {seq for seq, operation in batch if is_looked_for(operation)}
        return [
            replace(result, error=f"{result.error}{SENT_BEFORE}", in_doubt=result.seq in looked_for)
            if result.seq in self.in_doubt
            else result
            for result in skipped
        ]

    async def look_at_unclear(self) -> tuple[list[Numbered], list[RowOutcome]]:
        """Return the outcomes of rows refused but carried out, and of accounts made without an id.

        Docebo may make an account, shut or move it, and fail at what comes after. Finding out takes a call for each of
        a few, or one list for all. An account that exists although it was refused may have been made by somebody else,
        so it does not count as ours. An account without an id that Docebo does not show stays in doubt.
        """
        refused = self._refused
        without_id = {seq for seq, _ in self._without_id}
        unclear = [*refused, *self._without_id]
        self._refused, self._without_id = [], []
        try:
            done = dict(await self.rereading.carried_out(unclear))
        except (RemoteError, IncompleteRead):  # then what Docebo has said stands
            return [], []
        not_ours = {seq for seq, operation in refused if operation.kind is Kind.CREATE}
        in_doubt = [
            RowOutcome(seq, Outcome.SKIPPED, error=SAID_TO_BE_MADE, in_doubt=True) for seq in without_id - done.keys()
        ]
        return unclear, in_doubt + [
            RowOutcome(seq, Outcome.SKIPPED, docebo_id, REFUSED_AND_THERE)
            if seq in not_ours
            else RowOutcome(seq, Outcome.APPLIED, docebo_id)
            for seq, docebo_id in done.items()
        ]

    def _refused_or_in_doubt(self, numbered: Numbered, refused: RowOutcome) -> RowOutcome:
        """Return *refused* or, if the row may have been carried out when it was sent before, an outcome in doubt.

        That is so where the earlier call was not answered and no account shows the values of the row. A new account may
        be refused because it exists already, and Docebo's search may not show it yet.
        """
        seq, operation = numbered
        if operation.kind is not Kind.CREATE:
            in_doubt = may_be_done = seq in self.in_doubt and is_looked_for(operation)
        else:
            in_doubt = seq in self.in_doubt or bool(
                sent_by_others(self._store, self._docebo, self._plan_id, [numbered])
            )
            may_be_done = in_doubt or bool(given_up(self._store, self._docebo, [numbered]))
        return _perhaps_done(refused, in_doubt=in_doubt) if may_be_done else refused

    def _made_by_others(self, batch: Sequence[Numbered], accounts: MappingType[int, int]) -> set[int]:
        """Return the creations whose account exists but shows what another plan has sent, and not this one."""
        made = [one for one in batch if one[1].kind is Kind.CREATE and one[0] in accounts]
        read = self.rereading.accounts or Accounts()
        return {
            seq
            for seq, operation in sent_by_others(self._store, self._docebo, self._plan_id, made)
            if (account := read.get(accounts[seq]))
            and any(differs(account, name, value) for name, value in operation.changes.items())
        }

    def _without_known_ids(self, results: Sequence[RowOutcome]) -> list[RowOutcome]:
        """Return *results* of new accounts without ids that an earlier list has shown, or that appear twice."""
        if self._listed is None:
            with self._store.reading() as tables:
                self._listed = listed_last(tables, self._docebo)
        told = Counter(result.docebo_id for result in results)
        return [
            replace(result, docebo_id=None)
            if told[result.docebo_id] > 1 or result.docebo_id in self._listed
            else result
            for result in results
        ]

    async def _with_access_checked(
        self, kind: Kind, batch: Sequence[Numbered], results: Sequence[RowOutcome]
    ) -> list[RowOutcome]:
        """Return *results*, in which a change of access counts as done only if an account shows it: one call more.

        What the account does not show may be shown later: the next run looks again, so that we know whom we have shut.
        """
        done = {result.seq for result in results if result.outcome is Outcome.APPLIED}
        told = [(seq, op) for seq, op in batch if seq in done and kind is not Kind.CREATE and changes_access(op)]
        contradicted = await self.rereading.contradicted(told)
        return [_by_effect(result, contradicted.get(result.seq)) for result in results]

    async def _with_refusals_checked(
        self, kind: Kind, batch: Sequence[Numbered], results: Sequence[RowOutcome]
    ) -> list[RowOutcome]:
        """Return *results*, in which a refused row counts as done if its account shows that it was done before."""
        said = {result.seq: result for result in results}
        refused = [numbered for numbered in batch if said[numbered[0]].outcome is Outcome.FAILED]
        if not refused:
            return list(results)
        match kind:
            case Kind.CREATE:
                settled = await self._of_refused_creations(refused, said)
            case Kind.DEACTIVATE:  # Docebo's no to a status says nothing of the one it has
                settled = await self._deactivations_shown(
                    refused, {one.seq for one in results if one.error == STATUS_KEPT}
                )
            case _:
                sent_before = [numbered for numbered in refused if numbered[0] in self.in_doubt]
                settled = _done(dict(await self.rereading.carried_out(sent_before)))
        return [settled.get(result.seq, result) for result in results]

    async def _of_refused_creations(
        self, refused: Sequence[Numbered], said: MappingType[int, RowOutcome]
    ) -> dict[int, RowOutcome]:
        """Return the outcomes of *refused* creations that differ from what Docebo has *said*.

        Docebo also refuses a creation that it has carried out before, and its search may be behind.
        """
        sent_before = [numbered for numbered in refused if numbered[0] in self.in_doubt]
        others = [one for one in refused if one not in sent_before]
        by_others = sent_by_others(self._store, self._docebo, self._plan_id, others)
        sent_before += by_others
        unsought = given_up(self._store, self._docebo, [one for one in refused if one not in sent_before])
        settled = {seq: RowOutcome(seq, Outcome.SKIPPED, error=NOT_SHOWN_YET, in_doubt=True) for seq, _ in sent_before}
        settled |= {seq: _perhaps_done(said[seq], in_doubt=False) for seq, _ in unsought}
        settled |= made_meanwhile(self._store, self._docebo, self._plan_id, refused)
        settled |= await made_for_another_id(self._runtime, [one for one in refused if one[0] not in settled])
        looked_for = [*sent_before, *unsought]
        done = dict(await self.rereading.carried_out(looked_for))
        # Those accounts have what Slack had said when the other plan was made.
        theirs = {seq for seq, _ in (*by_others, *unsought)} | await to_completion(
            self._made_by_others, looked_for, done
        )
        return settled | _done(done, by_others=theirs)

    async def _deactivations_shown(self, batch: Sequence[Numbered], not_told: Collection[int]) -> dict[int, RowOutcome]:
        """Return the outcomes of deactivations in *batch* that differ from Docebo's answer.

        *not_told* are the rows for which the answer says nothing. If no account shows one of them either, its outcome
        is in doubt: otherwise the next run would believe that somebody else had shut the account, and never open it
        again.
        """
        shown = await self.rereading.shown_status(batch)
        done = {
            seq: RowOutcome(seq, Outcome.APPLIED, op.docebo_id) for seq, op in batch if shown.get(seq) is Effect.DONE
        }
        told = {Effect.DONE, Effect.NOT_DONE}
        unclear = [(seq, op) for seq, op in batch if seq in not_told and shown.get(seq) not in told]
        return done | {seq: _unclear(RowOutcome(seq, Outcome.SKIPPED, op.docebo_id)) for seq, op in unclear}


def _done(accounts: MappingType[int, int], *, by_others: Collection[int] = ()) -> dict[int, RowOutcome]:
    """Return the outcome of each row with an account in *accounts*: done, or made *by_others*."""
    return {
        seq: made_already(seq, docebo_id) if seq in by_others else RowOutcome(seq, Outcome.APPLIED, docebo_id)
        for seq, docebo_id in accounts.items()
    }


def _perhaps_done(refused: RowOutcome, *, in_doubt: bool) -> RowOutcome:
    """Return *refused* as skipped, because it may have been done before; *in_doubt* if a run will look for it."""
    return replace(refused, outcome=Outcome.SKIPPED, error=f"{refused.error}{SENT_BEFORE}", in_doubt=in_doubt)


def _by_effect(result: RowOutcome, effect: Effect | None) -> RowOutcome:
    """Return *result* by the *effect* that contradicts it, None for none."""
    match effect:
        case None:
            return result
        case Effect.NOT_DONE:
            return replace(result, outcome=Outcome.FAILED, error=CONTRADICTED, in_doubt=True)
        case _:
            return _unclear(result)


def _unclear(result: RowOutcome) -> RowOutcome:
    """Return *result* as in doubt: the change of status may have been carried out."""
    return replace(result, outcome=Outcome.SKIPPED, error=STATUS_NOT_SHOWN_YET, in_doubt=True)


def _has_no_id(result: RowOutcome) -> bool:
    """Tell whether Docebo says that it has made an account, without its id."""
    return result.outcome is Outcome.APPLIED and result.docebo_id is None


def _is_open(result: RowOutcome) -> bool:
    """Tell whether a later run may find that the row was done: Docebo does not say which account, or whether at all."""
    return _has_no_id(result) or result.error == STATUS_KEPT


def _result(numbered: Numbered, answer: RowResult, without: Sequence[str]) -> RowOutcome:
    seq, operation = numbered
    if answer.error:
        hint = "" if answer.error in MEANINGS else _manager_hint(operation) or _name_hint(operation)
        error = f"{answer.error}{hint}"
        return RowOutcome(seq, Outcome.FAILED, operation.docebo_id, error, said=answer.said)
    told = f"{WITHOUT} {', '.join(without)}" if without else ""
    return RowOutcome(seq, Outcome.APPLIED, answer.docebo_id or operation.docebo_id, told, without=without)


def _manager_hint(operation: Operation) -> str:
    """Return advice for a manager who is refused, or ""."""
    if not operation.changes or not all(map(is_manager, operation.changes)):
        return ""
    return ". If it is so with each manager, Docebo may want them to be marked: let each manage subordinates there"


def _name_hint(operation: Operation) -> str:
    """Return advice for a new account without a first or last name, or "": many people have one name in Slack."""
    lacking = [name for name in ("first_name", "last_name") if not operation.changes.get(name)]
    if operation.kind is not Kind.CREATE or not lacking:
        return ""
    return (
        f". It has no {' and no '.join(lacking)}: if Docebo wants one, complete it in Slack, or let a rule in"
        f' SLACK | ATTRIBUTES give one, like {lacking[0]} = {lacking[0]} == "" ? "-" : {lacking[0]}'
    )


def _refused(numbered: Numbered, why: RemoteError) -> RowOutcome:
    seq, operation = numbered
    if isinstance(why, OutcomeUnknown):  # it may be overloaded, and a refusal is none of this
        return RowOutcome(seq, Outcome.FAILED, operation.docebo_id, f"{FAILS_AT_ROW} {why.status}")
    reason = f"{ROW_REFUSED}: {why.detail}" if why.detail else ROW_REFUSED
    return RowOutcome(seq, Outcome.FAILED, operation.docebo_id, reason, said=why.said)
