"""What the tables hold about one person, whichever they are."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, exists, or_, select

from slack_docebo.domain.disputes import digest
from slack_docebo.storage.schema import (
    account,
    applied,
    exclusion,
    identity,
    manager,
    mapping,
    metadata,
    operation,
    person,
    possible_manager,
)

# Docebo's own message of a refusal may name anybody else; what it means is in `error`.
NOT_TOLD = frozenset({operation.c.said})


def rows_about(connection: Connection, slack_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Return, by table, the rows about the person with these Slack ids, and those of accounts given to the person."""
    keys = set(connection.scalars(select(identity.c.person_id).where(identity.c.slack_id.in_(slack_ids))))
    found: dict[str, list[dict[str, Any]]] = {}
    for table in metadata.sorted_tables:
        condition = _about(table, slack_ids, keys)
        if condition is not None:
            told = [column for column in table.c if column not in NOT_TOLD]
            rows = connection.execute(select(*told).where(condition).order_by(*table.primary_key)).mappings()
            found[table.name] = [dict(row) for row in rows]
    return {name: rows for name, rows in found.items() if rows}


def _about(table: Table, slack_ids: Collection[str], keys: Collection[int]) -> ColumnElement[bool] | None:
    if "slack_id" in table.c:
        return table.c.slack_id.in_(slack_ids)
    if "person_id" in table.c:
        return table.c.person_id.in_(keys)
    if table is person:
        return person.c.id.in_(keys)
    if table is exclusion:
        return exclusion.c.digest.in_(map(digest, slack_ids))
    if table in (account, manager, possible_manager):
        given = ((given.c.platform_id, given.c.user_id, given.c.person_id) for given in (mapping, applied))
        of_account = [
            exists().where(platform == table.c.platform_id, user == table.c.user_id, key.in_(keys))
            for platform, user, key in given
        ]
        return or_(*of_account)
    return None
