"""The table of settings in Prefect: made where it is missing, or loaded from a table that somebody gives."""

from prefect.variables import Variable

from slack_docebo.domain.texts import line
from slack_docebo.integration_settings import VARIABLE, documented_rows, read_rows, table
from slack_docebo.settings_form import changes, filled_up

VARIABLE_BEFORE = f"{VARIABLE}_before"


def starting_rows() -> list[dict[str, str]]:
    """Return the table of settings as a new installation has it: everything documented, nothing switched on."""
    return table({key: default for key, default, _ in documented_rows()})


async def is_missing() -> bool:
    """Tell whether the table has yet to be made."""
    return await Variable.aget(VARIABLE) is None


async def ensure_settings(rows: list[dict[str, str]] | None = None) -> bool:
    """Make the Variable if it is not there, or set it to *rows* if they are given; tell whether it was written."""
    if rows is None and not await is_missing():
        return False
    wanted = rows if rows is not None else starting_rows()
    read_rows(wanted)
    await Variable.aset(VARIABLE, wanted, overwrite=True)
    return True


async def load_settings_table(loaded: list[dict[str, str]]) -> bool:
    """Put the rows of *loaded* into the table, fill it up, and print what changes; tell whether it was written.

    The table before is kept in another Variable.
    """
    present = await Variable.aget(VARIABLE)
    wanted = filled_up(present, loaded)
    for remark in read_rows(wanted).remarks:
        print(line(f"  {remark}"))
    if wanted == present:
        return False
    if present is not None:
        await Variable.aset(VARIABLE_BEFORE, present, overwrite=True)
        for key, before, after in changes(present, wanted):
            print(line(f"  {key}: {before or 'nothing'} -> {after or 'nothing'}"))
        print(f"  The table before is kept as the Variable {VARIABLE_BEFORE}.")
    return await ensure_settings(wanted)
