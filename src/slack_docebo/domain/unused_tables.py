"""Lookup tables of which no row fits anybody: written for another field, or with other words than people have in Slack.

With a row for everything else nothing is amiss with any person, and everybody gets that one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from slack_docebo.domain.formulas import Formula
from slack_docebo.domain.lookup import LookupTable, NoValue
from slack_docebo.domain.people import SourceUser


@dataclass(frozen=True, slots=True)
class _Watched(LookupTable):
    """A table that notes whether it was asked for a value, and whether it has had a row for one."""

    noted: set[bool] = field(default_factory=set, compare=False)

    def find(self, value: str) -> str | NoValue:
        if value:
            self.noted.add(self.has_row(value))
        return LookupTable.find(self, value)


class UnusedTables:
    """Looks people's values up as they are read; *tables* are those of the *formulas*."""

    def __init__(self, formulas: Iterable[Formula], tables: Mapping[str, LookupTable]) -> None:
        self._tables = {name: _Watched(name, one.rows, one.default, one.heading) for name, one in tables.items()}
        self._formulas = [one.with_tables(self._tables) for one in formulas if one.tables]

    @property
    def looks(self) -> bool:
        """Whether there is a table without any row that has fitted somebody so far."""
        return bool(self._formulas)

    def see(self, users: Iterable[SourceUser]) -> None:
        """Look at some of the people in scope, until a row of each table has fitted somebody."""
        for user in users:
            for formula in self._formulas:
                formula.result(user)
            self._formulas = [one for one in self._formulas if any(self._is_unused(name) for name in one.tables)]
            if not self._formulas:
                return

    @property
    def remarks(self) -> list[str]:
        """A sentence for each table that was asked for somebody's value and has had a row for none."""
        return [
            f"table {name}: none of its rows fits what anybody in scope has in Slack: see whether the rule reads the right"
            " field, and how the values are written there"
            for name, table in self._tables.items()
            if table.noted == {False}
        ]

    def _is_unused(self, name: str) -> bool:
        return name in self._tables and True not in self._tables[name].noted
