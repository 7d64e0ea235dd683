"""Which operations may have been carried out, of any kind and since when, though no run looks any more."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0035"
down_revision: str | None = "0034"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"

MOVE = """
    INSERT INTO given_up (plan_id, seq, noted_at)
    SELECT doubtful_creation.plan_id, doubtful_creation.seq, plan.created_at
    FROM doubtful_creation
    JOIN plan ON plan.id = doubtful_creation.plan_id
"""
MOVE_BACK = """
    INSERT INTO doubtful_creation (plan_id, seq)
    SELECT given_up.plan_id, given_up.seq
    FROM given_up
    JOIN operation ON operation.plan_id = given_up.plan_id AND operation.seq = given_up.seq
    WHERE operation.kind = 'create'
"""


def upgrade() -> None:
    """Go from the revision before to this one; so far creations alone were kept, without their time."""
    op.create_table(
        "given_up",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_given_up_plan", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", "seq", name="pk_given_up"),
    )
    op.execute(MOVE)
    op.drop_table("doubtful_creation")


def downgrade() -> None:
    """Go back to the revision before."""
    op.create_table(
        "doubtful_creation",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_doubtful_creation_plan", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", "seq", name="pk_doubtful_creation"),
    )
    op.execute(MOVE_BACK)
    op.drop_table("given_up")
