"""`slack-docebo fields`: what rules can read and fill."""

import asyncio
from dataclasses import asdict

from slack_docebo.cli.output import Json, note, show_json, show_rows
from slack_docebo.cli.session import open_session
from slack_docebo.engine.looking.fields import FieldShown, show_fields


def fields(*, json: Json = False) -> None:
    """Print the fields of both sides."""
    shown, notes = asyncio.run(_fields())
    if json:
        show_json([asdict(field) for field in shown])
    else:
        show_rows([field.row for field in shown], json=False, empty="There are none.")
    note(*notes)


async def _fields() -> tuple[list[FieldShown], list[str]]:
    async with open_session() as runtime:
        return await show_fields(runtime)
