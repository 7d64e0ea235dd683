"""Formulas: how a rule makes a value of what Slack says.

A formula can be asked for its sources, so that only what is needed is read. Where one of them is not known, neither is
the result.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from slack_docebo.domain.lookup import LookupTable, NoValue
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.sources import said

NEEDS_QUOTES = frozenset(" \t=,;()")
Result = str | NoValue | None  # None: not known


class Formula(Protocol):
    """The right side of a rule; as text it is what was written."""

    @property
    def sources(self) -> tuple[str, ...]:
        """What is read of a person, each once."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the lookup tables that are used, each once."""

    def result(self, user: SourceUser) -> Result:
        """Return the value for *user*."""

    def with_sources(self, renamed: Callable[[str], str]) -> Self:
        """Return the same formula with other names of its sources, like ids in the place of labels."""

    def with_tables(self, tables: Mapping[str, LookupTable]) -> Self:
        """Return the same formula with those of *tables* that it uses."""


@dataclass(frozen=True, slots=True)
class OneSource:
    """What one source says, as it is."""

    source: str

    def __str__(self) -> str:
        return as_in_rules(self.source)

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def tables(self) -> tuple[str, ...]:
        return ()

    def result(self, user: SourceUser) -> Result:
        return said(user, self.source)

    def with_sources(self, renamed: Callable[[str], str]) -> Self:
        return replace(self, source=renamed(self.source))

    def with_tables(self, tables: Mapping[str, LookupTable]) -> Self:  # noqa: ARG002  (it has none)
        return self


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a lookup table has for what one source says: `table(branches, custom:Department)`."""

    name: str
    source: str
    table: LookupTable | None = field(default=None, compare=False)  # once it was read

    def __str__(self) -> str:
        return f"table({self.name}, {as_in_rules(self.source)})"

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def tables(self) -> tuple[str, ...]:
        return (self.name,)

    def result(self, user: SourceUser) -> Result:
        value = said(user, self.source)
        return None if value is None or self.table is None else self.table.find(value)

    def with_sources(self, renamed: Callable[[str], str]) -> Self:
        return replace(self, source=renamed(self.source))

    def with_tables(self, tables: Mapping[str, LookupTable]) -> Self:
        return replace(self, table=tables.get(self.name))


def as_in_rules(name: str) -> str:
    """Return *name* as it is written in a rule: a title or a label with a blank in it is quoted."""
    prefix, colon, rest = name.partition(":")
    return f'{prefix}{colon}"{rest}"' if not NEEDS_QUOTES.isdisjoint(rest) else name


TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")  # what may also be part of a Prefect Variable's name
