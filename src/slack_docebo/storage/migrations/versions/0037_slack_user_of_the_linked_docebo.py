"""The view `slack_user` shows the mappings of the Docebo that the database is linked to, and no others."""

from collections.abc import Sequence

from alembic import op

revision: str = "0037"
down_revision: str | None = "0036"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None
oldest: str = "0008"

OF_ALL = "CREATE VIEW slack_user AS SELECT slack_id, slack_name, slack_team, user_id FROM mapping"
# As the rules of the repository say: by the newest relink; without one there is but one platform.
OF_THE_LINKED = """
    CREATE VIEW slack_user AS SELECT slack_id, slack_name, slack_team, user_id FROM mapping WHERE platform_id = COALESCE(
        (SELECT id FROM platform WHERE linked_at IS NOT NULL ORDER BY linked_at DESC, id DESC LIMIT 1),
        platform_id
    )
"""


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.execute("DROP VIEW slack_user")
    op.execute(OF_THE_LINKED)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute("DROP VIEW slack_user")
    op.execute(OF_ALL)
