"""The store of a command, for its own looks and for what it has changed."""

from contextlib import suppress
from datetime import UTC, datetime

from slack_docebo.errors import StorageError
from slack_docebo.settings import StoreSettings, load_settings
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp


def open_store(settings: StoreSettings | None = None) -> Store:
    """Open the store that *settings* name, or else the environment."""
    return Store.of(settings or load_settings(StoreSettings))


def outdate_status_page(store: Store) -> None:
    """Have the status page in Prefect renewed within a minute; what the command has done is done in any case."""
    with suppress(StorageError), store.transaction() as tables:
        tables.wake_ups.want(WakeUp.SWEEP, datetime.now(UTC))
