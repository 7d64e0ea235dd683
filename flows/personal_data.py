"""Flow *Personal data*: what is kept of one person is told, given out or erased."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.mappings.personal_data import PersonalDataRequest
from tasks.attended import require_a_person
from tasks.forms import SlackId, titled
from tasks.fulfil_request import fulfil_request
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, open_run
from tasks.run_names import personal_data_run


@flow(name="personal-data", flow_run_name=personal_data_run, **ON_TROUBLE)
@concluded
async def personal_data(
    slack_id: Annotated[SlackId, titled("Slack user")],
    request: Annotated[PersonalDataRequest, titled("What to do")] = PersonalDataRequest.SHOW,
    confirm: Annotated[str, titled("The Slack id again, to forget")] = "",
) -> str:
    """Show where how much is kept about one person, give it all out, forget the person, or take that back.

    Args:
        slack_id: The person's Slack id, like U012AB3CD. Prefect keeps it with the run.
        request: show: counts by place, nothing is changed. give out: all of it goes to a file below REPORT_DIR on the
            worker's disk, which only its owner can read. forget: erased for good, and no run looks after the person.
            look after again: ends that.
        confirm: To forget the person, type the Slack id once more.
    """
    await require_a_person()
    async with open_run() as runtime:  # an import would write back what it has read
        return await fulfil_request(runtime, request, slack_id, confirm)
