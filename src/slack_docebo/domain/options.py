"""The values that an attribute can hold: Docebo stores the ids of a dropdown's options, people know the labels."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from slack_docebo.domain.branches import Branches
from slack_docebo.domain.names import as_compared

NO_DAY = "0000-00-00"
_OTHERWISE = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?!\d)", re.ASCII)
_DAY = re.compile(r"\s*(\d{4}-\d\d-\d\d)(?:[T\s]|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one field."""

    labels: Mapping[str, str]  # by id
    ids: Mapping[str, str]  # by label, as labels are compared, in every language of the platform
    unset: str | None = None  # what is shown in the place of an option where none is chosen, if not ""
    unclear: frozenset[str] = frozenset()  # ids of options whose id is the label of another one, or the other way round

    @classmethod
    def of(cls, labels: Mapping[str, str], translated: Iterable[tuple[str, str]] = ()) -> Self:
        """Return the options with these *labels* by id; *translated* are ids with labels in further languages.

        An option without a label in *labels* has the first of *translated*. Where labels are numbers, one can be the id of
        another option: nobody can tell which of the two Docebo shows, nor which it takes, so neither is read or written.
        """
        by_id, by_label = dict[str, str](), dict[str, str]()
        all_of_them = [(option, label) for option, label in (*labels.items(), *translated) if label]
        for option, label in all_of_them:
            by_id.setdefault(option, label)
            by_label.setdefault(as_compared(label), option)
        ids = {as_compared(option): option for option in by_id}
        twins = [(option, ids.get(as_compared(label), option)) for option, label in all_of_them]
        return cls(by_id, by_label, unclear=frozenset(one for pair in twins if len(set(pair)) > 1 for one in pair))

    def label(self, shown: str) -> str:
        """Return the label of the option *shown* by its id or a label in any language; any other text unchanged."""
        if shown == self.unset:
            return ""
        if shown in self.unclear:
            return shown
        return self.labels.get(shown) or self.labels.get(self.id(shown), shown)

    def id(self, value: str) -> str:
        """Return the id of the option with this label in any language, or this id; "" if none, or unclear."""
        return "" if self.is_unclear(value) else self._id(value)

    def named(self, value: str) -> str | None:
        """Return the label of the option with this label in any language, or with this id; None where there is none."""
        return self.labels.get(self.id(value))

    def is_unclear(self, value: str) -> bool:
        """Tell whether Docebo may take the value for another option than the one meant."""
        return self._id(value) in self.unclear

    def _id(self, value: str) -> str:
        return self.ids.get(as_compared(value), value if value in self.labels else "")


@dataclass(frozen=True, slots=True)
class Dates:
    """The values of a field that holds a day, in Docebo's form: 2026-05-31."""

    def label(self, shown: str) -> str:
        """Return the day that is *shown*, with or without a time of day; "" for the one by which databases show none."""
        return "" if shown[:10] == NO_DAY else shown[:10]

    def id(self, value: str) -> str:
        """Return the day that is *value*, with or without a time of day; "" where it is none, a week for example."""
        found = _DAY.match(value)
        try:
            return date.fromisoformat(found[1]).isoformat() if found else ""
        except ValueError:
            return ""

    def named(self, value: str) -> str | None:
        """Return *value* in Docebo's form; None where it is no day."""
        return self.id(value) or None


def is_day_written_otherwise(sent: str, shown: str) -> bool:
    """Tell whether *shown* is the day that was *sent* as 2026-05-31, in a form like 31/05/2026 or 05/31/2026."""
    found = _OTHERWISE.match(shown)
    if not found or Dates().id(sent) != sent:
        return False
    year, month, day = map(int, sent.split("-"))
    first, second, last = map(int, found.groups())
    return last == year and sorted((first, second)) == sorted((month, day))


Values = Options | Dates | Branches  # that one attribute can hold


# Docebo's numbers, as a client sends and reads them, 0 for neither; its CSV import takes the words, and 0 for no, too.
YES_OR_NO = replace(
    Options.of(
        {"1": "yes", "2": "no"},
        [*(("1", word) for word in ("true", "on")), *(("2", word) for word in ("false", "off", "0"))],
    ),
    unset="0",
)
