"""What a run knows of how its platform behaves, and what it learns of that."""

from slack_docebo.domain.dialect import Dialect, Question
from slack_docebo.runtime import Runtime


def known_dialect(runtime: Runtime) -> Dialect:
    """Return the dialect of the platform as known now."""
    with runtime.store.reading() as tables:
        return tables.dialect(runtime.settings.docebo_url).known(runtime.now())


def learn(runtime: Runtime, question: Question, answer: str, *, source: str) -> None:
    """Store the *answer* to a question, and what showed it; one that has grown keeps the age of its first part."""
    now = runtime.now()
    with runtime.store.transaction() as tables:
        entries = tables.dialect(runtime.settings.docebo_url)
        has_grown = question.grows and entries.known(now).answer(question)
        since = entries.all()[question.name].at if has_grown else now
        entries.learn(question.name, answer, source=source, now=since)
