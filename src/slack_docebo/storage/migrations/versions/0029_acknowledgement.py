"""What somebody has acknowledged about single people, beside what else was decided about them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one.

    Former code, which may still be at work, keeps what is acknowledged in `decision`: this one reads both.
    """
    op.create_table(
        "acknowledgement",
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_id", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("slack_team", "slack_id", name="pk_acknowledgement"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("acknowledgement")
