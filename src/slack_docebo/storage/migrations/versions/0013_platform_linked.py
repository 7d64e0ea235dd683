"""Which Docebo the database is linked to, where it knows several."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.add_column("platform", sa.Column("linked_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Go back to the revision before."""
    with op.batch_alter_table("platform") as platform:
        platform.drop_column("linked_at")
