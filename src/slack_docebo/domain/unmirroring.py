"""Unmirroring: emptying the mirrored fields of an account when its mapping is reset."""

from collections.abc import Collection

from slack_docebo.domain.disputes import seen_on
from slack_docebo.domain.mirror import Mirror
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Account

REASON = "reset"


def unmirroring(account: Account, mirror: Mirror, team: str, slack_ids: Collection[str]) -> Operation | None:
    """Return the operation that empties the mirrored fields of *account*, or None where there is nothing to empty.

    With *slack_ids*, only an account whose fields name one of these people has such an operation.
    """
    slack_id, slack_name, _ = mirror.values(account)
    filled = mirror.filled(account)
    if not filled or (slack_ids and slack_id not in slack_ids):
        return None
    return Operation(
        slack_id=slack_id,
        slack_team=team,
        slack_name=slack_name,
        kind=Kind.UPDATE,
        reason=f"{REASON}: mirrored fields emptied",
        docebo_id=account.docebo_id,
        changes=dict.fromkeys(filled, ""),
        before=dict(filled),
        seen=seen_on(account),
    )
