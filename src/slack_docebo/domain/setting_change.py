"""A change of one setting."""

from typing import NamedTuple


class SettingChange(NamedTuple):
    """A row that differs, as it is written before and after; "" where it is not there and nothing stands for it."""

    key: str
    before: str
    after: str
