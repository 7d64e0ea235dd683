"""`python -m deployments.pictures`: make the pictures of Prefect's UI in docs/pictures anew, from a real dry run."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prefect.utilities.callables import parameter_schema

from deployments.local import connection_settings, prefect_server, sandbox, worker
from deployments.our_flows import FLOWS
from deployments.prefect_ui import PrefectUI, prefect_ui

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
WORDS = PICTURES / "forms.json"
"""What pictures of forms say, by their names, so that a test can tell when one is to be taken anew."""
FORMS = {"run-form": "bulk-import", "part": "apply-plan", "settings": "settings", "reset": "reset-mappings"}
TEXTS_IN_THE_WINDOW = """() => [...document.querySelectorAll("main *")]
    .filter(one => { const box = one.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight })
    .map(one => one.innerText?.replace("(Optional)", "").replace(/\\s+/g, " ").trim())
"""
USERS = 500


async def take(ui: PrefectUI) -> None:
    """Do a dry run, and take a picture of everything met on the way, and of the forms that other pages are about."""
    await ui.open_form("bulk-import/import-everybody")
    await ui.page.get_by_label("Saved plan").wait_for()
    await picture_of_form(ui, "run-form")
    await ui.run()
    # The graph is drawn when the tasks' states have come; the message would cover the list below it.
    await ui.page.get_by_role("tab", name="Task Runs").click()
    await ui.page.get_by_role("link", name="Validate connection").wait_for()
    await ui.page.reload()
    await ui.page.get_by_role("link", name="Validate connection").wait_for()
    await ui.page.wait_for_load_state("networkidle")
    await picture(ui, "run")
    run = ui.page.url
    await ui.open_artifact("MARKDOWN")
    await picture(ui, "summary")
    await ui.page.get_by_role("link", name="Apply a part of it first").first.click()
    await ui.page.get_by_label("Only the first so many people").wait_for()
    await picture_of_form(ui, "part")
    await ui.page.goto(run)
    await ui.open_artifact("TABLE created")
    await picture(ui, "table")
    await ui.open_status_page()
    await picture(ui, "status")
    await ui.open_form("settings/change-settings")
    await ui.page.get_by_label("Guests").scroll_into_view_if_needed()
    await picture_of_form(ui, "settings")
    await ui.open_form("reset-mappings/delete-mappings")
    await ui.page.get_by_label("Dry run").wait_for()
    await picture_of_form(ui, "reset")


async def picture(ui: PrefectUI, name: str) -> None:
    """Save what the window shows as *name*."""
    await ui.page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


async def picture_of_form(ui: PrefectUI, name: str) -> None:
    """Save what the window shows as *name*, and which titles and help texts of the form that are."""
    await picture(ui, name)
    seen = set(await ui.page.evaluate(TEXTS_IN_THE_WINDOW))
    kept = json.loads(WORDS.read_text("utf-8")) if WORDS.exists() else {}
    kept[name] = [text for text in words_of_form(FORMS[name]) if text in seen]
    WORDS.write_text(f"{json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False)}\n", "utf-8")


def words_of_form(flow: str) -> list[str]:
    """Return the titles and help texts of the *flow*'s form, from top to bottom."""
    schema = parameter_schema(FLOWS[flow])
    return list(_words(schema.properties, schema.definitions))


def _words(fields: Mapping[str, Any], groups: Mapping[str, Any]) -> Iterator[str]:
    for field in fields.values():
        group = groups.get(field.get("$ref", "").rpartition("/")[2], {})
        title = field.get("title") or group.get("title", "")  # a group has one of its own
        yield from (" ".join(text.split()) for text in (title, field.get("description", "")) if text)
        yield from _words(group.get("properties", {}), groups)


async def visit(address: str, login: str) -> None:
    """Open the UI at *address*, sign in and take the pictures."""
    async with prefect_ui(address, login) as ui:
        await take(ui)


def main() -> int:
    """Make an installation for a while, take the pictures, and remove it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="slack-docebo-pictures-") as name:
        folder = Path(name)
        options = ("--users", str(USERS), "--no-rate-limits")
        with sandbox(*options, folder=folder) as facts, prefect_server(folder) as clients:
            environment = {**connection_settings(facts, folder), **clients}
            ready = [sys.executable, "-m", "deployments.ready", "--switched-on"]
            subprocess.run(ready, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
            with worker(folder, env=environment):
                asyncio.run(visit(clients["PREFECT_API_URL"].removesuffix("/api"), clients["PREFECT_API_AUTH_STRING"]))
    for made in sorted(PICTURES.glob("*.png")):
        print(f"{made.relative_to(PICTURES.parents[1])}: {made.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
