"""Alembic migrations of the store."""

HEAD = "0013"
