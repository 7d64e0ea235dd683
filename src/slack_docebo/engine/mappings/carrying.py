"""Export and import of mappings by a form: a pasted table, a file for its owner, the fields in Docebo."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

from slack_docebo.domain.texts import number_of
from slack_docebo.engine.mappings.mapping_file import MappingFile, write_mappings
from slack_docebo.engine.mappings.rebuilding import rebuild_from_mirror
from slack_docebo.engine.mappings.restoring import Taken, import_file
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.mirror_fields import prepare_mirror
from slack_docebo.engine.reporting.shown import Cells, with_names
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.engine.writing.admitting import check_halt
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import new_plan_id

SHOWN = 5_000  # mappings in one table of Prefect's


class MappingAction(StrEnum):
    """What is to be done."""

    EXPORT = "export"
    IMPORT = "import"
    MAKE_FIELDS = "make the fields in Docebo"
    REBUILD = "rebuild from the fields in Docebo"


@dataclass(frozen=True, slots=True)
class MappingRequest:
    """What is asked for; it is only checked, unless *confirm* is the number of mappings that it would write."""

    action: MappingAction
    table: str = ""  # that was pasted
    checked: str = ""  # id of one that was checked before
    check_only: bool = True
    confirm: int = 0


@dataclass(frozen=True, slots=True)
class Carried:
    """What was, or would be, done: a line, a table, and the next steps."""

    told: str
    rows: Sequence[Cells] = ()
    next_steps: Sequence[Step] = field(default_factory=list)


async def carry_mappings(
    runtime: Runtime, connect: Callable[[], Awaitable[Workspace]], request: MappingRequest
) -> Carried:
    """Do what is asked for, or say what that would do; *connect* returns the workspace.

    Fields that the settings name and Docebo lacks are made without *connect*, which fails while they are missing.

    Raises ConfigurationError where something cannot be used, and NotConfirmed where the number is another one.
    """
    match request.action:
        case MappingAction.EXPORT:
            return _export(runtime, await connect())
        case MappingAction.IMPORT:
            return _import(runtime, await connect(), request)
        case MappingAction.MAKE_FIELDS:
            return await _make_fields(runtime, check_only=request.check_only)
        case MappingAction.REBUILD:
            return await _rebuild(runtime, await connect(), request)


def _export(runtime: Runtime, workspace: Workspace) -> Carried:
    path, docebo = runtime.settings.report_dir / f"mappings-{new_plan_id()}-export.csv", runtime.settings.docebo_url
    with runtime.store.reading() as tables:
        repository = tables.mappings(docebo)
        count = write_mappings(path, repository.records(workspace.team), docebo=docebo)
        rows: list[Cells] = [
            {"Slack user": one.slack_id, "Docebo user": one.docebo_id}
            for one in islice(repository.all(workspace.team), SHOWN)
        ]
        shown = with_names(tables, workspace.team, rows, runtime.behaviour.people_shown)
    cut = f"; the table shows the first {SHOWN:,}" if count > SHOWN else ""
    return Carried(f"{number_of('mapping', count)} written to {path}, which only its owner can read{cut}", shown)


def _import(runtime: Runtime, workspace: Workspace, request: MappingRequest) -> Carried:
    """Check the table that was pasted, and keep it until somebody has confirmed it; then take it over."""
    if bool(request.table.strip()) == bool(request.checked):
        raise ConfigurationError("paste a table, or give the id of one that was checked: one of both")
    if request.table.strip():
        would = _take_over(runtime, workspace, request.table, dry_run=True)
        kept = new_plan_id()
        records = MappingFile(request.table, team=workspace.team, team_name=workspace.name).mappings(now=runtime.now())
        write_mappings(
            _kept(runtime.settings.report_dir, kept),
            (record for _, record in records),
            docebo=runtime.settings.docebo_url,
        )
        return _to_confirm(would.changed, MappingAction.IMPORT, {"checked": kept})
    path = _kept(runtime.settings.report_dir, request.checked)
    if not path.is_file():
        raise ConfigurationError(f"paste the table again: no checked table {request.checked} is on this worker's disk")
    would = _take_over(runtime, workspace, path, dry_run=True)
    if request.check_only:
        return _to_confirm(would.changed, MappingAction.IMPORT, {"checked": request.checked})
    _require(request, would.changed)
    done = _take_over(runtime, workspace, path, dry_run=False)
    with suppress(OSError):  # else it goes like other reports
        path.unlink()
    return Carried(f"{number_of('mapping', done.changed)} written")


async def _make_fields(runtime: Runtime, *, check_only: bool) -> Carried:
    if not check_only:
        with runtime.store.reading() as tables:
            check_halt(runtime, tables)
    fields = await prepare_mirror(runtime.docebo.fields, runtime.behaviour.mirror_fields, check_only=check_only)
    missing = sum(made for _, _, made in fields)
    became = "missing" if check_only else "made"
    rows: list[Cells] = [
        {"field": title, "id": number or None, "state": became if made else "there already"}
        for title, number, made in fields
    ]
    if not check_only:
        return Carried(f"{missing} of {len(fields)} fields were made in Docebo", rows)
    go_on = {"action": MappingAction.MAKE_FIELDS, "check_only": False}
    steps = [Step("Make the fields that are missing", "mappings", go_on)] if missing else []
    return Carried(f"{missing} of {len(fields)} fields would be made in Docebo, nothing was", rows, steps)


async def _rebuild(runtime: Runtime, workspace: Workspace, request: MappingRequest) -> Carried:
    would = await rebuild_from_mirror(runtime, workspace, dry_run=True)
    left_out: list[Cells] = [{"Docebo user": row.line, "left out, because": row.reason} for row in would.refused]
    if request.check_only:
        return replace(_to_confirm(would.changed, MappingAction.REBUILD, {}), rows=left_out)
    _require(request, would.changed)
    done = await rebuild_from_mirror(runtime, workspace, dry_run=False)
    return Carried(f"{number_of('mapping', done.changed)} written, {len(done.refused)} accounts left out", left_out)


def _take_over(runtime: Runtime, workspace: Workspace, source: Path | str, *, dry_run: bool) -> Taken:
    docebo = runtime.settings.docebo_url
    file = MappingFile(source, team=workspace.team, team_name=workspace.name, docebo=docebo)
    taken = import_file(runtime.store, docebo, file, now=runtime.now(), dry_run=dry_run)
    taken.check()
    return taken


def _kept(report_dir: Path, checked: str) -> Path:
    return report_dir / f"mappings-{checked}-import.csv"


def _to_confirm(number: int, action: MappingAction, more: dict[str, str]) -> Carried:
    told = f"{number_of('mapping', number)} would be written, nothing was; to write them, give {number} as their number"
    filled = {"action": action, "check_only": False, **more}
    return Carried(told, next_steps=[Step(f"Write them: type {number} as their number", "mappings", filled)])


def _require(request: MappingRequest, number: int) -> None:
    if request.confirm != number:
        raise NotConfirmed(f"to write these mappings, type their number, {number}; nothing was written")
