"""Lookup tables as administrators keep them: each a Variable of Prefect, or a CSV file in one folder."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

from slack_docebo.delimited import BadTableError, read_table
from slack_docebo.domain.lookup import EVERYTHING_ELSE, LookupTable
from slack_docebo.errors import ConfigurationError
from slack_docebo.given_files import UnusableFileError, read_given_text

PREFIX = "table_"  # before the table's name, in that of the Variable
LARGEST_FILE = 10_000_000  # bytes
TWO_COLUMNS = "two columns below a line with their names: the value, and what stands for it"
# A formula, or what spreadsheets write in the place of one that fails: #REF!, #N/A, in German #BEZUG!, #NV; Err:502.
OF_A_SPREADSHEET = re.compile(r"\s*(=.+|#\S+[!?]|#N/A|#NV|#N/D|Err:\d+)\s*")
EXAMPLE = '{"Sales": "SAL", "*": "REST"}'

ReadVariable = Callable[[str], Awaitable[object]]  # returns what Prefect's Variable of that name holds, None without it


async def find_tables(names: Iterable[str], folder: Path, read_variable: ReadVariable) -> dict[str, LookupTable]:
    """Return the tables with these *names*; raise ConfigurationError that says of each wrong or missing one what to do."""
    found: dict[str, LookupTable] = {}
    problems: list[str] = []
    for name in dict.fromkeys(names):
        try:
            found[name] = _read(name, folder / f"{name}.csv", await read_variable(PREFIX + name))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("; ".join(problems))
    return found


def _read(name: str, file: Path, held: object) -> LookupTable:
    variable = f"the Variable {PREFIX}{name}"
    is_file = file.exists()
    if held is None and not is_file:
        raise ValueError(
            f"there is no table {name}: make {variable} in Prefect, like {EXAMPLE}, or the file {file} with two columns"
        )
    if held is not None and is_file:
        raise ValueError(f"the table {name} is there twice: remove {variable} or the file {file}")
    try:
        if is_file or isinstance(held, str):
            text = read_given_text(file, largest=LARGEST_FILE) if is_file else str(held)
            heading, rows = _columns_of(text)
            return LookupTable.of(name, _filled(rows), heading=heading)
        return LookupTable.of(name, _filled(_rows(held)))
    except (ValueError, BadTableError, UnusableFileError) as error:
        raise ValueError(f"{file if is_file else variable}: {error}") from None


def _filled(rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    found = list(rows)
    if not found:
        raise BadTableError(f"there is no row in it: write an object like {EXAMPLE}, or {TWO_COLUMNS}")
    for place, (_, stands_for) in enumerate(found, 1):
        if OF_A_SPREADSHEET.fullmatch(stands_for):
            raise BadTableError(f"entry {place} is a formula, or one that failed: write what the formula is to give")
    return found


def _rows(held: object) -> Iterator[tuple[str, str]]:
    """Yield the rows of a Variable that is an object of JSON."""
    if not isinstance(held, dict):
        raise BadTableError(f"write an object like {EXAMPLE}")
    for place, (value, stands_for) in enumerate(held.items(), 1):
        if not isinstance(stands_for, str | int | float) or isinstance(stands_for, bool):
            raise BadTableError(f"entry {place}: write a text or a number")
        yield str(value), str(stands_for)


def _columns_of(text: str) -> tuple[str, Iterator[tuple[str, str]]]:
    """Return the name of the first column of a table as text, and its rows."""
    rows = read_table(text)
    header = next(rows, None)
    if header is None or len(header[1]) != 2:
        raise BadTableError(f"write {TWO_COLUMNS}")
    heading = header[1][0]
    if heading.strip() == EVERYTHING_ELSE:
        raise BadTableError(
            f"line {header[0]}: the row {EVERYTHING_ELSE} stands where the names are: write {TWO_COLUMNS}"
        )
    return heading, ((value, stands_for) for _, (value, stands_for) in rows)
