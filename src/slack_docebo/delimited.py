"""Tables as spreadsheets save them: with commas, semicolons or tabs, as their country's Excel likes it."""

import csv
import io
import re
from collections.abc import Iterator

DELIMITERS = ",;\t"
_QUOTED = re.compile('"[^"]*"')


class BadTableError(Exception):
    """The text is no such table; the message says where and why."""


def read_table(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that holds anything, as `read_rows` does; raise BadTableError where one has not as many cells as the first."""
    columns = 0
    for line, row in read_rows(text):
        columns = columns or len(row)
        if len(row) != columns:
            raise BadTableError(
                f"line {line}: {len(row)} cells, the first line has {columns}; put a value that holds a comma, a semicolon"
                " or a tab in double quotes"
            )
        yield line, row


def read_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that holds anything, with the line on which it begins; the first is the header.

    The delimiter is the one that the first line names (`sep=;`) or has most of outside quotes. Raises BadTableError for what
    is not CSV, and where the first line has as many of another.
    """
    file = io.StringIO(text.removeprefix("\ufeff"), newline="")
    first, before = file.readline(), 0
    if first.lower().startswith("sep="):
        delimiter, before = first[4:5], 1
    else:
        between = _QUOTED.sub("", first)
        other, delimiter = sorted(DELIMITERS, key=between.count)[-2:]
        if between.count(other) == between.count(delimiter) > 0:
            raise BadTableError(
                "line 1: nobody can tell whether commas, semicolons or tabs stand between cells: put a line above it that"
                " says so, like sep=; for semicolons"
            )
        file.seek(0)
    if delimiter not in DELIMITERS:
        raise BadTableError("line 1: the delimiter is no comma, semicolon or tab")
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    while True:
        line = before + reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise BadTableError(f"line {line}: not CSV ({error})") from None
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield line, row
