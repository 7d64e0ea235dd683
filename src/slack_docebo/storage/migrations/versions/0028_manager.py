"""Whose manager of which type we have set."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one.

    Of which type the managers in `account` are, nobody kept: each is written once more, which changes nothing.
    """
    op.create_table(
        "manager",
        sa.Column("platform_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("type_id", sa.BigInteger(), nullable=False),
        sa.Column("manager_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["platform_id"], ["platform.id"], name="fk_manager_platform", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("platform_id", "user_id", "type_id", name="pk_manager"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("manager")
