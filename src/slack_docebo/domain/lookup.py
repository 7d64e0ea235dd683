"""Lookup tables: what stands for a value of Slack's, like the code of a branch for a department."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from slack_docebo.domain.names import as_compared, clean

EVERYTHING_ELSE = "*"  # the value of the default row


@dataclass(frozen=True, slots=True)
class NoValue:
    """The result where there is nothing for a value of Slack's, like no row in a table."""

    value: str
    why: str


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table of two columns; its values are found in whatever case they are written."""

    name: str
    rows: Mapping[str, str]  # by value, as labels are compared
    default: str | None = None
    heading: str = ""  # likewise: the name of the first column, which is a value where somebody has left the names out

    @classmethod
    def of(cls, name: str, rows: Iterable[tuple[str, str]], *, heading: str = "") -> Self:
        """Return the table with these *rows* below the *heading*, if it has one; raise ValueError where one value has two.

        A value may be somebody's address or name, and what is wrong is mailed: so rows are named by their places.
        """
        found: dict[str, str] = {}
        places: dict[str, int] = {}
        for place, (value, stands_for) in enumerate(rows, 1):
            if (key := as_compared(value)) in found:
                raise ValueError(f"entry {place} is for the same value as entry {places[key]}")
            found[key], places[key] = clean(stands_for), place
        default = found.pop(EVERYTHING_ELSE, None)
        return cls(name, found, default, as_compared(heading))

    def has_row(self, value: str) -> bool:
        """Tell whether there is a row for this very *value*."""
        return as_compared(value) in self.rows

    def find(self, value: str) -> str | NoValue:
        """Return what stands for *value*: its row, else the default row; an empty value without a row stays empty.

        Nothing stands for a value that is the heading of its column: it is most likely a row that was meant.
        """
        key = as_compared(value)
        if key and key == self.heading and key not in self.rows:
            return NoValue(
                value,
                f"the first line of table {self.name} is taken for the names of its columns: put a line with names above it",
            )
        found = self.rows.get(key, self.default)
        if found is not None:
            return found
        return NoValue(value, f"table {self.name} has no row for it") if value else ""
