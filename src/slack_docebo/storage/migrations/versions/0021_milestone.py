"""When what has to happen again and again last did."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "milestone",
        sa.Column("docebo", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("docebo", "name", name="pk_milestone"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("milestone")
