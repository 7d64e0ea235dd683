"""What a run knows of how its platform behaves, and what it learns of that."""

from slack_docebo.domain.dialect import Dialect, Question
from slack_docebo.runtime import Runtime


def known_dialect(runtime: Runtime) -> Dialect:
    """Return what is known now of the platform."""
    with runtime.store.reading() as tables:
        return tables.dialect(runtime.settings.docebo_url).known(runtime.now())


def learn(runtime: Runtime, question: Question, answer: str, *, source: str) -> None:
    """Keep the *answer* to a question, and what showed it."""
    with runtime.store.transaction() as tables:
        tables.dialect(runtime.settings.docebo_url).learn(question.name, answer, source=source, now=runtime.now())
