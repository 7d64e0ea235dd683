"""Artifacts: pages and tables of a run in Prefect, in which text of others is text."""

from collections.abc import Mapping, Sequence

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from slack_docebo.domain.texts import markdown


async def publish_page(page: str, *, key: str, description: str) -> None:
    """Publish *page*, which is Markdown; whoever composed it has escaped what it holds of others."""
    await acreate_markdown_artifact(page, key=key, description=markdown(description))


async def publish_table(rows: Sequence[Mapping[str, str | int | None]], *, key: str, description: str) -> None:
    """Publish *rows*; Prefect's older pages read each cell as Markdown."""
    cells = [{name: markdown(cell) if isinstance(cell, str) else cell for name, cell in row.items()} for row in rows]
    await acreate_table_artifact(cells, key=key, description=markdown(description))
