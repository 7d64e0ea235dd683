"""`slack-docebo dialect`: what is known of this Docebo where its documentation leaves it open."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from slack_docebo.cli.output import Json, show_done, show_rows
from slack_docebo.cli.store import open_store
from slack_docebo.engine.looking.dialect_table import dialect_rows
from slack_docebo.engine.reading.dialect_changes import DialectAction, dialect_change
from slack_docebo.settings import PlatformSettings, StoreSettings, load_settings
from slack_docebo.storage.dialects import DialectRepository

Name = Annotated[str, Parameter(help='Like "rows per call"; `slack-docebo dialect` lists them.')]
Answer = Annotated[str, Parameter(help="What holds from now on, until you forget it.")]

app = App(name="dialect")


class DialectSettings(PlatformSettings, StoreSettings):
    """Which Docebo, and where what is known of it is kept."""


@app.default
def show(*, json: Json = False) -> None:
    """List each open question with its answer: assumed, learned of this platform, or set by hand."""
    with _entries() as entries:
        rows = dialect_rows(entries, datetime.now(UTC))
    show_rows(rows, json=json, empty="")


@app.command(name="set")
def set_by_hand(name: Name, answer: Answer, /, *, json: Json = False) -> None:
    """Answer a question by hand; runs keep to that, also if they see otherwise, from the next one on."""
    _change(DialectAction.SET, name, answer, json=json)


@app.command
def forget(name: Name, /, *, json: Json = False) -> None:
    """Forget the answer to a question, however it was given: the next run goes by what is assumed, and learns anew."""
    _change(DialectAction.FORGET, name, json=json)


def _change(action: DialectAction, name: str, answer: str = "", *, json: bool) -> None:
    if change := dialect_change(action, name, answer):
        with _entries() as entries:
            now = datetime.now(UTC)
            told = change.told(entries, now)
            change.keep(entries, now)
        show_done(told, {"question": name, "answer": answer, "told": told}, json=json)


@contextmanager
def _entries() -> Iterator[DialectRepository]:
    settings = load_settings(DialectSettings)
    with open_store(settings) as store, store.transaction() as tables:
        yield tables.dialect(settings.docebo_url)
