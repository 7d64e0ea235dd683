"""Overtaken answers: Slack's answers may lag behind its events, and show a person as before an applied one.

An import that believed them would write older values again, let in people who have left, or shut out newcomers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain

from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.stamps import believed
from slack_docebo.runtime import Runtime
from slack_docebo.storage.tables import Tables

# How long Slack may show somebody as before an event: guesses. What it shows after that is what there is, for on Enterprise
# Grid each workspace may have stamps of its own.
ANSWERS_LAG = timedelta(minutes=10)
LISTS_LAG = timedelta(hours=1)
BEHIND = "Slack still shows this person as before an event that was applied"
SHOWN_LATELY = "Slack knows nobody under this id, and has sent an event about this person within the hour"


def is_behind(user: SourceUser, stamp: int, now: datetime) -> bool:
    """Tell whether *user*, as Slack has answered, is older than the event with *stamp*."""
    return 0 < believed(user.updated, now) < stamp


def stamps_of_overtaken(
    runtime: Runtime, team: str, users: Sequence[SourceUser], lag: timedelta = ANSWERS_LAG
) -> dict[str, int]:
    """Return the stamps of events, applied within *lag*, that are newer than *users*: the newest by Slack id."""
    with runtime.store.reading() as tables:
        return known_stamps_of_overtaken(tables, team, users, lag, now=runtime.now())


def known_stamps_of_overtaken(
    tables: Tables, team: str, users: Sequence[SourceUser], lag: timedelta, *, now: datetime
) -> dict[str, int]:
    """Return the stamps like `stamps_of_overtaken`, in an open transaction."""
    # Of the events themselves: what is remembered of who was named since bears no stamp to go by.
    events = tables.inbox.stamps_applied_since(now - lag, team, chain.from_iterable(user.ids for user in users))
    stamps: dict[str, int] = {}
    for slack_id, stamp in events:
        stamps[slack_id] = max(stamps.get(slack_id, 0), believed(stamp, now))
    newest = {user.slack_id: max(stamps.get(slack_id, 0) for slack_id in user.ids) for user in users}
    return {user.slack_id: newest[user.slack_id] for user in users if is_behind(user, newest[user.slack_id], now)}


def with_status_unknown(user: SourceUser) -> SourceUser:
    """Return *user* without a status: an answer older than an event does not tell whether the person has left."""
    return replace(user, deactivated=False, forgotten=False, unsaid=(*user.unsaid, "deactivated"))


def overtaken(
    runtime: Runtime, team: str, answers: Mapping[str, Observation[SourceUser]]
) -> dict[str, Observation[SourceUser]]:
    """Return, as Unknown, the *answers* older than an applied event, and those of nobody soon after one."""
    shown = {slack_id: seen.value for slack_id, seen in answers.items() if isinstance(seen, Present)}
    gone = [slack_id for slack_id, seen in answers.items() if isinstance(seen, Gone)]
    now = runtime.now()
    with runtime.store.reading() as tables:
        behind = known_stamps_of_overtaken(tables, team, list(shown.values()), LISTS_LAG, now=now)
        served = tables.inbox.applied_since(now - LISTS_LAG, team, gone)
    why = {one: BEHIND for one, user in shown.items() if user.slack_id in behind} | dict.fromkeys(served, SHOWN_LATELY)
    return {slack_id: Unknown(reason) for slack_id, reason in why.items()}
