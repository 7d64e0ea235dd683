"""`slack-docebo orphans`: what does not fit together between Slack, Docebo and the mappings."""

import asyncio
from collections import Counter
from functools import partial

from slack_docebo.cli.output import Json, say, show_rows
from slack_docebo.cli.session import open_session
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.orphans import Orphan, find_orphans


def orphans(*, json: Json = False) -> None:
    """Print what does not fit together, by ids, and how often each kind was found."""
    found = asyncio.run(_find())
    rows = [
        {
            "finding": orphan.kind,
            "slack_id": orphan.slack_id,
            "user_id": list(orphan.docebo_ids) if json else ", ".join(map(str, orphan.docebo_ids)),
            "why": orphan.why,
        }
        for orphan in found
    ]
    show_rows(rows, json=json, empty="Everything fits together.")
    if rows and not json:
        for kind, count in Counter(orphan.kind for orphan in found).items():
            say(f"{count} x {kind}")


async def _find() -> list[Orphan]:
    async with open_session() as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
            accounts = await read_target(runtime)
            docebo = runtime.settings.docebo_url
            found = find_orphans(runtime.store, docebo, workspace.team, people=people, accounts=accounts)
            return sorted(found, key=lambda orphan: orphan.kind)
