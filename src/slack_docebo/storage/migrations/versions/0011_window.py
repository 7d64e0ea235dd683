"""What was done lately is found without going through the whole journal."""

from collections.abc import Sequence

from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_index("ix_operation_done_at", "operation", ["done_at"])


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_index("ix_operation_done_at", "operation")
