"""Whom accounts may have as managers whose manager is in doubt."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0032"
down_revision: str | None = "0031"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one.

    Of accounts that are in doubt already nobody kept whom they may have.
    """
    op.create_table(
        "possible_manager",
        sa.Column("platform_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("manager_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["platform_id"], ["platform.id"], name="fk_possible_manager_platform", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("platform_id", "user_id", "type_id", "manager_id", name="pk_possible_manager"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("possible_manager")
