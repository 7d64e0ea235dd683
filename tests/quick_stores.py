"""Stores that cost a test less than an installation's: a process opens hundreds of them, each for a moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from sqlalchemy import create_engine
from sqlalchemy.sql.compiler import Compiled


class CompiledStatements(dict[tuple[Any, ...], Compiled]):
    """What SQLAlchemy keeps compiled statements in, by the name of the dialect: each engine has a dialect of its own."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Compiled) -> None:
        super().__setitem__((key[0].name, *key[1:]), compiled)


# To compile all of them anew would be a quarter of an integration test.
_OPTIONS = {"compiled_cache": CompiledStatements()}


@contextmanager
def quick_stores() -> Iterator[None]:
    """Let the stores that are opened within the block share what is compiled, and wait for no disk."""
    quick = {"create_engine": partial(create_engine, execution_options=_OPTIONS)}
    quick |= {"DURABLE": "OFF", "HASTY": "OFF"}  # what a test commits has to survive processes, and no power failure
    with patch.multiple("slack_docebo.storage.store", **quick):
        yield
