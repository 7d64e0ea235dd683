"""Flow *Fields*: what rules of the attribute mapping can read in Slack and fill in Docebo; nothing is written."""

from prefect import flow

from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, open_resources
from tasks.show_fields import show_fields


@flow(name="fields", flow_run_name="fields", **ON_TROUBLE)
@concluded
async def fields() -> str:
    """List the fields of both sides with types and options, and which rules of ATTRIBUTES read or fill them."""
    async with open_resources() as runtime:
        return await show_fields(runtime)
