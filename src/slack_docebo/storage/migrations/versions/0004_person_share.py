"""How much of their share of looks people have spent."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "person_share",
        sa.Column("slack_id", sa.Text(), nullable=False),
        sa.Column("arrival", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("slack_id", name="pk_person_share"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("person_share")
