"""`python -m deployments.bootstrap`: make in Prefect what `prefect.yaml` cannot say. Running it again changes nothing."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from prefect.variables import Variable

from slack_docebo.errors import SyncError
from slack_docebo.integration_settings import VARIABLE, documented_rows, read_rows, rows_from_csv, table


def starting_rows() -> list[dict[str, str]]:
    """Return the table of settings as a new installation has it: everything documented, nothing switched on."""
    return table({key: default for key, default, _ in documented_rows()})


async def ensure_settings(rows: list[dict[str, str]] | None = None) -> bool:
    """Make the Variable if it is not there, or set it to *rows* if they are given; tell whether it was written."""
    if rows is None and await Variable.aget(VARIABLE) is not None:
        return False
    wanted = rows if rows is not None else starting_rows()
    read_rows(wanted)
    await Variable.aset(VARIABLE, wanted, overwrite=True)
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; a wrong file or table is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m deployments.bootstrap", description=__doc__)
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="CSV",
        help="load the table integration-settings as the retired product exports it, in place of the present one",
    )
    options = parser.parse_args(arguments)
    try:
        rows = rows_from_csv(options.settings.read_text(encoding="utf-8")) if options.settings else None
        written = asyncio.run(ensure_settings(rows))
    except (SyncError, OSError, UnicodeDecodeError) as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 2
    print(f"Variable {VARIABLE}: {'written' if written else 'there already, left as it is'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
