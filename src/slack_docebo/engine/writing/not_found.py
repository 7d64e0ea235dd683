"""New accounts that Docebo's search does not find: while none was ever found, no other is sent.

Otherwise, where people who have an account cannot be found, each run would make one more before it stops.
"""

from slack_docebo.domain.decisions import is_for_never
from slack_docebo.domain.dialect import NOT_FOUND
from slack_docebo.domain.observation import Gone, Present
from slack_docebo.domain.operations import NOT_SENT
from slack_docebo.domain.proof import proves_creation
from slack_docebo.domain.unfound import WHAT_TO_DO
from slack_docebo.engine.reading.dialects import known_dialect, learn
from slack_docebo.engine.reading.evidence import observe_account
from slack_docebo.engine.reading.searching import find_by_address
from slack_docebo.runtime import Runtime


def remember_not_found(runtime: Runtime, docebo_id: int) -> None:
    """Store that the search does not find an account that was just made."""
    learn(runtime, NOT_FOUND, str(docebo_id), source="the first new account, and a search for its address")


async def reason_by_not_found(runtime: Runtime, team: str) -> str:
    """Return why no new account is to be sent, or ""; it takes a few calls if an account was not found before.

    Once the account is found, or Docebo says that it is gone, the note about it is deleted.
    """
    known = known_dialect(runtime).answer(NOT_FOUND)
    if not known:
        return _reason_by_account_without_id(runtime, team)
    seen = await observe_account(runtime.docebo, int(known))
    if isinstance(seen, Gone) or (
        isinstance(seen, Present)
        and any(
            one.docebo_id == seen.value.docebo_id
            for one in await find_by_address(runtime, seen.value.email or seen.value.username)
        )
    ):
        with runtime.store.transaction() as tables:
            tables.dialect(runtime.settings.docebo_url).forget(NOT_FOUND.name)
        return ""
    return (
        f"{NOT_SENT}account {known} was made by a run before, and Docebo's search still does not find it by its address, so"
        " people who have an account could not be recognised. Ask Docebo's support why; once it is found the next run goes"
        f" on, or let *{NOT_FOUND.name}* be forgotten in the form How this Docebo answers, and one more account is tried"
    )


def _reason_by_account_without_id(runtime: Runtime, team: str) -> str:
    """Return why no new account is sent, if none was ever seen and one that Docebo has made is not found, or ""."""
    if proves_creation(known_dialect(runtime).proven):
        return ""
    docebo = runtime.settings.docebo_url
    with runtime.store.reading() as tables:
        said = [one for one in tables.unfound.all(docebo) if one.is_said]
        decisions = tables.binding(team) if said else {}
        given = tables.applied(docebo).of(team, [one.slack_id for one in said])
    waiting = [one for one in said if one.slack_id not in given and not is_for_never(decisions, [one.slack_id])]
    if not waiting:
        return ""
    return (
        f"{NOT_SENT}a run before has made an account for {waiting[0].slack_id}, Docebo has not said which one, and shows it"
        f" neither in its list nor by its search, so each run would make some more: {WHAT_TO_DO}"
    )
