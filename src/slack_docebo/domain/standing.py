"""Standings: why somebody is left alone, stored until it changes, so that a plan shows changes only."""

import re
from dataclasses import dataclass

from slack_docebo.domain.decisions import SEEN
from slack_docebo.domain.operations import (
    DEACTIVATED_BEFORE,
    IN_LINE,
    IN_LINE_AS_WRITTEN,
    NO_LONGER_IN_SLACK,
    NO_USERNAME,
    NOT_PLANNED,
    OPEN_AGAIN,
    PROVISIONING_OFF,
    UNLISTED,
    Kind,
    Operation,
)
from slack_docebo.domain.returns import PERHAPS_THEIRS, RETURNED
from slack_docebo.domain.scope import KIND_NOT_KNOWN
from slack_docebo.domain.unfound import NOT_FOUND_YET

NOT_MAPPED = "not in Slack's list, and not mapped"
NOT_COMPARED = "not in Slack's list; a run that compares with Docebo decides"
WAITING = "of them waiting for somebody's decision"
# Reasons that last until somebody changes something on either side.
UNDECIDED = re.compile(
    rf"{RETURNED}|{PERHAPS_THEIRS}|is disputed:|is not proven:|^account (\d+ )?belongs to|several accounts match:|the username is taken by account|"
    f"an account with this (?:address is created|username is) for|^{NO_USERNAME}|^{NOT_PLANNED}|^{UNLISTED}|"
    f"^{KIND_NOT_KNOWN}|^{NOT_FOUND_YET}|{OPEN_AGAIN}$"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Why somebody is left alone, and which account is theirs if that is known."""

    reason: str
    docebo_id: int | None = None

    def covers(self, operation: Operation) -> bool:
        """Tell whether *operation* leaves the person alone for the reason that is known already.

        A run that does not look at Docebo knows less: its reason does not replace that of a run that looked.
        """
        if operation.kind is not Kind.LEAVE or operation.docebo_id not in {None, self.docebo_id}:
            return False
        if operation.reason == IN_LINE_AS_WRITTEN:
            return self.reason in {IN_LINE, IN_LINE_AS_WRITTEN} or is_undecided(self.reason.removeprefix(SEEN))
        if operation.reason == NOT_COMPARED:
            return self.reason == NOT_COMPARED or self.reason.startswith(NO_LONGER_IN_SLACK)
        if operation.docebo_id is None and operation.reason + OPEN_AGAIN == self.reason:
            return True
        return operation.reason == self.reason


def is_undecided(reason: str) -> bool:
    """Tell whether people who are left alone for this *reason* wait for somebody's decision."""
    return not reason.startswith(SEEN) and UNDECIDED.search(reason) is not None


def standing_after(operation: Operation, docebo_id: int | None, *, provision: bool) -> Standing | None:
    """Return the standing that the next import will find once *operation* was carried out on account *docebo_id*.

    None where only that import can know, and for people who are not looked at any more.
    """
    match operation.kind:
        case Kind.CREATE | Kind.UPDATE:
            return Standing(IN_LINE, docebo_id)
        case Kind.MAP if not provision:
            return Standing(PROVISIONING_OFF, docebo_id)
        case Kind.MAP if operation.fingerprint and not operation.echo:
            return Standing(IN_LINE, docebo_id)
        case Kind.DEACTIVATE:
            return Standing(operation.reason + DEACTIVATED_BEFORE, docebo_id)
        case Kind.UNMAP if operation.reason != NO_LONGER_IN_SLACK:
            return Standing(operation.reason)
        case Kind.LEAVE if operation.reason != NOT_MAPPED:
            return Standing(operation.reason, docebo_id)
    return None
