"""What is known to be gone from Slack, and how a platform answers."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.add_column("identity", sa.Column("gone_since", sa.DateTime(timezone=True)))
    op.create_table(
        "dialect",
        sa.Column("platform_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["platform_id"], ["platform.id"], name="fk_dialect_platform", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("platform_id", "name", name="pk_dialect"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("dialect")
    with op.batch_alter_table("identity") as identity:
        identity.drop_column("gone_since")
