"""Dialect: how one Docebo behaves where the documentation leaves it open, and how we know."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

# Of a batch call: what Docebo's own jobs send in one (its API description of 2017); no number is documented.
MOST_ROWS = 100


class LanguageForm(StrEnum):
    """How a language is written in the rows of a batch."""

    CODE = "code"  # the browser's, like "en", which Docebo documents for single calls
    NAME = "name"  # Docebo's own, like "english"


@dataclass(frozen=True, slots=True)
class Question:
    """What the documentation leaves open: what we do until an answer was learned, and what shows it."""

    name: str
    assumed: str
    shown_by: str


MISSING_ACCOUNT = Question(
    "missing account", "", "the HTTP status of the answer for the id of an account that is known to be gone"
)
ROWS_PER_CALL = Question(
    "rows per call", str(MOST_ROWS), "a large call that is refused as a whole, and whose parts are taken"
)
LANGUAGE_FORM = Question(
    "language in rows", LanguageForm.CODE, "a row that is refused with the one form and taken with the other"
)
PROVEN = Question("proven rows", "", "a row that is sent alone, and what its account shows afterwards")
QUESTIONS = (MISSING_ACCOUNT, ROWS_PER_CALL, LANGUAGE_FORM, PROVEN)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is known of one platform; what is not known is as assumed."""

    answers: Mapping[str, str]

    def answer(self, question: Question) -> str:
        return self.answers.get(question.name) or question.assumed

    @property
    def rows_per_call(self) -> int:
        known = self.answer(ROWS_PER_CALL)
        return min(max(1, int(known)), MOST_ROWS) if known.isdecimal() else MOST_ROWS

    @property
    def language_form(self) -> LanguageForm:
        known = self.answer(LANGUAGE_FORM)
        return LanguageForm(known) if known in set(LanguageForm) else LanguageForm.CODE

    @property
    def proven(self) -> frozenset[str]:
        """What rows were seen to do as they say: their kinds, and the attributes that they set."""
        return frozenset(self.answer(PROVEN).split(", ")) - {""}
