"""First tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "slack_user",
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_id", sa.Text(), nullable=False),
        sa.Column("slack_name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("echo", sa.Text(), nullable=False),
        sa.Column("slack_updated", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("mapped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("slack_team", "slack_id", name="pk_slack_user"),
        sa.UniqueConstraint("slack_team", "user_id", name="uq_slack_user_slack_team_user_id"),
    )
    op.create_table(
        "plan",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("flow_run", sa.Text(), nullable=False),
        sa.Column("docebo", sa.Text(), nullable=False),
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_team_name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plan"),
    )
    op.create_index("ix_plan_created_at", "plan", ["created_at"])
    op.create_table(
        "operation",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slack_id", sa.Text(), nullable=False),
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("docebo_id", sa.BigInteger()),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("maps", sa.Boolean(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("echo", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("flow_run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "seq", name="pk_operation"),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_operation_plan", ondelete="CASCADE"),
    )
    op.create_index("ix_operation_slack_id_plan_id", "operation", ["slack_id", "plan_id"])
    op.create_index("ix_operation_plan_id_outcome_kind_seq", "operation", ["plan_id", "outcome", "kind", "seq"])
    op.create_table(
        "proven_read",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("proven_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("flow_run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_proven_read"),
    )
    op.create_index("ix_proven_read_source_id", "proven_read", ["source", "id"])
    op.create_table(
        "workspace_link",
        sa.Column("docebo", sa.Text(), nullable=False),
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_team_name", sa.Text(), nullable=False),
        sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("docebo", name="pk_workspace_link"),
    )
    op.create_table(
        "batch_gate",
        sa.Column("docebo", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("busy_since", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("docebo", name="pk_batch_gate"),
    )
    op.create_table(
        "call_budget",
        sa.Column("docebo", sa.Text(), nullable=False),
        sa.Column("arrival", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("docebo", name="pk_call_budget"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("call_budget")
    op.drop_table("batch_gate")
    op.drop_table("workspace_link")
    op.drop_table("proven_read")
    op.drop_table("operation")
    op.drop_table("plan")
    op.drop_table("slack_user")
