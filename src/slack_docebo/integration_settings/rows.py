"""The rows of the table, right or wrong, as they come from Prefect."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

VARIABLE = "integration_settings"
INTEGRATION = "SLACK"


class Cells(NamedTuple):
    """The cells of one row."""

    integration: str
    key: str
    value: Any


def cells_of(row: object) -> Cells | None:
    """Return the cells of *row*, however their names are written; None if it lacks one."""
    named = {str(name).lower(): cell for name, cell in row.items()} if isinstance(row, Mapping) else {}
    if not {"integration", "key", "value"} <= named.keys():
        return None
    key = str(named["key"]).strip().upper().encode(errors="replace").decode()  # half an emoji names no field
    value = "" if named["value"] is None else named["value"]
    return Cells(str(named["integration"]).strip().upper(), key, value)


def table(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return *values*, keyed by setting, as rows of the table."""
    return [{"integration": INTEGRATION, "key": key, "value": value} for key, value in values.items()]


def rows_by_key(rows: object) -> dict[str, object]:
    """Return what the table holds for each key, right or wrong; of two rows with one key, the first."""
    values: dict[str, object] = {}
    for cells in map(cells_of, rows if isinstance(rows, list) else ()):
        if cells and cells.integration == INTEGRATION:
            values.setdefault(cells.key, cells.value)
    return values


def rows_of_others(rows: object) -> list[Any]:
    """Return the rows of other integrations, as they are."""
    found = ((row, cells_of(row)) for row in (rows if isinstance(rows, list) else ()))
    return [row for row, cells in found if cells and cells.integration != INTEGRATION]


def listed(value: object) -> object:
    """Return the list that *value* is the JSON text of, else *value*."""
    if not (isinstance(value, str) and value.lstrip().startswith("[")):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value  # a pattern may begin with a bracket, too
    return parsed if isinstance(parsed, list) else value
