"""Artifacts that hold text of others, as Prefect keeps them."""

import json

from prefect import flow

from slack_docebo.domain.texts import markdown
from tasks.artifacts import publish_page, publish_table
from tests.e2e.prefect_http import prefect_http
from tests.hostile_texts import INERT, TEXTS, parts, seen


@flow
async def publish_everything() -> None:
    for number, text in enumerate(TEXTS):
        await publish_table([{"why": text, "people": 3}], key=f"shown-as-text-table-{number}", description=text)
        await publish_page(f"# Page\n\n{markdown(text)}", key=f"shown-as-text-page-{number}", description=text)


async def test_tables_pages_and_descriptions_show_text(prefect_api):
    await publish_everything()

    with prefect_http() as http:
        wanted = {"artifacts": {"key": {"like_": "shown-as-text-"}}, "limit": 200}
        kept = http.post("artifacts/filter", json=wanted).raise_for_status().json()
    assert len(kept) == 2 * len(TEXTS)
    for artifact in kept:
        shown = artifact["data"]
        if artifact["type"] == "table":
            shown = json.loads(shown)[0]["why"]
        for page in (shown, artifact["description"] or ""):
            assert seen(page.replace("\n", ""))
            assert {kind for kind, _ in parts(page)} <= INERT
