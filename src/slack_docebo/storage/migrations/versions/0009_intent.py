"""What is about to be sent, and the order to stand still."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "intent",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("flow_run", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_intent_plan", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", "seq", name="pk_intent"),
    )
    op.create_table(
        "halt",
        sa.Column("docebo", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("docebo", name="pk_halt"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("halt")
    op.drop_table("intent")
