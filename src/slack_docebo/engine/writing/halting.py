"""Halting: the order that nothing be written to Docebo, given and taken back."""

from datetime import UTC, datetime

from slack_docebo.settings import PlatformSettings, StoreSettings, load_settings
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp


class HaltSettings(PlatformSettings, StoreSettings):
    """Which Docebo, and where its order is kept: an order is given also while Slack or Docebo refuse our login."""


def stop(reason: str) -> str:
    """Let no run write anything to Docebo from its next batch on; return what is to be told."""
    settings, now = load_settings(HaltSettings), datetime.now(UTC)
    with Store.of(settings) as store, store.transaction() as tables:
        halts = tables.halts
        halts.stop(settings.docebo_url, reason, now=now)
        tables.wake_ups.want(WakeUp.SWEEP, now)  # which tells it on the status page
        return f"Everything is {halts.get(settings.docebo_url)}. Runs end before their next batch; events wait."


def go() -> str:
    """Take the order back; return what is to be told."""
    settings = load_settings(HaltSettings)
    with Store.of(settings) as store, store.transaction() as tables:
        if was_stopped := tables.halts.go(settings.docebo_url):
            tables.wake_ups.quiet(None)  # so that a run for the events that have waited is asked for at once
            tables.wake_ups.want(WakeUp.SWEEP, datetime.now(UTC))
    return "Runs may write again." if was_stopped else "Nothing was stopped."
