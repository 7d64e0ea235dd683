"""Which releases can work on these tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"  # the first code that asks


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "schema_contract",
        sa.Column("oldest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("oldest", name="pk_schema_contract"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("schema_contract")
