"""What Docebo said of an operation, in its own words, apart from what may be shown."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.add_column("operation", sa.Column("said", sa.Text(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_column("operation", "said")
