"""The store of a command that only looks at our own data."""

from slack_docebo.settings import StoreSettings, load_settings
from slack_docebo.storage.store import Store


def open_store(settings: StoreSettings | None = None) -> Store:
    """Open the store that *settings* name, or else the environment."""
    return Store.of(settings or load_settings(StoreSettings))
