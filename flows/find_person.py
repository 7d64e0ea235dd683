"""Flow *Find person*: by name or address, where Prefect's pages show names; nothing is written."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.looking.explaining import Explanation
from slack_docebo.engine.looking.finding import count_in_words
from tasks.explain_person import explain_person
from tasks.find_people import find_people
from tasks.forms import titled
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, open_resources


@flow(name="find-person", flow_run_name="find a person", **ON_TROUBLE)
@concluded
async def find_person(
    who: Annotated[str, titled("Part of the name or of the e-mail address", min_length=1, max_length=255)],
) -> Explanation | str:
    """Find people by name or address, and explain who is found alone; only while PEOPLE_SHOWN is names.

    Args:
        who: Words that name and address hold, in any order, like ada lovel or lovelace@. A whole address is looked for in
            Docebo, too. Prefect keeps what is typed with the run.
    """
    async with open_resources() as runtime:
        found = await find_people(runtime, who)
        if len(found) == 1:
            return await explain_person(runtime, found[0])
        return count_in_words(found)
