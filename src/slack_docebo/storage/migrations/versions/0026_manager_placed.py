"""Whose manager we have set."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.add_column("account", sa.Column("manager_placed", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_column("account", "manager_placed")
