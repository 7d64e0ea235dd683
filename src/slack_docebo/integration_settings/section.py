"""A section of the table: rows about one subject."""

from typing import Self

from pydantic import BaseModel, ConfigDict

LARGEST_NUMBER = 10**9


class Section(BaseModel):
    """Rows about one subject, and what is known besides them; `IntegrationSettings` has those of all sections."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=str.upper,
        hide_input_in_errors=True,
        defer_build=True,  # only the whole table is ever validated
    )

    def _knowing(self, **known: object) -> Self:
        """Return these settings, to which something is *known* besides the rows of the table."""
        copy = self.model_copy()
        for name, value in known.items():
            setattr(copy, name, value)
        return copy
