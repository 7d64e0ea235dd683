"""Experiments: finding out what a refused row is refused for, by sending it otherwise.

What Docebo says of a refused row is localised and documented nowhere.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from slack_docebo.clients.docebo_rows import Row, RowResult
from slack_docebo.domain.operations import Kind, Operation, Value
from slack_docebo.engine.writing.adapting import TRIED, Adapter, needed, optional, with_password
from slack_docebo.engine.writing.calls import Calls
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.engine.writing.rereading import SHOWN_AFTER


class Experiments:
    """Tries refused rows of one plan in other ways, a few of each kind."""

    def __init__(self, calls: Calls, adapter: Adapter) -> None:
        self._calls = calls
        self._adapter = adapter
        self._tried = Counter[Kind]()  # rows
        self._refused_for = set[str]()  # attributes of which values were refused
        # By person, what a new account whose id Docebo did not say was made without: the next run writes it.
        self.unwritten = dict[str, Collection[str]]()

    async def try_otherwise(
        self, kind: Kind, batch: Sequence[Numbered], results: list[RowResult], in_doubt: Collection[int]
    ) -> None:
        """Send refused rows again without attributes that an account need not have, and correct *results*.

        *results* are corrected answer by answer, for a change of the plan may stop any call. Rows *in_doubt*, by their
        number in the plan, may have been carried out and are not sent again. Until the first account was made, a row
        may be refused for want of a password.
        """
        creates = kind is Kind.CREATE
        if creates and not all(answer.error for answer in results):
            self._adapter.may_want_passwords = False
        doubtful = [
            place
            for place, ((seq, op), answer) in enumerate(zip(batch, results, strict=True))
            if answer.error and seq not in in_doubt
            if self._may_want_password(kind) or optional(op.changes, creates=creates)
        ]
        tried = doubtful[: max(0, TRIED - self._tried[kind])]
        others = [place for place in doubtful if place not in tried]
        if tried and await self._try_minimal_rows(kind, batch, tried, results) and others:
            others_of = map(batch.__getitem__, others)
            rows = [Row(op.docebo_id, self._adapter.written(op.changes, creates=creates)) for _, op in others_of]
            for place, answer in zip(others, await self._calls.upsert_once(kind, rows), strict=True):
                results[place] = answer
        await self._write_apart(kind, batch, [place for place in others if results[place].error], results)

    def _may_want_password(self, kind: Kind) -> bool:
        return kind is Kind.CREATE and self._adapter.may_want_passwords

    async def _try_minimal_rows(
        self, kind: Kind, batch: Sequence[Numbered], tried: Sequence[int], results: list[RowResult]
    ) -> bool:
        """Send the rows at *tried* with only what they need and, if accepted, find out what they were refused for.

        A row that needs nothing repeats what the account has: if that is refused too, no value is to blame. Tells
        whether any row was accepted, and corrects *results*.
        """
        creates, taken = kind is Kind.CREATE, []
        operations = [batch[place][1] for place in tried]
        rows = [await self._row(op, needed(op.changes, creates=creates)) for op in operations]
        minimal = await self._calls.upsert_once(kind, rows)
        self._tried[kind] += len(tried)  # not where the call was kept back
        if self._may_want_password(kind) and all(answer.error for answer in minimal):
            secured = [replace(row, attributes={**row.attributes, **with_password()}) for row in rows]
            minimal = await self._calls.upsert_once(kind, secured)
            if not all(answer.error for answer in minimal):
                self._adapter.give_passwords()
        after: Sequence[int] = SHOWN_AFTER
        for place, row, answer in zip(tried, rows, minimal, strict=True):
            if row.attributes and not answer.error:
                results[place] = answer
                docebo_id = answer.docebo_id or batch[place][1].docebo_id
                if docebo_id is None:  # Docebo does not say it, and without it nothing is found out
                    docebo_id = await self._calls.made(row, after=after)
                    results[place], after = replace(answer, docebo_id=docebo_id), (0,)
                taken.append((batch[place][1], docebo_id))
        for number, (operation, docebo_id) in enumerate(taken):
            rest = optional(operation.changes, creates=creates)
            if docebo_id is None:
                self.unwritten[operation.slack_id] = rest.keys()
                continue
            if number:  # the first has shown in which form they are taken
                [answer] = await self._calls.upsert_once(Kind.UPDATE, [Row(docebo_id, self._adapter.written(rest))])
                if not answer.error:
                    continue
            await self._find_refused_values(docebo_id, rest)
        return bool(taken)

    async def _write_apart(
        self, kind: Kind, batch: Sequence[Numbered], places: Sequence[int], results: list[RowResult]
    ) -> None:
        """Send the rows at *places* without attributes that had values refused, and each of these by itself.

        Where many rows have refused values, that is one call for all of them, and one for each attribute. A row with
        nothing else repeats what the account has.
        """
        creates = kind is Kind.CREATE
        apart = {
            place: {name: value for name, value in spared.items() if name in self._refused_for}
            for place in places
            if not self._refused_for.isdisjoint(spared := optional(batch[place][1].changes, creates=creates))
        }
        operations = {place: batch[place][1] for place in apart}
        rows = []
        for place, operation in operations.items():
            rest = {name: value for name, value in operation.changes.items() if name not in apart[place]}
            rows.append(await self._row(operation, rest))
        owners: dict[int, int] = {}  # the accounts, by place
        for place, row, answer in zip(apart, rows, await self._calls.upsert_once(kind, rows), strict=True):
            if answer.error or not row.attributes:
                continue
            results[place] = answer
            if docebo_id := answer.docebo_id or operations[place].docebo_id:
                owners[place] = docebo_id
            else:
                self.unwritten[operations[place].slack_id] = apart[place].keys()
        refused: list[Mapping[str, Value]] = []
        for name in sorted(self._refused_for):
            having = [place for place in owners if name in apart[place]]
            written = [Row(owners[place], self._adapter.written({name: apart[place][name]})) for place in having]
            for place, answer in zip(having, await self._calls.upsert_once(Kind.UPDATE, written), strict=True):
                if answer.error:
                    refused.append({name: apart[place][name]})
        self._adapter.refuse(*refused)

    async def _row(self, operation: Operation, attributes: Mapping[str, Value]) -> Row:
        """Return the row of *operation* with *attributes*; an empty row repeats what the account has."""
        creates = operation.kind is Kind.CREATE
        for given in (attributes, operation.before):
            if written := self._adapter.written(given, creates=creates):
                return Row(operation.docebo_id, written)
        return Row(operation.docebo_id, await self._calls.names(operation.docebo_id))

    async def _find_refused_values(self, docebo_id: int, attributes: Mapping[str, Value]) -> None:
        """Write each of *attributes* by itself, and note in which form it is accepted, or that it is refused."""
        for name, value in attributes.items():
            for form in self._adapter.forms(name, value):
                [answer] = await self._calls.upsert_once(Kind.UPDATE, [Row(docebo_id, {name: form})])
                if not answer.error:
                    self._adapter.take(name, value, form)
                    break
            else:
                self._refused_for.add(name)
                self._adapter.refuse({name: value})
