"""Rules that were changed between a plan and its application.

An operation holds what follows from the rules of its plan, and that is what is applied. But nothing is done to somebody
whom the rules of today leave alone.
"""

from collections.abc import Collection

from slack_docebo.domain.grace import OF_LEAVERS, is_of_leaver
from slack_docebo.domain.operations import Operation
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.policy import Policy


def reason_by_rules(
    operation: Operation, address: str, then: Policy, now: Policy, *, other_ids: Collection[str] = ()
) -> str:
    """Return why the rules of *now* leave the person of *operation* alone, or "".

    *address* is the person's e-mail address, as far as the operation or its account tells it; *other_ids* are the
    person's other Slack ids. Membership in Slack's user groups is as this run has read it.
    """
    if is_of_leaver(operation.kind, operation.reason):
        if operation.kind in OF_LEAVERS and then.leavers is not now.leavers:
            return f"LEAVERS was {then.leavers} when this was planned, and is {now.leavers} by now"
        if operation.kind not in OF_LEAVERS and then.leavers_branch != now.leavers_branch:
            return "LEAVERS_BRANCH was another when this was planned"
        if then.out_of_scope_leaves and not now.out_of_scope_leaves:
            return "LEAVERS_OUT_OF_SCOPE was on when this was planned, and is off by now"
        return ""
    if operation.maps and then.map and not now.map:
        return "MAP_SLACK_USER_DATA was on when this was planned, and is off by now"
    if operation.mapped_as != operation.slack_id and then.rehires is not now.rehires:
        return f"REHIRES was {then.rehires} when this was planned, and is {now.rehires} by now"
    if operation.prior is None and then.match_by is not now.match_by:
        return f"MATCH_BY was {then.match_by} when this was planned, and is {now.match_by} by now"
    if then.scope.guests is not now.scope.guests:
        return f"SCOPE_GUESTS was {then.scope.guests} when this was planned, and is {now.scope.guests} by now"
    if then.scope.invited and not now.scope.invited:
        return "SCOPE_INVITED was on when this was planned, and is off by now"
    against = now.scope.reason_against_membership({operation.slack_id, operation.mapped_as, *other_ids})
    if not against and then.scope != now.scope:
        against = now.scope.reason_against(SourceUser(operation.slack_id, operation.slack_team, email=address))
    return f"out of scope by now: {against}" if against else ""
