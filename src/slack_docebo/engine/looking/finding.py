"""Finding people by what they are called, where Prefect's pages show names."""

from collections.abc import Sequence

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.texts import without_unseen
from slack_docebo.engine.looking.explaining import explain
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reporting.shown import Cells, with_names
from slack_docebo.errors import ConfigurationError
from slack_docebo.runtime import Runtime

SHOWN = 100


async def find_people(runtime: Runtime, words: str) -> list[Cells]:
    """Return a row for each person whose name and address contain all *words*, at most SHOWN.

    A whole address that no stored name has is looked for on both sides. Raises ConfigurationError where people are
    shown by their ids alone, and where there are no words.
    """
    if runtime.behaviour.people_shown is PeopleShown.IDS:
        raise ConfigurationError(
            "nobody was looked for: PEOPLE_SHOWN is ids, so no name is kept. Choose names in the form Change the settings, or"
            " ask `slack-docebo explain`, which takes an address"
        )
    words = " ".join(filter(None, map(without_unseen, words.split())))  # which come with what is pasted
    if not words:
        raise ConfigurationError("nobody was looked for: give a part of a name or of an address")
    workspace = await validate(runtime, pin=False)
    with runtime.store.reading() as tables:
        found = tables.names.find(workspace.team, words.split(), SHOWN)
    if not found and "@" in words and " " not in words:
        found = await _on_both_sides(runtime, words)
    with runtime.store.reading() as tables:
        return with_names(tables, workspace.team, [{"Slack user": who} for who in found], PeopleShown.NAMES)


def count_in_words(found: Sequence[str]) -> str:
    """Say how many were found; there may be more."""
    if not found:
        return "nobody was found who is called so"
    more = "; there may be more: give more of the name or address" if len(found) == SHOWN else ""
    return f"{len(found)} people were found{more}"


async def _on_both_sides(runtime: Runtime, address: str) -> list[str]:
    """Return who has *address* in Slack or Docebo, in the form that `explain` takes."""
    explained = await explain(runtime, address)
    if explained.slack_id:
        return [explained.slack_id]
    accounts = await runtime.docebo.find_users(address)
    return [f"docebo:{account.docebo_id}" for account in accounts if mailbox(account.email) == mailbox(address)]
