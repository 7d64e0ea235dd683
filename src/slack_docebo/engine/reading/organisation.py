"""Organisation: the ids that people have in all of an Enterprise Grid, once their workspace has joined one.

Slack then may list everybody under another id than the one they are mapped by. To ask for each of them would take as many
calls as there are people; here 400 of them take one.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from slack_docebo.clients.slack import EXCHANGED_AT_ONCE
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import can_ask, counted
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.errors import RemoteError
from slack_docebo.runtime import Runtime

_log = logging.getLogger(__name__)


async def find_under_other_ids(
    runtime: Runtime, workspace: Workspace, listed: SourceSnapshot, slack_ids: Sequence[str]
) -> dict[str, SourceUser]:
    """Return those of *slack_ids* whom *listed* shows under the id that Slack says is theirs in the organisation.

    The others have to be asked for one by one; so has everybody where Slack does not say, or where it takes no fewer calls.
    """
    calls = -(-len(slack_ids) // EXCHANGED_AT_ONCE)
    if not workspace.organisation or calls >= len(slack_ids) or not can_ask(runtime, people=calls):
        return {}
    try:
        with counted(runtime):
            ids = await runtime.slack.organisation_ids(slack_ids, team_id=workspace.team)
    except RemoteError as error:
        _log.warning("who was given another id in the organisation is asked for one by one: %s", error)
        return {}
    former = {now: before for before in slack_ids if (now := ids.get(before)) and now in listed}
    return await to_completion(_shown, listed, former)


def _shown(listed: SourceSnapshot, former: dict[str, str]) -> dict[str, SourceUser]:
    people = (user for user in chain.from_iterable(listed) if user.slack_id in former) if former else ()
    return {former[user.slack_id]: replace(user, local_id=former[user.slack_id]) for user in people}
