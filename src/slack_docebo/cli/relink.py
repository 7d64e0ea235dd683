"""`slack-docebo relink`: the database is taken to the Docebo at another address."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from slack_docebo.cli.output import Json, Yes, confirm, note, show_done
from slack_docebo.cli.session import open_changing_session
from slack_docebo.engine.mappings.relinking import Relation
from slack_docebo.engine.mappings.relinking import relink as relink_database

Which = Annotated[
    Relation,
    Parameter(
        help="same: the platform of before, at a new address. another: with mappings of its own, the old are kept."
    ),
]


def relink(which: Which, /, *, yes: Yes = False, json: Json = False) -> None:
    """Say what would be done and, if that is confirmed, link the database to the Docebo at DOCEBO_URL."""
    asyncio.run(_relink(which, yes=yes, json=json))


async def _relink(which: Relation, *, yes: bool, json: bool) -> None:
    async with open_changing_session() as runtime:
        planned = await relink_database(runtime, which, dry_run=True)
        note(f"If you confirm, {planned.line}.")
        if not yes:
            confirm("Relink it?", otherwise="nothing was changed: relinking was not confirmed")
        done = await relink_database(runtime, which, dry_run=False)
    show_done(f"From now on {done.line}.", {"relation": which, "told": done.line}, json=json)
