"""Since when people with a mapping have been seen to have left."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "leaver",
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_id", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("slack_team", "slack_id", name="pk_leaver"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("leaver")
