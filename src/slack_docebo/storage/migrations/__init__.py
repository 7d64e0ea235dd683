"""Alembic migrations of the store."""

HEAD = "0037"  # the newest revision in versions/; kept here so that opening an up-to-date database needs no Alembic
