"""The mapping that an operation replaces or removes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.add_column("operation", sa.Column("prior", sa.JSON()))


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_column("operation", "prior")
