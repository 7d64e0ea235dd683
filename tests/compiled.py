"""Statements that are compiled once for all databases of a process, as an installation does in its one."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from sqlalchemy import create_engine
from sqlalchemy.sql.compiler import Compiled


class CompiledStatements(dict[tuple[Any, ...], Compiled]):
    """What SQLAlchemy keeps compiled statements in, for all engines: by the name of the dialect, not the engine's own."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Compiled) -> None:
        super().__setitem__((key[0].name, *key[1:]), compiled)


_compiled = CompiledStatements()


@contextmanager
def statements_compiled_once() -> Iterator[None]:
    """Let all stores share what is compiled: tests open one each, and would spend a sixth of their time on it."""
    engine = partial(create_engine, execution_options={"compiled_cache": _compiled})
    with patch("slack_docebo.storage.store.create_engine", engine):
        yield
