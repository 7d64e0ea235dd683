"""The attribute mapping tried on a sample of people, before it is saved. Nothing is written."""

from dataclasses import dataclass

from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.rules import reads_scim
from slack_docebo.engine.looking.explaining import Compared, compared
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.evidence import observe_person
from slack_docebo.runtime import Runtime

SAMPLE = 20  # people


@dataclass(frozen=True, slots=True)
class Tried:
    """What the rules make of one person; the values are personal."""

    slack_id: str
    attributes: list[Compared]


async def try_rules(runtime: Runtime) -> list[Tried]:
    """Return what the rules of *runtime* make of twenty people in scope, for one call.

    They are taken from all over the first page of Slack's list. Custom profile fields and SCIM, where rules read any, take
    a call more for each of them, after one for the person.
    """
    workspace = await validate(runtime, pin=False)
    policy = runtime.behaviour.policy(workspace.team)
    page = await runtime.slack.list_users(team_id=workspace.team)
    in_scope = [user for user in page.users if not policy.scope.reason_against(user)]
    some = in_scope[:: max(1, len(in_scope) // SAMPLE)][:SAMPLE]
    if any(rule.is_custom for rule in policy.rules) or reads_scim(policy.rules):
        some = [await _in_full(runtime, user) for user in some]
    return [Tried(user.slack_id, compared(user, None, policy, runtime.profile_labels)) for user in some]


async def _in_full(runtime: Runtime, user: SourceUser) -> SourceUser:
    seen = await observe_person(runtime, user.slack_id)
    return seen.value if isinstance(seen, Present) else user
