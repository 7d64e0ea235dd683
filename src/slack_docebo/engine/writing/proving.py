"""Proving: the first row of a kind is sent alone; the others follow only if its account shows what was sent.

A platform may accept a row and ignore it, or do more than it was told. So the first creation, the first update and the
first move, and the first row with each further attribute, are read back: by id, and by a search for the address. What
was proven of a platform is stored in its dialect.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from slack_docebo.domain.attributes import current_value
from slack_docebo.domain.dialect import PROVEN
from slack_docebo.domain.operations import SAID_TO_BE_MADE, Kind, Operation, Outcome, Value
from slack_docebo.domain.options import is_day_written_otherwise
from slack_docebo.domain.people import Account, View
from slack_docebo.domain.proof import (
    CREATIONS,
    CREDENTIALS,
    changed_besides,
    hidden,
    is_plain,
    not_shown,
    proven_with,
    still_to_prove,
    traits,
)
from slack_docebo.domain.targets import BRANCH, field_id_of
from slack_docebo.engine.reading.connection import unknown_levels
from slack_docebo.engine.reading.dialects import known_dialect, learn
from slack_docebo.engine.writing.not_found import remember_not_found
from slack_docebo.engine.writing.recording import Numbered, record
from slack_docebo.engine.writing.rereading import Rereading
from slack_docebo.errors import Rejected, Unproven
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome

SEARCHED_AFTER = (0, 1, 2, 4, 8, 15, 30)  # seconds from one look to the next: Docebo may lag for a minute
LOOKED_FOR = 3  # new accounts of a call that does not say their ids, before it is said that Docebo shows none
FORCED = ("1", "true")  # of an account whose password has to be changed anyway
REFUSED = 3  # first rows that are refused or tell too little, before the others are sent with the next: it may be for their texts
NOT_ASKED_FOR = {  # what to do where something changes of which the row says nothing
    "force_change": "whoever is updated would have to change the password: set SLACK | PROVISION_SLACK_USER_DATA to false"
    " and ask Docebo's support",
    "branches": "check SLACK | DESTINATION_BRANCH and the rule for branch in SLACK | ATTRIBUTES",
}
NO_BRANCH = (
    "if this is so for everybody, the platform may want a branch for new accounts: set SLACK | DESTINATION_BRANCH"
)
MANDATORY = "or an additional field that is mandatory there: `slack-docebo doctor` names those that no rule fills"
ANOTHER_FORM = "Docebo shows the same day in another form, like 31/12/2026, and days are read like 2026-12-31"
ANOTHER_TRY = "run again, and rows have another form of it, for this account as well; if that does not show either"
OTHERWISE = "set SLACK | PROVISION_SLACK_USER_DATA to false, and report it"


class Prover:
    """Reads accounts after the first rows of each kind, to prove that the platform does what the rows say.

    *left_out* returns the attributes that the row of an operation does not hold, so that it proves nothing of them.
    *write_otherwise* has values that are not shown written in another form from then on; it tells whether there is one.
    """

    def __init__(
        self,
        runtime: Runtime,
        plan_id: str,
        rereading: Rereading,
        *,
        left_out: Callable[[Operation], Collection[str]],
        write_otherwise: Callable[[Mapping[str, Value], Collection[str]], bool],
        branch: int | None,
    ) -> None:
        self._runtime = runtime
        self._rereading = rereading
        self._left_out = left_out
        self._write_otherwise = write_otherwise
        self._plan_id = plan_id
        self._branch = branch  # of new accounts
        self._proven = known_dialect(runtime).proven
        self._before: View | None = None
        self._noted: list[tuple[Numbered, RowOutcome]] | None = None  # since the last look
        self._refused = 0  # first rows that have proven nothing
        self._finds_without_id = False  # an account was found that was made without its id being said
        self._passed: set[int] = set()  # rows at which Docebo failed

    def is_unproven(self, batch: Sequence[Numbered]) -> bool:
        """Tell whether a row of *batch* would prove something new."""
        return any(self._news(operation) for _, operation in batch)

    def first(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Return the rows of *batch* to send first: the one that proves most, or all if none proves anything new.

        Of rows that prove equally much, one without markup is chosen. What is proven is read again, for it may be less
        than before: an option was dropped since.
        """
        self._proven = known_dialect(self._runtime).proven
        possible = self.in_turn(batch)
        if self._refused >= REFUSED or not self.is_unproven(possible):
            return list(batch)
        return [max(possible, key=self._worth)]

    def in_turn(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Return *batch* without the rows that were passed over."""
        return [numbered for numbered in batch if numbered[0] not in self._passed]

    def pass_over(self, batch: Sequence[Numbered]) -> bool:
        """Set aside the only row of *batch*, at which Docebo has failed; return False if no other may go first."""
        seqs = {seq for seq, _ in batch}
        if len(batch) > 1 or self._refused >= REFUSED or self._passed >= seqs:
            return False
        self._passed |= seqs
        self._refused += 1
        return True

    async def look(self, batch: Sequence[Numbered]) -> None:
        """Read the account of the only row of *batch* before it is sent, and begin to collect the outcomes."""
        self._noted, self._before = [], None
        [(_, operation), *others] = batch
        if operation.docebo_id is not None and not others:
            self._before = await self._rereading.view(operation.docebo_id)

    def note(self, batch: Sequence[Numbered], results: Sequence[RowOutcome]) -> None:
        """Add outcomes to those that `check` looks at."""
        if self._noted is not None:
            operations = dict(batch)
            self._noted += [((result.seq, operations[result.seq]), result) for result in results]

    async def check(self) -> None:
        """Look at the account of a row that was accepted, and store what that proves.

        Raises Unproven where the account does not show what was sent.
        """
        noted, self._noted = self._noted or [], None
        self._advise(noted)
        taken = [one for one in noted if one[1].outcome is Outcome.APPLIED and self._news(one[0][1])]
        if not taken:
            if any(result.outcome in {Outcome.APPLIED, Outcome.FAILED} for _, result in noted):
                self._refused += 1
            return
        numbered, result = max(taken, key=lambda one: self._worth(one[0]))
        operation = replace(self._sent(numbered[1]), docebo_id=result.docebo_id or numbered[1].docebo_id)
        if against := await self._reason_against(operation):
            became = replace(result, error=f"done, but {against}")
            if operation.docebo_id is None:  # and nobody knows whether there is one
                became = replace(result, outcome=Outcome.SKIPPED, error=SAID_TO_BE_MADE, in_doubt=True)
            record(self._runtime, self._plan_id, [numbered], [became])
            whose = f"account {operation.docebo_id}" if operation.docebo_id else "the account just made"
            raise Unproven(f"{whose} was written first, and {against}. Nothing more was sent")
        proves = traits(operation, branch=self._branch)
        is_forced = self._before is not None and self._before.besides.get("force_change") in FORCED
        if is_forced and str(Kind.UPDATE) in proves - self._proven:
            proves -= {str(Kind.UPDATE)}  # this account does not tell whether an update forces a change of the password
            self._refused += 1
        self._proven = proven_with(self._proven, proves)
        told = "the last of these rows, whose account was read after it was written"
        learn(self._runtime, PROVEN, ", ".join(sorted(self._proven)), source=told)

    async def check_made_without_id(self, made: Sequence[Numbered]) -> None:
        """Search for the first accounts *made* without an id in Docebo's answer, once a run, before more are made.

        Raises Unproven if none of them is found. Then creations count as unproven, so that the next run, once it finds
        these accounts, begins with a single new one.
        """
        if self._finds_without_id or len(made) < LOOKED_FOR:
            return
        for _, operation in made[:LOOKED_FOR]:
            if await self._found(self._sent(operation), []):
                self._finds_without_id = True
                return
        self._proven -= CREATIONS
        learn(self._runtime, PROVEN, ", ".join(sorted(self._proven)), source="new accounts that Docebo did not show")
        raise Unproven(
            f"{len(made)} accounts were just made, Docebo does not say which, and its search finds none of the first within"
            " a minute: run again later, and the accounts that show by then are recorded. Nobody new is sent before"
        )

    def advised(self, kind: Kind, refusal: Rejected) -> Rejected:
        """Return *refusal* of calls of *kind*, with advice if no new account was ever made."""
        if kind is not Kind.CREATE or self._branch is not None or "create" in self._proven:
            return refusal
        detail = "; ".join(filter(None, (refusal.detail, NO_BRANCH)))
        return Rejected(refusal.operation, detail, status=refusal.status, said=refusal.said)

    def _advise(self, noted: Sequence[tuple[Numbered, RowOutcome]]) -> None:
        """Add advice to the outcomes of refused new accounts, while none was ever made."""
        if self._branch is not None or "create" in self._proven:
            return
        for numbered, result in noted:
            if numbered[1].kind is Kind.CREATE and result.outcome is Outcome.FAILED:
                told = replace(result, error=f"{result.error}; {NO_BRANCH}, {MANDATORY}")
                record(self._runtime, self._plan_id, [numbered], [told])

    def _news(self, operation: Operation) -> frozenset[str]:
        """Return what the row of *operation* would prove that is new; each change of a status is checked anyway."""
        sent = self._sent(operation)
        proves = sent.kind in {Kind.CREATE, Kind.UPDATE, Kind.MOVE} and bool(sent.changes)
        return still_to_prove(traits(sent, branch=self._branch), self._proven) if proves else frozenset()

    def _sent(self, operation: Operation) -> Operation:
        """Return *operation* with the changes that its row holds."""
        if not (missing := self._left_out(operation)):
            return operation
        return replace(
            operation, changes={name: value for name, value in operation.changes.items() if name not in missing}
        )

    def _worth(self, numbered: Numbered) -> tuple[int, bool]:
        return len(self._news(numbered[1])), is_plain(numbered[1])

    async def _reason_against(self, operation: Operation) -> str:
        """Return how the account that Docebo shows differs from what the row of *operation* said, or ""."""
        seen: list[Account] = []
        if operation.docebo_id is not None:
            view = await self._view(operation.docebo_id)
            if view is None:
                return "Docebo does not show it when it is asked for it, not within a minute: run again"
            branch = int(operation.changes[BRANCH]) if BRANCH in operation.changes else self._branch
            others = changed_besides(operation.changes, self._before, view, branch=branch)
            if operation.kind is Kind.MOVE and "branches" in others:
                return (
                    "is not in the branch to which it was moved: set SLACK | BRANCH_MOVES to false, empty LEAVERS_BRANCH, and"
                    " report it"
                )
            if others:
                of_level = unknown_levels(self._runtime.docebo.levels.in_doubt) if "level" in others else ""
                advice = next((NOT_ASKED_FOR[name] for name in others if name in NOT_ASKED_FOR), of_level or OTHERWISE)
                return f"{', '.join(others)} is not as it should be, which the row did not ask for: {advice}"
            seen = [view.account]
        unlike = not_shown(operation, seen)
        if otherwise := [name for name in unlike if any(current_value(account, name) for account in seen)]:
            return self._difference(otherwise, operation, seen)
        is_searched = not operation.changes.keys().isdisjoint(CREDENTIALS)
        if unlike or is_searched or hidden(operation, seen):  # a view leaves out what a listing shows
            found = await self._found(operation, seen)
            if not found:
                if operation.kind is Kind.CREATE and operation.docebo_id is not None:
                    remember_not_found(self._runtime, operation.docebo_id)
                return (
                    "Docebo's search does not find it by its address within a minute: run again later; if it stays, report"
                    " it, for people who join could not be recognised"
                )
            seen += found
            unlike = not_shown(operation, seen)
        return self._difference(unlike, operation, seen) if unlike else ""

    async def _view(self, docebo_id: int) -> View | None:
        """Return the view of an account that was just written, for at most a minute; None if Docebo shows none."""
        for seconds in SEARCHED_AFTER:
            await asyncio.sleep(seconds)
            if view := await self._rereading.view(docebo_id):
                return view
        return None

    async def _found(self, operation: Operation, seen: Sequence[Account]) -> list[Account]:
        """Search for the account by its address, for at most a minute, until it shows what was written; return hits."""
        given = (operation.changes.get(name) for name in CREDENTIALS)
        address = next(filter(None, [*given, *(account.email or account.username for account in seen)]), "")
        found: list[Account] = []
        for seconds in SEARCHED_AFTER:
            await asyncio.sleep(seconds)
            accounts = await self._rereading.with_address(str(address))
            found = [account for account in accounts if operation.docebo_id in {None, account.docebo_id}]
            if found and not not_shown(operation, [*seen, *found]):
                break
        return found

    def _difference(self, names: Sequence[str], operation: Operation, seen: Sequence[Account]) -> str:
        mirrored = set(self._runtime.mirror.field_ids) if self._runtime.mirror else set()
        days = [name for name in names if any(_is_day_written_otherwise(operation, name, one) for one in seen)]
        told = f" ({', '.join(days)}: {ANOTHER_FORM})" if days else ""
        row = "MIRROR_FIELDS" if any(field_id_of(name) in mirrored for name in names) else "ATTRIBUTES"
        values = {name: operation.changes[name] for name in names}
        otherwise = self._write_otherwise(values, operation.changes.keys() - values.keys())
        advice = f"{ANOTHER_TRY}, take it" if otherwise else "correct that in Docebo, or take it"
        return f"does not show {', '.join(names)} as it was sent{told}: {advice} out of integration_settings: row SLACK | {row}"


def _is_day_written_otherwise(operation: Operation, name: str, account: Account) -> bool:
    return is_day_written_otherwise(str(operation.changes[name]), current_value(account, name) or "")
