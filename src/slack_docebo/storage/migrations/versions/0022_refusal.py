"""What the webhook has refused in a row."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "refusal",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_refusal"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("refusal")
