"""Which ids a proven read has listed, so that those who are missing from the next one can be asked for."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.add_column("proven_read", sa.Column("listed", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_column("proven_read", "listed")
