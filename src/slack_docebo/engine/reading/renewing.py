"""Renewing: people whom Slack's list shows as before an applied event are asked for one by one."""

from collections.abc import Sequence
from functools import partial

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.observation import Observation, Present
from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.reading.evidence import answers_to, observe_person
from slack_docebo.engine.reading.outages import OutageWatch, ping_slack
from slack_docebo.engine.reading.overtaken import LISTS_LAG, stamps_of_overtaken, with_status_unknown
from slack_docebo.errors import RemoteError
from slack_docebo.runtime import Runtime


async def renewed(runtime: Runtime, team: str, users: Sequence[SourceUser]) -> list[SourceUser]:
    """Return the *users* of a list, replacing those who are shown as before an applied event by Slack's answer.

    Slack is asked for each of them, up to EVIDENCE_CALLS of their own. Where the answer is older than the event, or
    there is none, the status of the person counts as unknown.
    """
    stamps = await to_completion(stamps_of_overtaken, runtime, team, users, LISTS_LAG)
    if not stamps:
        return list(users)
    answers = await _answers(runtime, [user.slack_id for user in users if user.slack_id in stamps])
    return [
        _as_of_now(user, answers.get(user.slack_id), stamps[user.slack_id]) if user.slack_id in stamps else user
        for user in users
    ]


async def _answers(runtime: Runtime, slack_ids: Sequence[str]) -> dict[str, Observation[SourceUser]]:
    """Ask Slack for as many of *slack_ids* as are allowed; after a failure the run asks for no more."""
    if runtime.evidence.renews_no_more:
        return {}
    asked = slack_ids[: runtime.behaviour.evidence_calls - runtime.evidence.renewals]
    runtime.evidence.at_most += len(asked)

    async def about(slack_id: str) -> Observation[SourceUser]:
        runtime.evidence.renewals += 1
        return await observe_person(runtime, slack_id, with_values=False)

    try:
        questions = answers_to(runtime, asked, about, OutageWatch(partial(ping_slack, runtime.slack)))
        return {slack_id: answer async for slack_id, answer in questions}
    except RemoteError:
        # Each further one would wait as long, and whoever is not asked for is left alone.
        runtime.evidence.renews_no_more = True
        return {}


def _as_of_now(user: SourceUser, seen: Observation[SourceUser] | None, stamp: int) -> SourceUser:
    if isinstance(seen, Present) and user.slack_id in seen.value.ids and seen.value.updated >= stamp:
        return seen.value
    return with_status_unknown(user)
