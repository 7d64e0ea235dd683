"""The retry policy of both clients: which calls are repeated, when, and how often."""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_exponential,
    wait_random,
    wait_random_exponential,
)

from slack_docebo.errors import RateLimited, TransientError

Wait = Callable[[RetryCallState], float]

PATIENCE = 120.0  # seconds a call may wait on the server's request; whoever asks for more is left to the next run
_log = logging.getLogger(__name__)
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_BACK_OFF = wait_random_exponential(multiplier=0.5, max=30)
# Four waits last a minute together: calls may be counted by the minute, and Docebo documents no header that says so.
_MINUTE = wait_exponential(multiplier=4) + wait_random(0, 1)


class NotJson(TransientError):
    """The answer is not JSON: it is a proxy's error page, or the address is not that of the API.

    It is raised inside the clients only: once the attempts are used up it becomes a ContractViolation.
    """


class TooLate(TransientError):
    """The answer did not come in time, or not whole; the call is repeated once only, since others wait for it."""


def no_connection(error: Exception) -> str:
    """Return the message about a call that could not be sent."""
    return f"no connection ({type(error).__name__}): check the address in the settings, and the network"


def wait_as_asked(state: RetryCallState) -> float:
    """Return the seconds to wait before the next attempt: as the server has asked, or else a growing random delay.

    A server that is called too often and asks for 0 seconds, or for a time that is over by our clock, has asked for none.
    """
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, RateLimited):
        return _BACK_OFF(state)
    return error.retry_after or _MINUTE(state)


def retrying(
    attempts: int,
    wait: Wait,
    *,
    never: tuple[type[TransientError], ...] = (),
    fewer: Mapping[type[TransientError], int] = MappingProxyType({TooLate: 2}),
) -> AsyncRetrying:
    """Return a policy that repeats after transient errors other than *never*, up to *attempts* attempts in all.

    For an error of a kind in *fewer*, it stops at the number of attempts that is given there.
    """

    def worth_it(error: BaseException) -> bool:
        if isinstance(error, RateLimited) and (error.retry_after or 0) > PATIENCE:
            return False
        return isinstance(error, TransientError) and not isinstance(error, never)

    def enough(state: RetryCallState) -> bool:
        error = state.outcome and state.outcome.exception()
        bounds = (most for kind, most in fewer.items() if isinstance(error, kind))
        return state.attempt_number >= min([attempts, *bounds])

    return AsyncRetrying(
        retry=retry_if_exception(worth_it),
        stop=enough,
        wait=wait,
        before_sleep=_tell,
        reraise=True,
    )


def _tell(state: RetryCallState) -> None:
    """Log the wait before the next attempt, and its reason."""
    error = state.outcome.exception() if state.outcome else None
    _log.info("%s; attempt %d follows in %.1f s", error, state.attempt_number + 1, state.upcoming_sleep)


def seconds_asked(retry_after: str | None) -> float | None:
    """Read a Retry-After header, which holds seconds or a date; None if it is missing or unreadable."""
    if not retry_after:
        return None
    text = retry_after.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # of a year or an offset that is none
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
