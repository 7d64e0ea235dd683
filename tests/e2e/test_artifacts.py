"""Artifacts that hold text of others, as Prefect keeps them."""

import json

from prefect import flow

from slack_docebo.domain.texts import markdown
from tasks.artifacts import publish_page, publish_table
from tests.e2e.prefect_http import prefect_http
from tests.hostile_texts import INERT, TEXTS, parts, seen


@flow
async def publish_everything() -> None:
    rows = [{"why": text, "people": 3} for text in TEXTS]
    for number, text in enumerate(["\n\n".join(TEXTS), TEXTS[-1]]):
        await publish_table(rows, key=f"shown-as-text-table-{number}", description=text)
        page = "\n\n".join(map(markdown, TEXTS))
        await publish_page(f"# Page\n\n{page}", key=f"shown-as-text-page-{number}", description=text)


async def test_tables_pages_and_descriptions_show_text(prefect_api):
    await publish_everything()

    with prefect_http() as http:
        wanted = {"artifacts": {"key": {"like_": "shown-as-text-"}}, "limit": 200}
        kept = http.post("artifacts/filter", json=wanted).raise_for_status().json()
    assert len(kept) == 4
    for artifact in kept:
        is_table = artifact["type"] == "table"
        shown = [row["why"] for row in json.loads(artifact["data"])] if is_table else [artifact["data"]]
        assert len(shown) == (len(TEXTS) if is_table else 1)
        for page in (*shown, artifact["description"]):
            assert seen(page.replace("\n", ""))
            assert {kind for kind, _ in parts(page)} <= INERT
