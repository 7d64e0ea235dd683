"""Which accounts may have been made, and are looked for no longer."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "doubtful_creation",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_doubtful_creation_plan", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", "seq", name="pk_doubtful_creation"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("doubtful_creation")
