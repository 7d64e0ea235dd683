"""Custom profile fields, person by person, once everything else is done for everybody."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.concurrency import to_completion
from slack_docebo.engine.planning.enriching import plan_enriched
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.profiles import ProfilesRead, due, read_profiles
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from tasks.policies import RETRIED
from tasks.progress import shown


async def plan_from_custom_fields(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> str | None:
    """Read the custom fields of *people* who are due; return the plan, as its id, for changed fields, or None."""
    read = await read_custom_fields(runtime, workspace, people)
    return await plan_custom_fields(runtime, workspace, people, read) if read.changed else None


@task(name="Read custom profile fields", task_run_name="Slack profiles, one by one", cache_policy=NO_CACHE, **RETRIED)
async def read_custom_fields(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> ProfilesRead:
    """Read the custom fields of those who are due, for PROFILE_MINUTES; a later try goes on with the others."""
    to_read = await to_completion(due, runtime, workspace, people)
    if not to_read:
        return ProfilesRead()
    async with shown(runtime.budget, "slack-profiles", len(to_read)) as progress:
        done = await read_profiles(runtime, workspace, to_read, progress.advance, to_compare=people.to_compare)
    get_run_logger().info(
        "Slack: custom fields of %d people read, %d of them changed; %d people are left for the next run",
        done.read,
        len(done.changed),
        done.left,
    )
    return done


@task(name="Plan custom fields", task_run_name="Plan what custom fields change", cache_policy=NO_CACHE, **RETRIED)
async def plan_custom_fields(runtime: Runtime, workspace: Workspace, people: SourceSnapshot, read: ProfilesRead) -> str:
    """Return the plan, as its id, of people whose custom fields, as *read*, differ from before."""
    return await plan_enriched(runtime, workspace, people, read.changed)
