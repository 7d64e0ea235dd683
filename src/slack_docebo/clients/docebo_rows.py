"""The rows of Docebo's batches: writes a row, and finds out which answer is about which row."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_docebo.clients.docebo_values import as_list, is_verdict, message_of, read_flag, read_id, username_of
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.names import folded
from slack_docebo.domain.operations import Value
from slack_docebo.domain.quoting import quoted
from slack_docebo.domain.targets import COLUMNS, PASSWORD
from slack_docebo.errors import OutcomeUnknown

BATCH_NAMES = {
    "username": "username",
    "email": "email",
    "first_name": "firstname",
    "last_name": "lastname",
    "language": "language",
    "time_zone": "timezone",
    "active": "active",
    PASSWORD: "password",
    **dict(zip(COLUMNS, COLUMNS, strict=True)),
    **{name: name for name in ("branch_code", "branch_name", "branch_name_path")},
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a batch: the account, None for a new one, and its attributes under our names."""

    docebo_id: int | None
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of one row; *error* is "" on success; *said* is Docebo's message, which may name anybody.

    *docebo_id* is None if no account was created, or if Docebo did not say its id: the next listing shows it.
    """

    docebo_id: int | None
    error: str = ""
    said: str = ""


class RowsLeftOut(OutcomeUnknown):
    """The call was carried out and answered, but the answer says nothing about some rows.

    *failed* are the results of the other rows, by position, if the answer holds nothing but failures.
    """

    failed: Mapping[int, RowResult] | None = None


def batch_item(row: Row) -> dict[str, Value | int | None]:
    """Return *row* with the names of the batch endpoint; raise ValueError for a row that it cannot express."""
    item: dict[str, Value | int | None] = {}
    for name, value in row.attributes.items():
        if name in BATCH_NAMES:
            item[BATCH_NAMES[name]] = value
        elif re.fullmatch(r"field_\d+", name):
            item[name] = value
        elif re.fullmatch(r"manager_\d+", name):
            item[name] = value or None  # which removes the manager
        else:
            raise ValueError(f"Docebo accounts have no attribute {name!r}")
    if row.docebo_id is not None:
        # A row that names both an id and a user name is refused; the new name has a key of its own.
        if "username" in item:
            item["new_username"] = item.pop("username")
        item["user_id"] = row.docebo_id
    elif not item.get("username"):
        raise ValueError("a new account needs a username")
    if PASSWORD in row.attributes and row.docebo_id is not None:
        raise ValueError("nobody's password is changed: that attribute is of a new account alone")
    return item


def correlate(rows: Sequence[Row], data: object, *, operation: str = "batch") -> list[RowResult]:
    """Return the result of each row, in the order of *rows*.

    An answer belongs to the row whose id or username it shows. If it shows none, or several rows share it, the answer
    belongs to the row of its `row_index`, counted from 0 or from 1, or else of its position; ids and names that it does
    show must agree. A position alone is only a guess: the id of a new account is then left open.

    Raises OutcomeUnknown for the whole call unless each row has exactly one answer, and if only positions would tell
    which rows have failed.
    """
    data = as_list(data)
    if data is None or len(data) != len(rows):
        left_out = RowsLeftOut(operation, "not one answer for each row")
        left_out.failed = _failures(rows, data)
        raise left_out
    answers: list[dict[str, Any]] = [answer for answer in data if isinstance(answer, dict)]
    if len(answers) != len(data) or not all(is_verdict(answer.get("success")) for answer in answers):
        raise OutcomeUnknown(operation, "a row's answer does not tell success from failure")
    candidates = _candidates(rows, answers)
    owners = [next(iter(found)) if len(found) == 1 else None for found in candidates]
    guessed = [False] * len(rows)
    if None in owners or len(set(owners)) != len(rows):
        guessed = [owner is None and "row_index" not in answer for owner, answer in zip(owners, answers, strict=True)]
        owners = list(_positions(answers))
        if any(owner not in found for owner, found in zip(owners, candidates, strict=True)):
            raise OutcomeUnknown(operation, "the answers cannot be told apart")
        if len({_is_success(answer) for answer, is_guess in zip(answers, guessed, strict=True) if is_guess}) > 1:
            raise OutcomeUnknown(operation, "nothing but their order tells which row has failed")
    results: dict[int | None, RowResult] = {
        owner: _result(rows[owner], answer, is_guess=is_guess)
        for owner, answer, is_guess in zip(owners, answers, guessed, strict=True)
        if owner is not None
    }
    if len(results) != len(rows):
        raise OutcomeUnknown(operation, "two answers for one row")
    return [results[position] for position in range(len(rows))]


def _failures(rows: Sequence[Row], data: list[Any] | None) -> Mapping[int, RowResult] | None:
    """Return the results of an answer that names only failed rows, by position; None if it may be another kind."""
    if data is None or len(data) > len(rows):
        return None
    answers: list[dict[str, Any]] = [answer for answer in data if isinstance(answer, dict)]
    refused = [one for one in answers if is_verdict(one.get("success")) and not _is_success(one)]
    candidates = _candidates(rows, refused)
    owners = {next(iter(found)) for found in candidates if len(found) == 1}
    if len(refused) != len(data) or len(owners) != len(data):
        return None
    return {
        next(iter(found)): _result(rows[next(iter(found))], one) for found, one in zip(candidates, refused, strict=True)
    }


def _candidates(rows: Sequence[Row], answers: Iterable[Mapping[str, Any]]) -> list[set[int]]:
    """Return, for each answer, the rows that it can be about by the id and username that it shows."""
    ids: dict[int, set[int]] = {}
    names: dict[str, set[int]] = {}
    creating: set[int] = set()
    for position, row in enumerate(rows):
        if row.docebo_id is not None:
            ids.setdefault(row.docebo_id, set()).add(position)
            continue
        creating.add(position)
        # Tenants that use the e-mail address as user name answer with the former.
        for attribute in ("username", "email"):
            if value := row.attributes.get(attribute):
                names.setdefault(_folded(value), set()).add(position)
    anyone = set(range(len(rows)))
    updating = anyone - creating
    candidates = []
    for answer in answers:
        shown = _output(answer)
        found = anyone
        if docebo_id := read_id(shown.get("user_id")):
            found = ids.get(docebo_id, creating)  # the id of a new account is not known beforehand
        if username := username_of(shown):
            # Of an existing account it proves nothing: an update may leave it out, or change it.
            found = found & (names.get(_folded(username), set()) | updating)
        candidates.append(found)
    return candidates


def _positions(answers: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the position of each answer's row by `row_index`, or the order of the answers if none is sent."""
    count = len(answers)
    indices = [read_id(answer.get("row_index")) for answer in answers]
    for base in (0, 1):
        if sorted(index for index in indices if index is not None) == list(range(base, base + count)):
            return [index - base for index in indices if index is not None]
    if all(index is None for index in indices):
        return list(range(count))
    return [-1] * count


def _result(row: Row, answer: Mapping[str, Any], *, is_guess: bool = False) -> RowResult:
    """Return the result of *row*; if it *is_guess* that the answer is about it, a new account gets no id."""
    shown = _output(answer)
    if _is_success(answer):
        made = None if is_guess else read_id(shown.get("user_id")) or None
        return RowResult(row.docebo_id if row.docebo_id is not None else made)
    of_refusal = "" if read_flag(answer["success"], missing=False) else answer.get("message")
    said = message_of(of_refusal) or message_of(shown.get("error"))
    return RowResult(row.docebo_id, quoted(said) or "refused without a reason", said)


def _output(answer: Mapping[str, Any]) -> dict[str, Any]:
    output = answer.get("output")
    return output if isinstance(output, dict) else {}


def _is_success(answer: Mapping[str, Any]) -> bool:
    """Tell whether the row was carried out; a success with an error counts as a refusal, which is checked later."""
    error = _output(answer).get("error")
    return read_flag(answer["success"], missing=False) and not (error and read_flag(error, missing=False))


def _folded(value: Value) -> str:
    return folded(mailbox(str(value).strip().removeprefix("/")))
