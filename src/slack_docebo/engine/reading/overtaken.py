"""Overtaken: Slack's answers may be behind its events, and show somebody as before one that was applied already.

By its list an import would write the older values once more, or let in who has left.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.stamps import believed
from slack_docebo.engine.reading.evidence import can_ask, counted
from slack_docebo.errors import RemoteError
from slack_docebo.runtime import Runtime

# How long Slack may show somebody as before an event: guesses. What it shows after that is what there is, for on Enterprise
# Grid each workspace may have stamps of its own.
ANSWERS_LAG = timedelta(minutes=10)
LISTS_LAG = timedelta(hours=1)


def is_behind(user: SourceUser, stamp: int, now: datetime) -> bool:
    """Tell whether *user*, as Slack has answered, is older than what bears *stamp*."""
    return 0 < believed(user.updated, now) < stamp


async def with_overtaken_asked_for(runtime: Runtime, team: str, users: Sequence[SourceUser]) -> list[SourceUser]:
    """Return *users* of a list, and of whom an event has told what is newer, what Slack says when it is asked.

    It is one call each, within EVIDENCE_CALLS. Of whom that is not newer either, nobody can tell whether the person is there.
    """
    stamps = await to_completion(stamps_of_overtaken, runtime, team, users, LISTS_LAG)
    return [
        await _as_of_now(runtime, user, stamps[user.slack_id]) if user.slack_id in stamps else user for user in users
    ]


async def _as_of_now(runtime: Runtime, user: SourceUser, stamp: int) -> SourceUser:
    try:
        if can_ask(runtime, people=1):
            with counted(runtime):
                seen = await runtime.slack.user(user.slack_id, with_custom=False)
            if isinstance(seen, Present) and user.slack_id == seen.value.slack_id and seen.value.updated >= stamp:
                return seen.value
    except RemoteError:
        pass  # nobody can tell, as below
    return replace(user, deactivated=False, forgotten=False, unsaid=(*user.unsaid, "deactivated"))


def stamps_of_overtaken(
    runtime: Runtime, team: str, users: Sequence[SourceUser], lag: timedelta = ANSWERS_LAG
) -> dict[str, int]:
    """Return by Slack id the stamp of the newest event, applied within the *lag*, of those whom *users* show as before it."""
    now = runtime.now()
    with runtime.store.reading() as tables:
        served = tables.inbox.applied_since(now - lag, [slack_id for user in users for slack_id in user.ids])
        applied = tables.applied(runtime.settings.docebo_url).stamps(team, served, now=now)
    newest = {user.slack_id: max((applied.get(slack_id, 0) for slack_id in user.ids), default=0) for user in users}
    return {user.slack_id: newest[user.slack_id] for user in users if is_behind(user, newest[user.slack_id], now)}
