"""The table of results: a measured figure, its bar, and their ratio."""

from rich.console import Console
from rich.table import Table


class Results:
    """Rows of one benchmark, printed as they come in by `show`."""

    def __init__(self, title: str) -> None:
        self._table = Table("what", "measured", "bar", "ratio to the bar", title=title, title_justify="left")

    def add(self, what: str, measured: float, bar: float | None = None, unit: str = "") -> None:
        """Add one figure; below 1 the ratio is within the bar."""
        limit = "" if bar is None else f"{bar:g} {unit}"
        ratio = "" if not bar else f"{measured / bar:.2f}"
        self._table.add_row(what, f"{measured:.4g} {unit}", limit, ratio)

    def show(self) -> None:
        Console(width=110).print(self._table)
