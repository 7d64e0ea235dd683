"""Renewing: whom Slack's list shows as before an event that was applied is asked for."""

from collections.abc import Sequence
from dataclasses import replace

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.reading.evidence import can_ask, counted
from slack_docebo.engine.reading.overtaken import LISTS_LAG, stamps_of_overtaken
from slack_docebo.errors import RemoteError
from slack_docebo.runtime import Runtime


async def renewed(runtime: Runtime, team: str, users: Sequence[SourceUser]) -> list[SourceUser]:
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
