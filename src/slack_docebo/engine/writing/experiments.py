"""Experiments: what a refused row is refused for is found out by sending it otherwise.

What Docebo says of a refused row is localised, and documented nowhere.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from slack_docebo.clients.docebo_rows import Row, RowResult
from slack_docebo.domain.operations import Kind, Value
from slack_docebo.engine.writing.adapting import TRIED, Adapter, needed, optional, with_password
from slack_docebo.engine.writing.calls import Calls
from slack_docebo.engine.writing.recording import Numbered


class Experiments:
    """Tries the refused rows of one plan otherwise, a few of each kind."""

    def __init__(self, calls: Calls, adapter: Adapter) -> None:
        self._calls = calls
        self._adapter = adapter
        self._tried = Counter[Kind]()  # rows

    async def try_otherwise(
        self, kind: Kind, batch: Sequence[Numbered], answers: Sequence[RowResult], in_doubt: Collection[int]
    ) -> list[RowResult]:
        """Return *answers*, after rows that were refused for something an account need not have were sent again without it.

        Rows *in_doubt*, by their place in the plan, may have been carried out, and are not sent once more. As long as
        nobody was ever made, a row may be refused for a password that it lacks.
        """
        results, creates = list(answers), kind is Kind.CREATE
        wants_password = creates and self._adapter.may_want_passwords
        doubtful = [
            place
            for place, ((seq, op), answer) in enumerate(zip(batch, answers, strict=True))
            if answer.error and seq not in in_doubt
            if wants_password or optional(op.changes, creates=creates)
        ]
        tried = doubtful[: max(0, TRIED - self._tried[kind])]
        if not tried:
            return results
        self._tried[kind] += len(tried)
        taken = []
        without_rest = [(op, needed(op.changes, creates=creates)) for _, op in map(batch.__getitem__, tried)]
        rows = [Row(op.docebo_id, self._adapter.written(changes, creates=creates)) for op, changes in without_rest]
        bare = await self._calls.upsert_once(kind, rows)
        if wants_password and all(answer.error for answer in bare):
            secured = [replace(row, attributes={**row.attributes, **with_password()}) for row in rows]
            bare = await self._calls.upsert_once(kind, secured)
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
                [answer] = await self._calls.upsert_once(Kind.UPDATE, [Row(docebo_id, self._adapter.written(rest))])
                if not answer.error:
                    continue
            await self._find_refused_values(docebo_id, rest)
        if taken and (others := [place for place in doubtful if place not in tried]):
            others_of = map(batch.__getitem__, others)
            rows = [Row(op.docebo_id, self._adapter.written(op.changes, creates=creates)) for _, op in others_of]
            for place, answer in zip(others, await self._calls.upsert_once(kind, rows), strict=True):
                results[place] = answer
        return results

    async def _find_refused_values(self, docebo_id: int, attributes: Mapping[str, Value]) -> None:
        """Write each of *attributes* by itself, and note in which form it is taken, or that it is refused."""
        for name, value in attributes.items():
            for form in self._adapter.forms(name, value):
                [answer] = await self._calls.upsert_once(Kind.UPDATE, [Row(docebo_id, {name: form})])
                if not answer.error:
                    self._adapter.take(name, value, form)
                    break
            else:
                self._adapter.refuse({name: value})
