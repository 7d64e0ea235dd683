"""Flow *Dialect*: how this Docebo answers where its documentation leaves it open."""

from typing import Annotated

from prefect import flow

from slack_docebo.domain.dialect import QUESTIONS
from slack_docebo.engine.reading.dialect_changes import DialectAction
from tasks.answer_by_hand import answer_by_hand
from tasks.attended import require_a_person
from tasks.forms import titled
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, open_resources
from tasks.run_names import dialect_run


@flow(name="dialect", flow_run_name=dialect_run, **ON_TROUBLE)
@concluded
async def dialect(
    action: Annotated[DialectAction, titled("What to do")] = DialectAction.SHOW,
    question: Annotated[str, titled("Question", choices=["", *(one.name for one in QUESTIONS)])] = "",
    answer: Annotated[str, titled("Answer, to set", max_length=500)] = "",
    check_only: Annotated[bool, titled("Check only")] = True,
) -> str:
    """Show what is assumed and known of how this Docebo answers, set an answer by hand, or let one be forgotten.

    Args:
        action: show: all questions with their answers, in a table of this run. set: the answer holds for runs from the
            next one on, also if they see otherwise, until it is forgotten. forget: runs go by what is assumed, and find
            it out anew.
        question: Which one; the table says what each means.
        answer: What the table says that it can be set to.
        check_only: Show what would change, change nothing.
    """
    await require_a_person()
    async with open_resources() as runtime:
        return await answer_by_hand(runtime, action, question, answer, check_only=check_only)
