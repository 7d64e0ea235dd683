"""Operations: what is done about one person, why, and what became of it."""

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from enum import StrEnum

from slack_docebo.domain.people import Account, LastSeen, Mapping, SourceUser

Value = str | bool
# Reasons and parts of reasons; the next run takes an equal reason for no news.
IN_LINE = "in line"
IN_LINE_AS_WRITTEN = "in line with what was last written"
PROVISIONING_OFF = "in line, and provisioning is off"
BOTH_OFF = "provisioning and mapping are off"
READ_FIRST = "in line, but for custom profile fields that Slack is asked for again first"
NO_LONGER_IN_SLACK = "no longer in Slack"
NOT_LISTED = "not in Slack's list"  # and not asked for, or Slack shows the person all the same
ELSEWHERE = "in other workspaces of the organisation alone"
CREATED_STAYS = "created; accounts stay unless their deactivation is asked for"
# Followed by the attributes.
OWN_FORM = "Docebo keeps its own form of "
NOT_TAKEN = "Docebo does not take "
# Preceded by the attributes.
CANNOT_HOLD = ", which cannot hold what Slack says"
IS_TAKEN = ", which is taken"
NO_VALUE = ", for which its rule finds nothing"
NOT_THERE = ", which Docebo does not have, or has several of"
# Followed by the cause.
NO_USERNAME = "no username: "
NOT_PLANNED = "no plan can be made"  # for this one person
NOT_SENT = "not sent: "
UNLISTED = (
    "no account is made while Docebo's list lacks some that it had before and was not asked for: run again, with more"
    " EVIDENCE_CALLS where they are many"
)
# Preceded by why the person counts as a leaver.
DEACTIVATED_BEFORE = "; deactivated before"
OPEN_AGAIN = ", and Docebo shows the account as active"
MAY_BE_BACK = "nobody knows yet whether the same person is back under another id; the next import tells"
# Preceded by why the person counts as a leaver, and by a Slack id.
CONTENDED = " has come with the address of the account: nothing is done to it before it is known whose it is"
NOT_SHOWN_YET = (
    "nobody knows whether Docebo has made the account, for it does not show it yet: the next run looks again"
)
SAID_TO_BE_MADE = (
    "Docebo has said that it made the account, not which one, and shows it nowhere: no other is made for this person before"
    " it is found, or somebody decides"
)
SENT_BEFORE = "; it was sent before, and nobody can tell whether it was done"  # preceded by why it is not sent again
STATUS_KEPT = "Docebo did not change the status"
ROW_REFUSED = "Docebo refuses this person's row, alone and with others"  # perhaps followed by what Docebo says
# Followed by what differs; limits count such an operation as a moved mapping.
PASSED_ON = "the account was given before to somebody who is gone; "


class Kind(StrEnum):
    """What an operation does to the target or to the mapping."""

    CREATE = "create"
    UPDATE = "update"
    MOVE = "move"  # to another branch
    DEACTIVATE = "deactivate"
    MAP = "map"
    UNMAP = "unmap"
    LEAVE = "leave"


class Outcome(StrEnum):
    """What became of an operation."""

    PLANNED = "planned"
    APPLIED = "applied"
    FAILED = "failed"  # refused for this one person; the run went on
    SKIPPED = "skipped"  # the target has changed since the plan was made
    LEFT = "left"  # there was nothing to do


@dataclass(frozen=True, slots=True)
class Operation:
    """What is, or would be, done about one person, and why.

    *changes* and *before* are keyed by attribute: `username`, `email`, `first_name`, `last_name`, `language`,
    `time_zone`, `date_format`, `country`, `expiration_date`, `active` or `field_<id>`; *before* holds the values that
    *changes* replaces, as far as Docebo shows them.
    """

    slack_id: str
    slack_team: str
    slack_name: str
    kind: Kind
    reason: str
    docebo_id: int | None = None
    changes: MappingType[str, Value] = field(default_factory=dict)
    before: MappingType[str, Value] = field(default_factory=dict)
    maps: bool = False  # the mapping is written together with the outcome
    fingerprint: str = ""
    echo: str = ""
    deactivated: bool = False  # afterwards the account is inactive because of us
    prior: Mapping | None = None  # the mapping that is replaced or removed: what undoing brings back
    # What the account showed when this was planned; empty for an undo.
    seen: LastSeen = field(default=LastSeen(), compare=False)

    @property
    def username(self) -> str:
        """The username that it gives to the account, or ""."""
        return str(self.changes.get("username", ""))

    @property
    def email(self) -> str:
        """The e-mail address that it gives to the account, or ""."""
        return str(self.changes.get("email", ""))

    @property
    def address(self) -> str:
        """The e-mail address that is written to the account, else the username, which may be one; or ""."""
        return self.email or self.username

    @property
    def moves_mapping(self) -> bool:
        """Whether the person's mapping goes to another account."""
        return self.maps and self.prior is not None and self.prior.docebo_id != self.docebo_id

    @property
    def passes_mapping(self) -> bool:
        """Whether a mapping that another Slack id has goes to the person's."""
        return self.maps and self.mapped_as != self.slack_id

    @property
    def gives_account(self) -> bool:
        """Whether the person gets an account that was there before, and was not theirs."""
        is_theirs = self.prior is not None and not self.moves_mapping and not self.passes_mapping
        return self.maps and self.kind is not Kind.CREATE and not is_theirs

    @property
    def mapped_as(self) -> str:
        """The Slack id that has the mapping before the operation; afterwards `slack_id` has it."""
        return self.prior.slack_id if self.prior else self.slack_id

    @property
    def account_before(self) -> int | None:
        """The account that the person has before the operation, or that it changes."""
        return self.prior.docebo_id if self.prior else self.docebo_id

    def left_alone(self, reason: str) -> "Operation":
        """Return the operation that leaves the person and the account of before alone instead, for this *reason*."""
        return Operation(
            slack_id=self.slack_id,
            slack_team=self.slack_team,
            slack_name=self.slack_name,
            kind=Kind.LEAVE,
            reason=reason,
            docebo_id=self.account_before,
        )


def leave_alone(
    user: SourceUser, team: str, reason: str, account: Account | None = None, *, docebo_id: int | None = None
) -> Operation:
    """Return the operation that leaves *user* of *team* alone, with the *reason*, and with their account if known."""
    return Operation(
        slack_id=user.slack_id,
        slack_team=team or user.team,  # some Enterprise users come without a workspace
        slack_name=user.handle,
        kind=Kind.LEAVE,
        reason=reason,
        docebo_id=account.docebo_id if account else docebo_id,
    )
