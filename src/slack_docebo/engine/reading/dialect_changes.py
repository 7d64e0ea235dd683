"""Changes of a dialect by hand: one answer is set, or deleted. Runs learn the others by themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from slack_docebo.domain.dialect import PROVEN, QUESTIONS, SET_BY_HAND, Dialect, Learned, Question
from slack_docebo.errors import ConfigurationError
from slack_docebo.storage.dialects import DialectRepository

ASSUMED = "assumed"


class DialectAction(StrEnum):
    """What is to be done."""

    SHOW = "show"
    SET = "set"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class DialectChange:
    """A change of one question's answer: *answer* is set, or the known one is deleted if it is None."""

    question: Question
    answer: str | None

    def told(self, entries: DialectRepository, now: datetime) -> str:
        """Say from what to what the answer changes, for runs that begin from then on."""
        learned = entries.all()
        holds = HeldAnswer.of(self.question, learned, Dialect.of(learned, now))
        if self.answer is not None:
            then = f"{self.question.shown(self.answer)}, {SET_BY_HAND}, until somebody forgets it"
        elif holds.source == ASSUMED:
            return f"{self.question.name}: nothing is known that could be forgotten"
        else:
            then = f"{self.question.shown(self.question.assumed)}, {ASSUMED}, until a run learns it anew"
        anew = "; the first rows are sent alone once more" if self.question.is_of_rows else ""
        return f"{self.question.name}: from {holds.shown}, {holds.source}, to {then}{anew}"

    def keep(self, entries: DialectRepository, now: datetime) -> None:
        """Store the change; the caller owns the transaction.

        If rows become other ones by it, what was proven of them is deleted.
        """
        if self.question.is_of_rows:
            entries.forget(PROVEN.name)
        if self.answer is None:
            entries.forget(self.question.name)
        else:
            entries.learn(self.question.name, self.answer, source=SET_BY_HAND, now=now)


def dialect_change(action: DialectAction, name: str, answer: str) -> DialectChange | None:
    """Return the change, or None if the dialect is only to be shown.

    Raises ConfigurationError where there is no such question, or where it cannot have this answer.
    """
    if action is DialectAction.SHOW:
        return None
    question = next((one for one in QUESTIONS if one.name == name.strip().lower()), None)
    if question is None:
        names = ", ".join(one.name for one in QUESTIONS)
        raise ConfigurationError(f"dialect: there is no question {name!r}; there are {names}")
    if action is DialectAction.FORGET:
        return DialectChange(question, None)
    try:
        return DialectChange(question, question.by_hand(answer))
    except ValueError as error:
        raise ConfigurationError(f"dialect: {error}") from None


@dataclass(frozen=True, slots=True)
class HeldAnswer:
    """The answer that holds now, as it is shown."""

    shown: str
    source: str
    since: str

    @classmethod
    def of(cls, question: Question, learned: Mapping[str, Learned], known: Dialect) -> "HeldAnswer":
        one = learned.get(question.name)
        shown = question.shown(known.answer(question))
        if one is None or not known.answers.get(question.name):
            return cls(shown, ASSUMED, "")
        return cls(shown, one.source, f"{one.at:%Y-%m-%d}")
