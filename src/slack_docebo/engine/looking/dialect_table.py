"""A dialect as a table: each question with the answer that holds, and what can be done about it."""

from datetime import datetime

from slack_docebo.domain.dialect import QUESTIONS, SET_BY_HAND, Dialect
from slack_docebo.engine.reading.dialect_changes import DialectAction, HeldAnswer
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.storage.dialects import DialectRepository


def dialect_rows(entries: DialectRepository, now: datetime) -> list[dict[str, str | int | None]]:
    """Return each question with its answer, from where and since when that is, and what it means."""
    learned = entries.all()
    known = Dialect.of(learned, now)
    return [
        {
            "question": question.name,
            "answer": holds.shown,
            "source": holds.source,
            "since": holds.since,
            "what it means": question.means,
            "can be set to": question.possible or "nothing: it can only be forgotten",
        }
        for question in QUESTIONS
        for holds in [HeldAnswer.of(question, learned, known)]
    ]


def dialect_steps(entries: DialectRepository) -> list[Step]:
    """Return the next steps about the dialect."""
    by_hand = [name for name, one in entries.all().items() if one.source == SET_BY_HAND]
    forgotten = [
        Step(f"Forget {name}, which was {SET_BY_HAND}", "dialect", {"action": DialectAction.FORGET, "question": name})
        for name in sorted(by_hand)
    ]
    return [Step("Set an answer by hand: see first what changes", "dialect", {"action": DialectAction.SET}), *forgotten]
