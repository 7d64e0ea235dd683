"""The tables."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    select,
    text,
    union_all,
)

from slack_docebo.storage.column_types import FreeText, Instant

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


platform = Table(
    "platform",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("address", unique=True),  # base URL; "" until a run on a known address takes it for its own
    Column("linked_at", Instant),  # by a relink; the newest is the one of now
)

dialect = Table(
    "dialect",
    metadata,
    Column("platform_id", ForeignKey(platform.c.id, ondelete="CASCADE"), primary_key=True),
    _text("name", primary_key=True),  # of a question that Docebo's documentation leaves open
    _text("value"),
    _text("source"),  # what showed it
    Column("learned_at", Instant, nullable=False),
)

person = Table(
    "person",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("known_since", Instant, nullable=False),
)

identity = Table(
    "identity",
    metadata,
    _text("slack_team", primary_key=True),  # workspace or organisation
    _text("slack_id", primary_key=True),
    Column("person_id", ForeignKey(person.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("gone_since", Instant),  # when Slack first said, asked for this id, that it knows nobody under it
    # Digest of the address with which the person has left, where the account bore another; "" for none.
    _text("left_with", server_default=text("''")),
)

applied = Table(
    "applied",
    metadata,
    Column("platform_id", ForeignKey(platform.c.id, ondelete="CASCADE"), primary_key=True),
    Column("person_id", ForeignKey(person.c.id, ondelete="CASCADE"), primary_key=True, index=True),
    Column("user_id", BigInteger),  # the account it was applied to; none yet of somebody without one
    _text("fingerprint"),
    _text("echo"),
    Column("slack_updated", BigInteger, nullable=False),  # newest Slack `updated` applied, unix seconds
    Index(None, "platform_id", "user_id"),
)

account = Table(
    "account",
    metadata,
    Column("platform_id", ForeignKey(platform.c.id, ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    _text("username_digest"),  # as last seen, like the address; "" where not known
    _text("address_digest"),
    _text("level"),  # not kept, see decision 17
    Column("active", Boolean),  # as last written by us
    Column("verified_at", Instant),
    _text("verified_by"),  # what showed it: "written"
    Column("deactivated_at", Instant),  # by us, and not activated by us since
    _text("deactivated_by"),  # flow run
    Column("gone_since", Instant),
    Column("branch_placed", BigInteger),  # by us
    Column("expiry_set", Instant),  # not kept, see decision 17
    Column("manager_placed", BigInteger),  # of releases that knew no types: a later one takes it away
    Column("branch_left", BigInteger),  # from which we have moved somebody who has left
    Column("end_before", Text),  # the expiration date before we let it expire; "" for none
)

manager = Table(
    "manager",  # by us
    metadata,
    Column("platform_id", ForeignKey(platform.c.id, ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("type_id", BigInteger, primary_key=True, autoincrement=False),
    Column("manager_id", BigInteger, nullable=False),  # the manager's account, 0 where we have removed one, -1 in doubt
)

possible_manager = Table(
    "possible_manager",  # whom we may have set, of an account whose manager is in doubt
    metadata,
    Column("platform_id", ForeignKey(platform.c.id, ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("type_id", BigInteger, primary_key=True, autoincrement=False),
    Column("manager_id", BigInteger, primary_key=True, autoincrement=False),
)

mapping = Table(
    "mapping",
    metadata,
    Column("platform_id", ForeignKey(platform.c.id, ondelete="CASCADE"), primary_key=True),
    Column("person_id", ForeignKey(person.c.id, ondelete="CASCADE"), primary_key=True, index=True),
    _text("slack_team"),
    _text("slack_id"),
    Column("slack_name", FreeText, nullable=False),
    Column("user_id", BigInteger, nullable=False),  # the Docebo id
    Column("mapped_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("platform_id", "slack_team", "slack_id"),
    UniqueConstraint("platform_id", "slack_team", "user_id"),
)

plan = Table(
    "plan",
    metadata,
    _text("id", primary_key=True),
    _text("kind"),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    _text("flow_run"),
    _text("docebo"),
    _text("slack_team"),
    Column("slack_team_name", FreeText, nullable=False),
    _text("state"),
    Column("settings", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Index(None, "created_at"),
)

operation = Table(
    "operation",
    metadata,
    Column("plan_id", ForeignKey(plan.c.id, ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    _text("slack_id"),
    _text("slack_team"),
    Column("slack_name", FreeText, nullable=False),
    _text("kind"),
    _text("reason"),
    Column("docebo_id", BigInteger),
    Column("changes", JSON, nullable=False),
    Column("before", JSON, nullable=False),
    Column("maps", Boolean, nullable=False),
    _text("fingerprint"),
    _text("echo"),
    _text("outcome"),
    Column("error", FreeText, nullable=False),
    Column("done_at", Instant),
    _text("flow_run"),
    Column("prior", JSON(none_as_null=True)),  # the mapping that the operation replaces or removes
    Column(
        "deactivated", Boolean, nullable=False, server_default=false()
    ),  # the account is then inactive because of us
    Column("said", FreeText, nullable=False, server_default=text("''")),  # what Docebo said of it, in its own words
    _text("username_digest", server_default=text("''")),  # what the account bore when this was planned
    _text("address_digest", server_default=text("''")),  # likewise
    Index(None, "slack_id", "plan_id"),
    Index(None, "plan_id", "outcome", "kind", "seq"),
    Index(None, "done_at"),
)

intent = Table(
    "intent",  # operations that are about to be sent, or were, and whose outcome is not recorded
    metadata,
    Column("plan_id", ForeignKey(plan.c.id, ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    _text("flow_run"),
    Column("noted_at", Instant, nullable=False),
)

given_up = Table(
    "given_up",  # operations that may have been carried out, though no run looks any more
    metadata,
    Column("plan_id", ForeignKey(plan.c.id, ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("noted_at", Instant, nullable=False),  # when its last intent was
)
# What was sent without a known outcome, whether a run still looks or not.
sent = union_all(*(select(one.c.plan_id, one.c.seq, one.c.noted_at) for one in (intent, given_up))).subquery("sent")

halt = Table(
    "halt",  # while there is a row, nothing is written to that Docebo
    metadata,
    _text("docebo", primary_key=True),
    Column("since", Instant, nullable=False),
    Column("reason", FreeText, nullable=False),
)

setting_change = Table(
    "setting_change",  # what was changed with the form
    metadata,
    Column("changed_at", Instant, primary_key=True),
    _text("key", primary_key=True),
    Column("before", FreeText, nullable=False),
    Column("after", FreeText, nullable=False),
    Column("changed_by", FreeText, nullable=False),  # as somebody has typed it
    _text("run_id"),
)

decision = Table(
    "decision",  # about single people, by hand: never, or this account
    metadata,
    _text("slack_team", primary_key=True),
    _text("slack_id", primary_key=True),
    _text("verdict"),  # "leave it so" is of releases that know no acknowledgement beside it
    Column("why", FreeText, nullable=False),
    Column("decided_by", FreeText, nullable=False),  # as somebody has typed it
    Column("since", Instant, nullable=False),
    _text("reason"),  # of those releases, too
    Column("docebo_id", BigInteger),
)

acknowledgement = Table(
    "acknowledgement",  # by hand, that it may stay so about single people; stands beside a decision
    metadata,
    _text("slack_team", primary_key=True),
    _text("slack_id", primary_key=True),
    Column("why", FreeText, nullable=False),
    Column("decided_by", FreeText, nullable=False),
    Column("since", Instant, nullable=False),
    _text("reason"),  # for which the person was left alone, or had failed, when that was seen; one in each line
)

exclusion = Table(
    "exclusion",  # who was forgotten, and is left alone until somebody says otherwise
    metadata,
    _text("digest", primary_key=True),  # of a Slack id or an e-mail address
    Column("person_key", BigInteger, nullable=False),  # the same for all of one person
    Column("since", Instant, nullable=False),
)

person_name = Table(
    "person_name",  # kept only while PEOPLE_SHOWN is `names`
    metadata,
    _text("slack_team", primary_key=True),
    _text("slack_id", primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("email", FreeText, nullable=False),
)

profile = Table(
    "profile",  # the mapped custom fields of each person, as Slack told them last
    metadata,
    _text("slack_team", primary_key=True),
    _text("slack_id", primary_key=True),
    Column("fields", JSON, nullable=False),  # id of the field -> value
    Column("updated", BigInteger, nullable=False),  # Slack's stamp of the profile in the list then, unix seconds
    Column("read_at", Instant, nullable=False),
)

leaver = Table(
    "leaver",  # with a mapping, and not acted on yet
    metadata,
    _text("slack_team", primary_key=True),
    _text("slack_id", primary_key=True),
    Column("since", Instant, nullable=False),  # when first seen as such
)

standing = Table(
    "standing",
    metadata,
    _text("slack_id", primary_key=True),
    _text("slack_team", primary_key=True),
    _text("docebo", primary_key=True),  # base URL
    Column("since", Instant, primary_key=True),
    Column("until", Instant),  # none: it holds
    _text("reason"),
    Column("docebo_id", BigInteger),
    _text("plan_id"),  # in which it was first told; the plan may be purged by now
)
proven_read = Table(
    "proven_read",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("source"),
    Column("people", Integer, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("proven_at", Instant, nullable=False),
    _text("flow_run"),
    Column("listed", LargeBinary),  # ids, packed; of the latest read of a source alone
    Index(None, "source", "id"),
)

page_limit = Table(
    "page_limit",
    metadata,
    _text("source", primary_key=True),  # named as in `proven_read`
    Column("people", Integer, nullable=False),  # the most that it could give on a page
    Column("learned_at", Instant, nullable=False),
)

milestone = Table(
    "milestone",
    metadata,
    _text("docebo", primary_key=True),
    _text("name", primary_key=True),  # what has to happen again and again
    Column("reached_at", Instant, nullable=False),
)

workspace_link = Table(
    "workspace_link",
    metadata,
    _text("docebo", primary_key=True),
    _text("slack_team"),
    Column("slack_team_name", FreeText, nullable=False),
    Column("pinned_at", Instant, nullable=False),
)

batch_gate = Table(
    "batch_gate",
    metadata,
    _text("docebo", primary_key=True),
    _text("holder"),
    Column("busy_since", Instant),
)

call_budget = Table(
    "call_budget",
    metadata,
    _text("docebo", primary_key=True),
    Column("arrival", Double, nullable=False),  # unix seconds: the theoretical arrival time of a GCRA
)

lease = Table(
    "lease",
    metadata,
    _text("name", primary_key=True),  # of the lock
    Column("number", BigInteger, nullable=False),  # grows by one each time the lock is taken
    Column("holder", FreeText, nullable=False),  # who took it last: the name of a run or command
    _text("host"),
    Column("pid", BigInteger, nullable=False),
    Column("since", Instant, nullable=False),
)

inbox_event = Table(
    "inbox_event",
    metadata,
    _text("event_id", primary_key=True),
    _text("slack_team"),
    _text("slack_id"),
    Column("updated", BigInteger, nullable=False),  # Slack's own stamp of the profile, unix seconds
    _text("kind"),
    Column("received_at", Instant, nullable=False),
    Column("profile", JSON(none_as_null=True)),  # the fields the rules look at, never the event as it came
    _text("state"),
    Column("due_at", Instant, nullable=False),  # waiting: not before; claimed: the claim lapses
    _text("claimed_by"),
    Column("attempts", Integer, nullable=False),
    Column("error", FreeText, nullable=False),
    Column("done_at", Instant),
    _text("incident", server_default=text("''")),  # the refused plan whose limit it waits, or waited, for
    Index(None, "state", "due_at"),
    Index(None, "slack_id", "updated"),
)

refusal = Table(
    "refusal",  # in a row, since the webhook has taken something
    metadata,
    _text("kind", primary_key=True),
    Column("since", Instant, nullable=False),
    Column("number", Integer, nullable=False),
)

person_share = Table(
    "person_share",
    metadata,
    _text("slack_id", primary_key=True),
    Column("arrival", Double, nullable=False),  # unix seconds: the theoretical arrival time of a GCRA
)

wake_up = Table(
    "wake_up",
    metadata,
    _text("name", primary_key=True),
    Column("wanted_at", Instant),  # when an event came that no run has looked for yet
    Column("asked_at", Instant),  # when a run was last asked for because of it
    Column("quiet_until", Instant),  # a run is at work and will look by itself, or one has just failed
)

schema_contract = Table(
    "schema_contract",
    metadata,
    _text("oldest", primary_key=True),  # one row: the oldest revision whose code can work on these tables
)
