"""The table as a CSV file."""

import csv
import io
from collections import Counter
from collections.abc import Mapping

from slack_docebo.delimited import BadTableError, read_table
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings.rows import INTEGRATION
from slack_docebo.setting_values import as_written

COLUMNS = ("integration", "key", "value")


def rows_from_csv(text: str) -> list[dict[str, str]]:
    """Read the table as the retired product or a spreadsheet exports it, with the columns Integration, Key and Value.

    Raises ConfigurationError that names the line of what cannot be used.
    """
    try:
        rows = [cells for _, cells in read_table(text)]
    except BadTableError as error:
        raise ConfigurationError(f"the table cannot be read: {error}") from None
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if len(rows) < 2 or not set(COLUMNS) <= set(header):
        raise ConfigurationError("the CSV file should have the columns Integration, Key and Value, and a row")
    if twice := sorted(name for name, times in Counter(header).items() if times > 1 and name in COLUMNS):
        raise ConfigurationError(f"the CSV file has more than one column {', '.join(twice)}: keep the one that counts")
    return [dict(zip(header, cells, strict=True)) for cells in rows[1:]]


def rows_as_csv(values: Mapping[str, object]) -> str:
    """Return *values*, keyed by setting, as a table that `rows_from_csv` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Integration", "Key", "Value"))
    writer.writerows((INTEGRATION, key, as_written(value)) for key, value in values.items())
    return text.getvalue()
