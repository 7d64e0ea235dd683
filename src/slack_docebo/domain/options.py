"""The options of an additional field that is a dropdown: Docebo holds their ids, people know their labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from slack_docebo.domain.names import clean, folded


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one field."""

    labels: Mapping[str, str]  # by id
    ids: Mapping[str, str]  # by label, folded, in every language of the platform

    @classmethod
    def of(cls, labels: Mapping[str, str], translated: Iterable[tuple[str, str]] = ()) -> Self:
        """Return the options with these *labels* by id; *translated* are ids with labels in further languages."""
        return cls(labels, {folded(clean(label)): option for option, label in (*translated, *labels.items()) if label})

    def label(self, shown: str) -> str:
        """Return the label of an option that is *shown* by its id; any other text as it is."""
        return self.labels.get(shown, shown)

    def id(self, value: str) -> str:
        """Return the id of the option with this label in any language, or with this id; "" where there is none."""
        return self.ids.get(folded(clean(value)), value if value in self.labels else "")

    def named(self, value: str) -> str | None:
        """Return the label of the option with this label in any language, or with this id; None where there is none."""
        return self.labels.get(self.id(value))
