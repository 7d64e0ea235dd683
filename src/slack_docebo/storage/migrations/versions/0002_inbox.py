"""The inbox of Slack events and the wake-up."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "inbox_event",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_id", sa.Text(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("profile", sa.JSON()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("event_id", name="pk_inbox_event"),
    )
    op.create_index("ix_inbox_event_state_due_at", "inbox_event", ["state", "due_at"])
    op.create_index("ix_inbox_event_slack_id_updated", "inbox_event", ["slack_id", "updated"])
    op.create_table(
        "wake_up",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("wanted_at", sa.DateTime(timezone=True)),
        sa.Column("asked_at", sa.DateTime(timezone=True)),
        sa.Column("quiet_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("name", name="pk_wake_up"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("wake_up")
    op.drop_table("inbox_event")
