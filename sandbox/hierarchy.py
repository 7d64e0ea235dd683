"""A company with departments and managers: SCIM shows them in Slack, and Docebo has a branch for each department."""

from __future__ import annotations

from sandbox.docebo.platform import Platform
from sandbox.slack.workspace import Workspace

DEPARTMENTS = ("Engineering", "Sales", "Support", "Finance")
SPAN = 10  # people who report to one manager


def organise(slack: Workspace, docebo: Platform) -> None:
    """Give every member a department and all but the first a manager, and Docebo a branch for each department."""
    for department in DEPARTMENTS:
        docebo.add_branch(department.upper()[:5], department)
    members = [
        str(user["id"])
        for user in slack
        if user["profile"].get("email") and not (user.get("deleted") or user.get("is_bot") or user.get("is_restricted"))
    ]
    for place, slack_id in enumerate(members):
        slack.scim[slack_id] = {"department": DEPARTMENTS[place % len(DEPARTMENTS)]}
        if place:
            slack.scim[slack_id]["manager"] = members[(place - 1) // SPAN]
