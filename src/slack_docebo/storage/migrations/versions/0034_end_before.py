"""Which expiration date accounts had before we let them expire."""

import json
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0034"
down_revision: str | None = "0033"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"

SHUT = """
    SELECT platform.id, operation.docebo_id, CAST(operation.changes AS TEXT), CAST(operation.before AS TEXT)
    FROM operation
    JOIN plan ON plan.id = operation.plan_id
    JOIN platform ON platform.address = plan.docebo
    WHERE operation.kind = 'deactivate' AND operation.outcome = 'applied'
    ORDER BY operation.done_at
"""
KEEP = "UPDATE account SET end_before = :date WHERE platform_id = :platform AND user_id = :account"


def upgrade() -> None:
    """Go from the revision before to this one; so far only the journal knew the dates, as long as it is kept."""
    op.add_column("account", sa.Column("end_before", sa.Text(), nullable=True))
    connection = op.get_bind()
    for platform, account, changes, before in connection.execute(sa.text(SHUT)).all():
        is_end = "expiration_date" in json.loads(changes)
        date = json.loads(before).get("expiration_date", "") if is_end else None
        connection.execute(sa.text(KEEP), {"date": date, "platform": platform, "account": account})


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_column("account", "end_before")
