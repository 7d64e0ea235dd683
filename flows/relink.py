"""Flow *Relink*: the database is taken to the Docebo at another address."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.mappings.relinking import Relation, Relinked
from tasks.attended import require_a_person
from tasks.forms import titled
from tasks.hooks import ON_TROUBLE
from tasks.relink_platform import relink_platform
from tasks.run import concluded, open_resources
from tasks.run_names import relink_run


@flow(name="relink", flow_run_name=relink_run, **ON_TROUBLE)
@concluded
async def relink(
    platform: Annotated[Relation, titled("The Docebo at the new address is")],
    dry_run: Annotated[bool, titled("Dry run")] = True,
) -> Relinked:
    """Link the database to the Docebo at DOCEBO_URL, after that was changed. No account and no mapping is changed.

    Args:
        platform: same: the platform of before, at a new address; that is proven by the usernames of up to 20 mapped
            accounts. another: a platform with mappings of its own; those of the former one are kept.
        dry_run: Prove and tell, change nothing.
    """
    await require_a_person()
    async with open_resources() as runtime:
        return await relink_platform(runtime, platform, dry_run=dry_run)
