"""Roll call: who is in Slack by now, by a question for each or by its list, whichever takes fewer calls."""

from collections.abc import AsyncIterator, Collection
from functools import partial

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import answers_to, ask_for_people, can_ask
from slack_docebo.engine.reading.outages import OutageWatch, greet_slack
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
    async for user in _listed(runtime, workspace):
        seen |= dict.fromkeys(wanted.intersection(user.ids), Present(user))
    missing = sorted(wanted - seen.keys())
    if can_ask(runtime, people=len(missing)):
        return seen | await ask_for_people(runtime, workspace.team, missing)
    return seen | dict.fromkeys(missing, Unknown(NOT_SHOWN))


async def bearers(
    runtime: Runtime, workspace: Workspace, addresses: Collection[str]
) -> dict[str, Observation[SourceUser]]:
    """Return who in Slack, and not deactivated there, bears which of *addresses* by now; without those that are nobody's."""

    async def about(address: str) -> Observation[SourceUser]:
        user = await runtime.slack.find_user(address)
        return Present(user) if user else Gone("nobody in Slack bears the address")

    if asks_each(runtime, workspace, len(addresses)):
        answers = answers_to(runtime, addresses, about, OutageWatch(runtime, greet_slack))
        return {address: answer async for address, answer in answers if not isinstance(answer, Gone)}
    wanted = {mailbox(address): address for address in addresses}
    active = [user async for user in _listed(runtime, workspace) if not (user.deactivated or user.bot)]
    return {wanted[key]: Present(user) for user in active if (key := mailbox(user.email)) in wanted}


async def _listed(runtime: Runtime, workspace: Workspace) -> AsyncIterator[SourceUser]:
    """Yield everybody whom Slack's list shows, as it was shown last."""
    with SourceSnapshot() as people:
        await read_list(runtime, workspace, people, partial(read_page, runtime, workspace))
        for page in people:
            for user in page:
                yield user
