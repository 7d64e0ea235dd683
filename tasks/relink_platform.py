"""The database linked to the Docebo at another address."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from slack_docebo.engine.mappings.relinking import Relation, Relinked, relink
from slack_docebo.runtime import Runtime


@task(name="Relink platform", task_run_name="Relink as {relation} platform", cache_policy=NO_CACHE)
async def relink_platform(runtime: Runtime, relation: Relation, *, dry_run: bool) -> Relinked:
    """Prove what has to be proven, and link the database to the Docebo at DOCEBO_URL; return what was done."""
    done = await relink(runtime, relation, dry_run=dry_run)
    get_run_logger().info(done.line)
    return done
