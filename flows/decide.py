"""Flow *Decide*: what somebody decides about single people, and every run respects."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.mappings.deciding import DecisionAction, DecisionRequest
from tasks.attended import require_a_person
from tasks.decide_about_people import decide_about_people
from tasks.forms import SlackIds, titled
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, open_run
from tasks.run_names import decide_run
from tasks.validate_connection import validate_connection


@flow(name="decide", flow_run_name=decide_run, **ON_TROUBLE)
@concluded
async def decide(
    action: Annotated[DecisionAction, titled("What to do")] = DecisionAction.SHOW,
    slack_ids: Annotated[SlackIds, titled("Slack users")] = [],  # noqa: B006  (Prefect's form wants a list)
    all_who_wait: Annotated[bool, titled("All who wait for a decision")] = False,
    confirm: Annotated[int, titled("Number of people, for all who wait", ge=0)] = 0,
    docebo_id: Annotated[int, titled("Docebo user, to link", ge=0)] = 0,
    why: Annotated[str, titled("Why", max_length=200)] = "",
    decided_by: Annotated[str, titled("Your name", max_length=100)] = "",
) -> str:
    """Decide about single people: never this one; leave it so; this account. Or show what was decided, or take it back.

    Args:
        action: show: all decisions, in a table of this run. never this person: no run touches account or mapping.
            leave it so: that they wait for a decision, or failed in the last import, is acknowledged, and no news until
            there is another reason; what fails is tried as before. link to an account: this Slack user is that Docebo
            user. no account was made: somebody has looked for one that a run may have made, so the next run makes one.
            take back: what was decided is no more; a mapping stays. take back only leave it so: what was
            acknowledged is news again; never and link stay.
        slack_ids: Ids of the people, like U012AB3CD; a list may be pasted into one field. Prefect keeps them with the run.
        all_who_wait: Instead of ids, for leave it so.
        confirm: For all who wait, type how many they are, as the status page says.
        docebo_id: Id of the Docebo user.
        why: Kept with the decision. No names but those that everybody may see.
        decided_by: Kept with it, as you say it.
    """
    await require_a_person()
    request = DecisionRequest(
        action=action,
        slack_ids=tuple(slack_ids),
        all_who_wait=all_who_wait,
        confirm=confirm,
        docebo_id=docebo_id,
        why=why,
        by=decided_by,
    )
    async with open_run() as runtime:  # an import would write what it has planned before
        workspace = await validate_connection(runtime)
        return await decide_about_people(runtime, workspace, request)
