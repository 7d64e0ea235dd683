"""`slack-docebo mappings rebuild` and `prepare-mirror`: the mapping's mirror in Docebo's additional fields."""

import asyncio

from slack_docebo.cli.mappings import DryRun, changed, show_refused
from slack_docebo.cli.output import Json, say, show_json, show_rows
from slack_docebo.cli.session import open_changing_session, open_session
from slack_docebo.engine.mappings.rebuilding import rebuild_from_mirror
from slack_docebo.engine.mappings.restoring import Taken
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.mirror_fields import prepare_mirror as make_fields
from slack_docebo.engine.writing.admitting import check_halt
from slack_docebo.storage.gate import RunLock, import_lock
from slack_docebo.storage.store import Store


def rebuild(*, dry_run: DryRun = False, json: Json = False) -> None:
    """Take the mappings over from Docebo's fields, and print how many changed."""
    taken = asyncio.run(_rebuild(dry_run=dry_run))
    if json:
        left_out = [{"user_id": row.line, "reason": row.reason} for row in taken.refused]
        show_json({"written": taken.changed, "dry_run": dry_run, "left_out": left_out})
        return
    show_refused(taken.refused, "user_id")
    say(changed(taken, dry_run=dry_run))


def prepare_mirror(*, json: Json = False) -> None:
    """Make the fields and print their ids."""
    rows = [
        {"field": title, "id": field_id, "state": "made" if made else "there already"}
        for title, field_id, made in asyncio.run(_prepare_mirror())
    ]
    show_rows(rows, json=json, empty="")


async def _rebuild(*, dry_run: bool) -> Taken:
    async with open_changing_session() as runtime:
        with _alone(runtime.store, runtime.settings.docebo_url, "rebuild"):
            return await rebuild_from_mirror(runtime, await validate(runtime), dry_run=dry_run)


async def _prepare_mirror() -> list[tuple[str, int, bool]]:
    async with open_session() as runtime:
        with _alone(runtime.store, runtime.settings.docebo_url, "prepare-mirror"):
            with runtime.store.reading() as tables:
                check_halt(runtime, tables)
            return await make_fields(runtime.docebo.fields, runtime.behaviour.mirror_fields)


def _alone(store: Store, docebo: str, command: str) -> RunLock:
    holder = f"slack-docebo mappings {command}"
    return import_lock(store, docebo, holder=holder)
