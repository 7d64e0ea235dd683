"""Evidence: what each side says when it is asked for exactly this person or this account, now."""

from slack_docebo.clients.docebo import AMBIGUOUS
from slack_docebo.domain.observation import Gone, Observation, Unknown
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.runtime import Runtime


async def observe_person(runtime: Runtime, slack_id: str) -> Observation[SourceUser]:
    """Return what Slack says of this person, for one call (two where custom profile fields are mapped)."""
    return await runtime.slack.user(slack_id)


async def observe_account(runtime: Runtime, docebo_id: int, username: str = "") -> Observation[Account]:
    """Return what Docebo says of this account, for one call.

    Where it answers 400, nobody under *username*, the one last known, is the second witness, for one call more; without
    a *username* it stays unknown. The account of the answer lacks attributes that a listing has.
    """
    seen = await runtime.docebo.user(docebo_id)
    if seen != Unknown(AMBIGUOUS) or not username:
        return seen
    if await runtime.docebo.find_users(username):
        return seen
    return Gone(f"Docebo answers 400 for account {docebo_id} and has nobody under its last username")
