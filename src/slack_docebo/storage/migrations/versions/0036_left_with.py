"""With which address people have left whose account bore another."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0036"
down_revision: str | None = "0035"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one; of those who have left so far the next import notes it."""
    op.add_column("identity", sa.Column("left_with", sa.Text(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_column("identity", "left_with")
