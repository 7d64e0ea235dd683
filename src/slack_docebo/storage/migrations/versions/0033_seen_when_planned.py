"""What accounts bore when an operation on them was planned."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0033"
down_revision: str | None = "0032"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one; of plans that are saved already nobody kept it."""
    for name in ("username_digest", "address_digest"):
        op.add_column("operation", sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    """Go back to the revision before."""
    for name in ("username_digest", "address_digest"):
        op.drop_column("operation", name)
