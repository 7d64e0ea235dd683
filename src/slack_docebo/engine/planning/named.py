"""Planning for named people: those whom somebody has asked to synchronise, and nobody else."""

from collections.abc import Sequence

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import as_meant
from slack_docebo.domain.exclusion import FORGOTTEN
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.planning.few import plan_few
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import observe_person
from slack_docebo.engine.reading.organisation import find_former_ids, learn_who_is_named, strangers
from slack_docebo.engine.reading.overtaken import stamps_of_overtaken
from slack_docebo.engine.reading.profiles import check_fields_left_out, keep_fields_shown
from slack_docebo.errors import IncompleteRead, Rejected
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind


async def read_named(runtime: Runtime, slack_ids: Sequence[str], emails: Sequence[str]) -> list[SourceUser]:
    """Return the users with these ids and e-mail addresses, each once.

    Raises Rejected if Slack does not know or show one of them, or if one was forgotten on request.
    """
    wanted = list(slack_ids)
    for place, email in enumerate(emails, 1):
        found = await runtime.slack.find_user(as_meant(email))
        if found is None:
            raise Rejected(
                "synchronise",
                f"Slack knows nobody by address {place} of {len(emails)}: correct it, or give the Slack id, for Slack"
                " does not find people who were deactivated by their address",
            )
        wanted.append(found.slack_id)
    people, provisions = [], runtime.behaviour.provision_slack_user_data
    for slack_id in dict.fromkeys(wanted):
        seen = await observe_person(runtime, slack_id, with_values=provisions)
        if not isinstance(seen, Present):
            raise Rejected("synchronise", f"Slack knows no {slack_id}, or does not show it: correct the id")
        people.append(seen.value)
    await check_fields_left_out(runtime.slack)
    with runtime.store.reading() as tables:
        excluded = tables.exclusions.all()
    if forgotten := [user.slack_id for user in people if excluded.cover(user)]:
        raise Rejected("synchronise", f"{', '.join(forgotten)}: {FORGOTTEN}")
    return people


async def plan_named(runtime: Runtime, workspace: Workspace, people: Sequence[SourceUser]) -> str:
    """Compare *people* with their accounts, and return the id of the stored plan, which is about nobody else.

    Raises IncompleteRead where Slack shows one of them as before an event that was applied, or may not be asked by which
    ids they were known before, and TransientError where it does not answer.
    """
    if behind := await to_completion(stamps_of_overtaken, runtime, workspace.team, people):
        raise IncompleteRead(
            f"Slack still shows {', '.join(sorted(behind))} as before an event that was applied: run again in a few minutes"
        )
    await to_completion(keep_fields_shown, runtime, workspace.team, people)
    await learn_who_is_named(runtime, workspace, people)
    found = await find_former_ids(runtime, workspace, await strangers(runtime, workspace, people))
    people = [found.get(user.slack_id, user) for user in people]
    return await plan_few(runtime, workspace, people, kind=PlanKind.REALTIME_SYNC)
