"""Roll call: whether people are still in Slack, by a question for each or by its list, whichever takes fewer calls."""

from collections.abc import Collection
from functools import partial

from slack_docebo.domain.observation import Observation, Present, Unknown
from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_people, can_ask
from slack_docebo.engine.reading.sides import last_pages, read_list, read_page
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime

NOT_SHOWN = "Slack's list does not show the person by now"


def asks_each(runtime: Runtime, workspace: Workspace, people: int) -> bool:
    """Tell whether to ask for each of so many *people* takes no more calls than to list everybody, as far as is known."""
    pages = last_pages(runtime, workspace)
    return not pages or people <= pages


async def call_roll(
    runtime: Runtime, workspace: Workspace, slack_ids: Collection[str]
) -> dict[str, Observation[SourceUser]]:
    """Return what Slack says now of each of *slack_ids*.

    Whom its list does not show is asked for, within EVIDENCE_CALLS, and is unknown beyond.
    """
    if asks_each(runtime, workspace, len(slack_ids)):
        return await ask_for_people(runtime, workspace.team, slack_ids)
    wanted, seen = set(slack_ids), dict[str, Observation[SourceUser]]()
    with SourceSnapshot() as people:
        await read_list(runtime, workspace, people, partial(read_page, runtime, workspace))
        for page in people:
            seen |= {slack_id: Present(user) for user in page for slack_id in wanted.intersection(user.ids)}
    missing = sorted(wanted - seen.keys())
    if can_ask(runtime, people=len(missing)):
        return seen | await ask_for_people(runtime, workspace.team, missing)
    return seen | dict.fromkeys(missing, Unknown(NOT_SHOWN))
