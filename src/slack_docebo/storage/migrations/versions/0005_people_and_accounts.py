"""People, what was applied of them, and accounts, each in a table of its own."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# Which Docebo a workspace's mappings are of: the one that its newest plan with applied operations names, else the one
# it is linked to, else the one without an address, which the first run takes for its own.
DOCEBO_OF_TEAM = """
    CREATE TEMPORARY TABLE docebo_of_team AS
    SELECT teams.slack_team, COALESCE(
        (SELECT plan.docebo FROM plan
            WHERE plan.slack_team = teams.slack_team AND EXISTS (
                SELECT 1 FROM operation WHERE operation.plan_id = plan.id AND operation.outcome = 'applied'
            )
            ORDER BY plan.created_at DESC, plan.id LIMIT 1),
        (SELECT workspace_link.docebo FROM workspace_link
            WHERE workspace_link.slack_team = teams.slack_team
            ORDER BY workspace_link.pinned_at DESC, workspace_link.docebo LIMIT 1),
        ''
    ) AS docebo
    FROM (SELECT DISTINCT slack_team FROM slack_user) AS teams
"""
NUMBERED = """
    CREATE TEMPORARY TABLE numbered AS
    SELECT slack_user.*, platform.id AS platform_id,
        ROW_NUMBER() OVER (ORDER BY slack_user.slack_team, slack_user.slack_id) AS person_id
    FROM slack_user
    JOIN docebo_of_team ON docebo_of_team.slack_team = slack_user.slack_team
    JOIN platform ON platform.address = docebo_of_team.docebo
