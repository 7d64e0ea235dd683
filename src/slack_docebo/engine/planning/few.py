"""Planning for a few people, whose accounts are looked up one by one."""

from collections.abc import AsyncIterator, Sequence

from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.accounts import look_up
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind


async def plan_few(runtime: Runtime, workspace: Workspace, people: Sequence[SourceUser], *, kind: PlanKind) -> str:
    """Compare *people* with their accounts, for one to four calls each, and return the id of the stored plan."""
    with runtime.store.reading() as tables:
        known = tables.mappings(runtime.settings.docebo_url).known_of_people(workspace.team, people)
    accounts = await look_up(runtime, [(user, known.get(user.slack_id)) for user in people])
    return await make_plan(runtime, workspace, _at_once(people), accounts, kind=kind)


async def _at_once(people: Sequence[SourceUser]) -> AsyncIterator[list[SourceUser]]:
    yield list(people)
