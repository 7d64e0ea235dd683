"""Handovers: what becomes doubtful of an account when it passes to somebody else."""

from collections.abc import Collection

from sqlalchemy import Connection

from slack_docebo.storage.managers import ManagerRepository
from slack_docebo.storage.placements import PlacementRepository
from slack_docebo.storage.platforms import PlatformRepository


def doubt_given(
    connection: Connection, platforms: PlatformRepository, docebo: str, docebo_ids: Collection[int]
) -> None:
    """Note that branch and manager of these accounts are in doubt: what we gave was for the former owner."""
    PlacementRepository(connection, platforms, docebo).doubt(docebo_ids)
    ManagerRepository(connection, platforms, docebo).doubt_all_of(docebo_ids)
