"""Next steps: what somebody can do about what a page shows, and the form in which it is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from slack_docebo.domain.texts import markdown


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, in words without a name in them; the form is that of *flow*, filled in with *values*."""

    words: str
    flow: str = ""  # "" where no form does it
    values: Mapping[str, object] = field(default_factory=dict)


Shown = Callable[[Step], str]
"""How a page shows a step: as Markdown that links to the form."""


def words_alone(step: Step) -> str:
    """Show *step* where there is no form to link to, as in a shell."""
    return markdown(step.words)
