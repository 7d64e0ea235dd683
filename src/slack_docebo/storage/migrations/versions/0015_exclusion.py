"""Who was forgotten and is left alone, by digests."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "exclusion",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("person_key", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_exclusion"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("exclusion")
