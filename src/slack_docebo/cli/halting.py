"""`slack-docebo stop` and `go`: the order that nothing be written to Docebo, given and taken back."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from slack_docebo.cli.output import note
from slack_docebo.settings import PlatformSettings, StoreSettings, load_settings
from slack_docebo.storage.halts import HaltRepository
from slack_docebo.storage.store import Store

Reason = Annotated[str, Parameter(help="Why, for those who meet the order.")]


class _Settings(PlatformSettings, StoreSettings):
    """Which Docebo, and where its order is kept."""


def stop(*, reason: Reason = "") -> None:
    """Let no run write anything to Docebo from its next batch on."""
    settings = load_settings(_Settings)
    with Store.open(settings.database_url.get_secret_value()) as store, store.transaction() as connection:
        halts = HaltRepository(connection)
        halts.stop(settings.docebo_url, reason, now=datetime.now(UTC))
        note(f"Everything is {halts.get(settings.docebo_url)}. Runs end before their next batch; events wait.")


def go() -> None:
    """Take the order back."""
    settings = load_settings(_Settings)
    with Store.open(settings.database_url.get_secret_value()) as store, store.transaction() as connection:
        was_stopped = HaltRepository(connection).go(settings.docebo_url)
    note("Runs may write again." if was_stopped else "Nothing was stopped.")
