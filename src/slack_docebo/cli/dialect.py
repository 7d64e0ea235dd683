"""`slack-docebo dialect`: what is known of this Docebo where its documentation leaves it open."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import App, Parameter

from slack_docebo.cli.output import Json, say, show_rows
from slack_docebo.domain.dialect import QUESTIONS, SET_BY_HAND, Dialect, Learned, Question
from slack_docebo.errors import ConfigurationError
from slack_docebo.settings import PlatformSettings, StoreSettings, load_settings
from slack_docebo.storage.dialects import DialectRepository
from slack_docebo.storage.store import Store

Name = Annotated[str, Parameter(help='Like "rows per call"; `slack-docebo dialect` lists them.')]
Answer = Annotated[str, Parameter(help="What holds from now on, until you forget it.")]

app = App(name="dialect")


class DialectSettings(PlatformSettings, StoreSettings):
    """Which Docebo, and where what is known of it is kept."""


@app.default
def show(*, json: Json = False) -> None:
    """List each open question with its answer: assumed, learned of this platform, or set by hand."""
    with _entries() as entries:
        learned = entries.all()
    known = Dialect.of(learned, datetime.now(UTC))
    show_rows([_row(question, known, learned.get(question.name)) for question in QUESTIONS], json=json, empty="")


@app.command(name="set")
def set_by_hand(name: Name, answer: Answer, /) -> None:
    """Answer a question by hand; runs keep to that, also if they see otherwise, from the next one on."""
    question = _named(name)
    try:
        value = question.by_hand(answer)
    except ValueError as error:
        raise ConfigurationError(f"dialect: {error}") from None
    with _entries() as entries:
        entries.learn(question.name, value, source=SET_BY_HAND, now=datetime.now(UTC))
    say(f"{question.name}: {value}, until you say `slack-docebo dialect forget`. Runs keep to it from the next one on.")


@app.command
def forget(name: Name, /) -> None:
    """Forget the answer to a question, however it was given: the next run goes by what is assumed, and learns anew."""
    question = _named(name)
    with _entries() as entries:
        was_known = entries.forget(question.name)
    say(f"{question.name}: {'forgotten' if was_known else 'nothing was known'}, so it is {_assumed(question)}.")


@contextmanager
def _entries() -> Iterator[DialectRepository]:
    settings = load_settings(DialectSettings)
    with Store.open(settings.database_url.get_secret_value()) as store, store.transaction() as tables:
        yield tables.dialect(settings.docebo_url)


def _named(name: str) -> Question:
    for question in QUESTIONS:
        if question.name == name.strip().lower():
            return question
    raise ConfigurationError(
        f"dialect: there is no question {name!r}; there are {', '.join(q.name for q in QUESTIONS)}"
    )


def _row(question: Question, known: Dialect, learned: Learned | None) -> dict[str, Any]:
    holds = learned is not None and bool(known.answers.get(question.name))
    return {
        "question": question.name,
        "answer": known.answer(question) or "not known",
        "source": learned.source if learned and holds else "assumed",
        "since": f"{learned.at:%Y-%m-%d}" if learned and holds else "",
        "can be set to": question.possible or "nothing, but forgotten",
    }


def _assumed(question: Question) -> str:
    return question.assumed or "not known"