"""
KEPT = (
    DOCEBO_OF_TEAM,
    "INSERT INTO platform (address) SELECT DISTINCT docebo FROM docebo_of_team",
    NUMBERED,
    "INSERT INTO person (id, known_since) SELECT person_id, mapped_at FROM numbered",
    "INSERT INTO identity (slack_team, slack_id, person_id) SELECT slack_team, slack_id, person_id FROM numbered",
    """INSERT INTO applied (platform_id, person_id, user_id, fingerprint, echo, slack_updated)
        SELECT platform_id, person_id, user_id,
            CASE WHEN fingerprint = 'deactivated' THEN '' ELSE fingerprint END, echo, slack_updated FROM numbered""",
    """INSERT INTO mapping
            (platform_id, person_id, slack_team, slack_id, slack_name, user_id, mapped_at, changed_at)
        SELECT platform_id, person_id, slack_team, slack_id, slack_name, user_id, mapped_at, changed_at FROM numbered""",
    """INSERT INTO account (platform_id, user_id, username_digest, address_digest, level, verified_by,
            deactivated_at, deactivated_by)
        SELECT platform_id, user_id, '', '', '', '', changed_at, COALESCE((
            SELECT operation.flow_run FROM operation
            WHERE operation.slack_id = numbered.slack_id AND operation.docebo_id = numbered.user_id
                AND operation.fingerprint = 'deactivated' AND operation.outcome = 'applied'
            ORDER BY operation.done_at DESC LIMIT 1
        ), '')
        FROM numbered WHERE fingerprint = 'deactivated' ON CONFLICT DO NOTHING""",
    "DROP TABLE numbered",
    "DROP TABLE docebo_of_team",
    "DROP TABLE slack_user",
)
DEACTIVATING = "UPDATE operation SET fingerprint = '', deactivated = true WHERE fingerprint = 'deactivated'"
PRIOR = {
    "sqlite": """
        UPDATE operation SET prior = json_set(prior, '$.fingerprint', '', '$.deactivated', json('true'))
        WHERE prior IS NOT NULL AND json_extract(prior, '$.fingerprint') = 'deactivated'""",
    "postgresql": """
        UPDATE operation SET prior = (prior::jsonb || '{"fingerprint": "", "deactivated": true}'::jsonb)::json
        WHERE prior IS NOT NULL AND prior ->> 'fingerprint' = 'deactivated'""",
}
VIEW = "CREATE VIEW slack_user AS SELECT slack_id, slack_name, slack_team, user_id FROM mapping"


def upgrade() -> None:
    """Go from the revision before to this one."""
    op.create_table(
        "platform",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_platform"),
        sa.UniqueConstraint("address", name="uq_platform_address"),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("known_since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
    )
    op.create_table(
        "identity",
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_id", sa.Text(), nullable=False),
        _person("identity"),
        sa.PrimaryKeyConstraint("slack_team", "slack_id", name="pk_identity"),
    )
    op.create_table(
        "applied",
        _platform("applied"),
        _person("applied"),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("echo", sa.Text(), nullable=False),
        sa.Column("slack_updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("platform_id", "person_id", name="pk_applied"),
    )
    op.create_table(
        "account",
        _platform("account"),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("username_digest", sa.Text(), nullable=False),
        sa.Column("address_digest", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_by", sa.Text(), nullable=False),
        sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deactivated_by", sa.Text(), nullable=False),
        sa.Column("gone_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("branch_placed", sa.BigInteger(), nullable=True),
        sa.Column("expiry_set", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("platform_id", "user_id", name="pk_account"),
    )
    op.create_table(
        "mapping",
        _platform("mapping"),
        _person("mapping"),
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_id", sa.Text(), nullable=False),
        sa.Column("slack_name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("mapped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("platform_id", "person_id", name="pk_mapping"),
        sa.UniqueConstraint("platform_id", "slack_team", "slack_id", name="uq_mapping_platform_id_slack_team_slack_id"),
        sa.UniqueConstraint("platform_id", "slack_team", "user_id", name="uq_mapping_platform_id_slack_team_user_id"),
    )
    op.add_column("operation", sa.Column("deactivated", sa.Boolean(), server_default=sa.false(), nullable=False))
    for statement in KEPT:
        op.execute(statement)
    op.execute(DEACTIVATING)
    op.execute(PRIOR[op.get_context().dialect.name])
    for table in ("identity", "applied", "mapping"):
        op.create_index(f"ix_{table}_person_id", table, ["person_id"])
    op.execute(VIEW)


def downgrade() -> None:
    """Go back to the revision before. Of somebody mapped on several platforms, one mapping is kept."""
    op.execute("DROP VIEW slack_user")
    op.create_table(
        "slack_user",
        sa.Column("slack_team", sa.Text(), nullable=False),
        sa.Column("slack_id", sa.Text(), nullable=False),
        sa.Column("slack_name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("echo", sa.Text(), nullable=False),
        sa.Column("slack_updated", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("mapped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("slack_team", "slack_id", name="pk_slack_user"),
        sa.UniqueConstraint("slack_team", "user_id", name="uq_slack_user_slack_team_user_id"),
    )
    op.execute(
        """
        INSERT INTO slack_user
        SELECT mapping.slack_team, mapping.slack_id, mapping.slack_name, mapping.user_id,
            CASE WHEN account.deactivated_at IS NOT NULL THEN 'deactivated'
                WHEN applied.user_id = mapping.user_id THEN applied.fingerprint ELSE '' END,
            CASE WHEN applied.user_id = mapping.user_id THEN applied.echo ELSE '' END,
            COALESCE(applied.slack_updated, 0), mapping.mapped_at, mapping.changed_at
        FROM mapping
        LEFT JOIN applied
            ON applied.platform_id = mapping.platform_id AND applied.person_id = mapping.person_id
        LEFT JOIN account ON account.platform_id = mapping.platform_id AND account.user_id = mapping.user_id
        WHERE true ON CONFLICT DO NOTHING
        """
    )
    op.execute("UPDATE operation SET fingerprint = 'deactivated' WHERE deactivated")
    with op.batch_alter_table("operation") as operation:
        operation.drop_column("deactivated")
    for table in ("mapping", "account", "applied", "identity", "person", "platform"):
        op.drop_table(table)


def _platform(table: str) -> sa.Column[int]:
    key = sa.ForeignKey("platform.id", name=f"fk_{table}_platform", ondelete="CASCADE")
    return sa.Column("platform_id", sa.Integer(), key, nullable=False)


def _person(table: str) -> sa.Column[int]:
    key = sa.ForeignKey("person.id", name=f"fk_{table}_person", ondelete="CASCADE")
    return sa.Column("person_id", sa.BigInteger(), key, nullable=False)
