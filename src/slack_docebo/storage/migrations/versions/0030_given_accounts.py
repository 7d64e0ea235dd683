"""To whom accounts were given, found by the account."""

from collections.abc import Sequence

from alembic import op

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"

NAME = "ix_applied_platform_id_user_id"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_index(NAME, "applied", ["platform_id", "user_id"])


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_index(NAME, "applied")
