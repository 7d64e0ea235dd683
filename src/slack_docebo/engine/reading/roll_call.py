"""Roll call: who is in Slack by now, by a question for each or by its list, whichever takes fewer calls."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.observation import Observation, Present, Unknown
from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.reading.bearers import bearers_of
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_people, reserve_calls
from slack_docebo.engine.reading.missing import check_few_missing
from slack_docebo.engine.reading.slack_list import last_list, read_page, read_whole_list
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.storage.store import Store

NOT_SHOWN = "Slack's list does not show the person by now"


@dataclass(frozen=True, slots=True)
class Roll:
    """What Slack says now of people and addresses."""

    people: Mapping[str, Observation[SourceUser]]  # by Slack id
    # By address, who bears it and is not deactivated; without those that are nobody's.
    bearers: Mapping[str, Observation[SourceUser]]


def asks_each(store: Store, workspace: Workspace, questions: int) -> bool:
    """Tell whether so many *questions* take no more calls than the last complete list did."""
    last = last_list(store, workspace)
    return last is None or questions <= last.pages


async def call_roll(
    runtime: Runtime, workspace: Workspace, slack_ids: Collection[str], addresses: Collection[str]
) -> Roll:
    """Find out what Slack says now of each of *slack_ids*, and who has each of *addresses*.

    If its list is read, people who are not in it are asked for; they are unknown if EVIDENCE_CALLS does not allow it.
    An address that it does not show is nobody's: so IncompleteRead is raised where the list is not whole.
    """
    if asks_each(runtime.store, workspace, len(slack_ids) + len(addresses)):
        return Roll(await ask_for_people(runtime, workspace.team, slack_ids), await bearers_of(runtime, addresses))
    wanted, by_mailbox = set(slack_ids), defaultdict[str, list[str]](list)
    for address in addresses:
        by_mailbox[mailbox(address)].append(address)
    people, bearers = dict[str, Observation[SourceUser]](), dict[str, Observation[SourceUser]]()
    async for user in _listed(runtime, workspace):
        people |= dict.fromkeys(wanted.intersection(user.ids), Present(user))
        if not (user.deactivated or user.bot):
            bearers |= dict.fromkeys(by_mailbox.get(mailbox(user.email), ()), Present(user))
    missing = sorted(wanted - people.keys())
    if reserve_calls(runtime, people=len(missing)):
        return Roll(people | await ask_for_people(runtime, workspace.team, missing), bearers)
    return Roll(people | dict.fromkeys(missing, Unknown(NOT_SHOWN)), bearers)


async def _listed(runtime: Runtime, workspace: Workspace) -> AsyncIterator[SourceUser]:
    """Yield everybody in Slack's list, as shown last."""
    with SourceSnapshot() as people:
        await read_whole_list(runtime, workspace, people, partial(read_page, runtime, workspace))
        await check_few_missing(runtime, workspace, people)
        for page in people:
            for user in page:
                yield user
