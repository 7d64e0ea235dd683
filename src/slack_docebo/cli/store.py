"""The store of a command that only looks at our own data."""

from collections.abc import Iterator
from contextlib import contextmanager

from slack_docebo.settings import StoreSettings, load_settings
from slack_docebo.storage.store import Store


@contextmanager
def open_store(settings: StoreSettings | None = None) -> Iterator[Store]:
    """Open the store that *settings* name, or else the environment."""
    url = (settings or load_settings(StoreSettings)).database_url
    with Store.open(url.get_secret_value()) as store:
        yield store
