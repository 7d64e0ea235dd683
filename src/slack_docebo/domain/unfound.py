"""Unfound accounts: creations that were sent, and whose outcome nobody knows; meanwhile no second one is made."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.operations import Kind, Operation

NOT_FOUND_YET = "an account may have been made before"
WHAT_TO_DO = (
    "look for it in Docebo, and say in the form Decide about people which account it is, or that none was made (in a shell"
    " `slack-docebo decide link` or `not-made`)"
)


@dataclass(frozen=True, slots=True)
class Unfound:
    """A creation: who it was for, and the username and address that were sent."""

    plan_id: str
    seq: int
    slack_id: str
    username: str
    email: str
    is_said: bool  # to be made, by Docebo, which does not show it; else there was no answer, or a refusal

    def stands_against(self, operation: Operation, slack_ids: Collection[str]) -> bool:
        """Tell whether *operation*, for the person *slack_ids*, could make a second account beside this one.

        After a call without an answer the very same row may be sent once more: Docebo refuses a username that exists.
        """
        username, email = (str(operation.changes.get(name, "")) for name in ("username", "email"))
        is_same_name = mailbox(username) == mailbox(self.username)
        is_same_address = bool(email) and mailbox(email) == mailbox(self.email)
        is_about_it = self.slack_id in slack_ids or is_same_name or is_same_address
        return is_about_it and (self.is_said or not is_same_name)


def reason_by_unfound(operation: Operation, slack_ids: Collection[str], unfound: Iterable[Unfound]) -> str:
    """Return why no account is made for the person with these *slack_ids* while one is *unfound*, or ""."""
    if operation.kind is not Kind.CREATE:
        return ""
    found = next((one for one in unfound if one.stands_against(operation, slack_ids)), None)
    if found is None:
        return ""
    whose = "" if found.slack_id in slack_ids else f" for {found.slack_id}"
    return f"{NOT_FOUND_YET}{whose}, and nobody has found it: {WHAT_TO_DO}"
