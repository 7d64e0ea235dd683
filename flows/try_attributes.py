"""Flow *Try attributes*: the attribute mapping tried out before it is saved; nothing is written."""

from typing import Annotated

from prefect import flow

from tasks.forms import PersonOrNobody, titled
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, integration_settings, open_resources
from tasks.try_attributes import try_attributes as try_on_people


@flow(name="try-attributes", flow_run_name="try attributes", **ON_TROUBLE)
@concluded
async def try_attributes(
    rules: Annotated[str, titled("Rules to try", max_length=4000)] = "",
    who: Annotated[PersonOrNobody, titled("Slack id or docebo:ID of one person")] = "",
) -> str:
    """Say what rules make of one person, or of a sample of twenty: what each reads, what it gives, and why not.

    The result is a table of this run, with values only where people are shown by names.

    Args:
        rules: Written as in the settings, ATTRIBUTES. They are not saved. Empty: the saved ones.
        who: Empty: twenty people from all over the list. No e-mail address: it would stay in Prefect for everybody to
            see; slack-docebo attributes try, in a shell, takes one, and shows the values.
    """
    saved = await integration_settings()
    async with open_resources(saved.with_rules(rules) if rules else saved) as runtime:
        return await try_on_people(runtime, who, rules)
