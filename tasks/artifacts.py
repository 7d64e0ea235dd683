"""Artifacts: pages and tables of a run in Prefect, in which text of others is text."""

from collections.abc import Iterable, Mapping, Sequence

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort

from slack_docebo.domain.texts import address, cell, markdown
from slack_docebo.engine.reporting.shown import ADDRESS, Cell, Cells
from slack_docebo.engine.reporting.steps import Step
from tasks.links import Forms, find_forms

SUMMARY = "summary-"  # begins the key of a plan's summary, before the id


def page_of(artifact: Artifact) -> str:
    """Return where Prefect shows the artifact."""
    return f"/v2/artifacts/artifact/{artifact.id}"


async def summary_page(client: PrefectClient, plan_id: str) -> str:
    """Return where the newest summary of the plan is; "" if no run has published one, or it is deleted by now."""
    of_plan = ArtifactFilter(key=ArtifactFilterKey(any_=[f"{SUMMARY}{plan_id}"]))
    newest = await client.read_artifacts(artifact_filter=of_plan, sort=ArtifactSort.CREATED_DESC, limit=1)
    return page_of(newest[0]) if newest else ""


async def publish_page(page: str, *, key: str, description: str) -> None:
    """Publish *page*, which is Markdown; whoever composed it has escaped what it holds of others."""
    await acreate_markdown_artifact(page, key=key, description=markdown(description))


async def publish_table(rows: Sequence[Mapping[str, Cell]], *, key: str, description: str) -> None:
    """Publish *rows*; Prefect's older pages read each cell as Markdown."""
    await acreate_table_artifact(shown_as_text(rows), key=key, description=markdown(description))


async def publish_parked(rows: Sequence[Mapping[str, Cell]]) -> None:
    """Publish *rows* of parked events, if there are any."""
    if rows:
        told = "Events that nobody tries any more: they failed too often, or wait for a limit"
        await publish_table(rows, key="parked-events", description=told)


def shown_as_text(rows: Sequence[Mapping[str, Cell]]) -> list[Cells]:
    """Return *rows* so that each cell is shown as it is."""
    return [{column: _shown(column, value) for column, value in row.items()} for row in rows]


def _shown(column: str, value: Cell) -> Cell:
    if not isinstance(value, str):
        return value
    return address(value) if column == ADDRESS else cell(value)


async def publish_steps(steps: Iterable[Step], *, key: str) -> None:
    """Publish a page with links to the forms, filled in, for what can be done next: the cells of a table hold none."""
    if lines := step_lines(steps, await find_forms()):
        await publish_page("\n".join(lines), key=key, description="What can be done next")


def step_lines(steps: Iterable[Step], forms: Forms) -> list[str]:
    """Return *steps* as a part of a page; none while Prefect does not say where the *forms* are."""
    links = [f"- {forms.shown(step)}" for step in steps if forms.link(step)]
    return ["## What can be done next", "", *links, ""] if links else []
