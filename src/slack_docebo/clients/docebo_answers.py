"""Docebo's answers: reads the data in them, and turns refusals into errors."""

from collections.abc import Mapping
from typing import Any

import httpx

from slack_docebo.clients.docebo_values import as_list, message_of, read_id
from slack_docebo.clients.retries import seconds_asked
from slack_docebo.clients.yes_and_no import says_no, says_yes
from slack_docebo.domain.dialect import UNLISTED
from slack_docebo.domain.quoting import quoted
from slack_docebo.errors import (
    AccessDenied,
    ContractViolation,
    IncompleteRead,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteError,
    TransientError,
)

LARGEST_CODE = 99_999  # of an error; 1006 is one. A larger number may be anything else
# A call that changes something may be under way, ours as well as another's: Docebo forbids two batches at once, and does not
# say how it refuses the second.
AT_WORK = (408, 409, 423, 425)


class Answered(Rejected):
    """Docebo itself refuses the call, not a gateway before it, whose refusals have other forms."""


def refuse_failure(operation: str, response: httpx.Response, unanswered: type[RemoteError]) -> None:
    """Raise the error for a status other than success: *unanswered* where the call may have been carried out."""
    status = response.status_code
    if status < 300:
        return
    if status == 429:
        raise RateLimited(operation, retry_after=seconds_asked(response.headers.get("Retry-After")))
    if status in AT_WORK and unanswered is OutcomeUnknown:
        raise unanswered(operation, "another call is under way", status=status)
    if status >= 500:  # a gateway's 503, too: it does not say that nobody behind it carried the call out
        raise unanswered(operation, status=status)
    try:
        body = response.json()
    except ValueError:
        body = None
    said = message_of(body)
    told = quoted(said)
    code = read_id(body.get("code")) if isinstance(body, dict) else None
    detail = f"{told} (code {code})" if code and code <= LARGEST_CODE else told
    refusal: type[RemoteError] = Rejected
    if status == 403:
        refusal = AccessDenied
    elif _is_docebos(body, status):
        refusal = Answered
    # Whatever form a refusal has, the name of an option that it does not take is in it.
    raise refusal(operation, detail, status=status, said=said or message_of(response.text))


def refuse_within(operation: str, data: object) -> None:
    """Raise Rejected if an answer with the status of a success contains a refusal in its data.

    Docebo's description of 2017 has refusals of single calls there, and does not say with which status they come.
    """
    told = data if isinstance(data, dict) else {"success": data}
    if says_no(told.get("success")):
        said = message_of(told.get("message"))
        raise Answered(operation, quoted(said), said=said)


def _is_docebos(body: object, status: int) -> bool:
    """Tell whether an error has Docebo's own form: `name`, `message`, and the `status` repeated."""
    return isinstance(body, dict) and {"name", "message"} <= body.keys() and read_id(body.get("status")) == status


def data_of(operation: str, response: httpx.Response, unreadable: type[RemoteError], *, enveloped: bool) -> Any:
    """Return the `data` of the body, or the whole body if it is not *enveloped*; an empty list for "204 No Content".

    Raises *unreadable* if it is not JSON; if there is no `data`, ContractViolation for a call that reads and
    OutcomeUnknown for one that writes.
    """
    if response.status_code == 204:
        return []
    try:
        body = response.json()  # whatever the header calls it: a gateway may send JSON as plain text
    except ValueError:
        raise unreadable(operation, "the answer is not JSON") from None
    if not enveloped:
        return body
    if not isinstance(body, dict) or "data" not in body:
        wrong = ContractViolation if issubclass(unreadable, TransientError) else OutcomeUnknown
        raise wrong(operation, "the answer holds no data")
    data = body["data"]
    entries = as_list(data) if data else None  # of an empty object nobody knows whether it stands for an array
    return data if entries is None else entries


def items_of(operation: str, data: object) -> list[object]:
    """Return the entries of a listing, which is an array or an object with `items`.

    PHP may send null for an empty list: that is believed if the answer says that there is nothing. So is an answer
    without any list that counts none.
    """
    items = data.get("items") if isinstance(data, dict) else data
    if (
        isinstance(data, dict)
        and items is None
        and ("items" in data or 0 in _counts(data))
        and _says_nothing_is_there(data)
    ):
        return []
    if (entries := as_list(items)) is None:
        raise ContractViolation(operation, "the answer holds no list of items")
    return entries


def counts_some(page: object) -> bool:
    """Tell whether a *page* says that there are entries, whether or not it shows any."""
    return isinstance(page, dict) and any(_counts(page))


def _counts(page: Mapping[str, object]) -> list[int | None]:
    """Return the numbers of entries that a page gives, with None for a value that is no number."""
    return [read_id(page[name]) for name in ("total_count", "count") if page.get(name) is not None]


def check_count(what: str, shown: int, counted: int | None, *, unlisted: int) -> None:
    """Raise IncompleteRead if Docebo counts more accounts than it has *shown* and are known to be *unlisted*.

    It may always count others, like deactivated accounts: the message says what to do then, or no run would ever end.
    """
    if counted is not None and shown + unlisted < counted:
        raise IncompleteRead(
            f"Docebo listed {shown} {what} and counts {counted}: run again later. If it is so each time, and its user"
            f' management shows {shown}, `slack-docebo dialect set "{UNLISTED.name}" {counted - shown}`'
        )


def _says_nothing_is_there(data: Mapping[str, object]) -> bool:
    """Tell whether a page says that it is empty: by a count of 0 or, without a count, by announcing no more."""
    counts = _counts(data)
    goes_on = data.get("has_more_data")
    says_none = set(counts) == {0} if counts else says_no(goes_on)
    return says_none and not says_yes(goes_on)
