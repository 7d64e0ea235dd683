"""Flow *Explain user*: one person, looked at from both sides; nothing is written."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.looking.explaining import Explanation
from tasks.explain_person import explain_person
from tasks.forms import Person, titled
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, open_resources


@flow(name="explain-user", flow_run_name="explain {who}", **ON_TROUBLE)
@concluded
async def explain_user(
    who: Annotated[Person, titled("Slack id or docebo:ID")],
) -> Explanation:
    """Say how one person stands: in Slack, in scope, matched to whom, what differs, what an import would do, history.

    The result is an artifact of this run: ids and attribute names, with values only where people are shown by names.

    Args:
        who: The person's Slack id, like U024BE7LH, or docebo: and the id of the Docebo user. No e-mail address: it
            would stay in Prefect for everybody to see; slack-docebo explain, in a shell, takes one.
    """
    async with open_resources() as runtime:
        return await explain_person(runtime, who)
