"""`python -m deployments.pictures`: make the pictures of Prefect's UI in docs/pictures anew, from a real dry run."""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deployments.local import connection_settings, prefect_server, sandbox, worker
from deployments.prefect_ui import PrefectUI, prefect_ui

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
USERS = 500


async def take(ui: PrefectUI) -> None:
    """Do a dry run, and take a picture of everything met on the way, and of the forms that other pages are about."""
    await ui.open_form("bulk-import/import-everybody")
    await ui.page.get_by_label("Saved plan").wait_for()
    await picture(ui, "run-form")
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
    await picture(ui, "part")
    await ui.page.goto(run)
    await ui.open_artifact("TABLE created")
    await picture(ui, "table")
    await ui.open_status_page()
    await picture(ui, "status")
    await ui.open_form("settings/change-settings")
    await ui.page.get_by_label("Guests").scroll_into_view_if_needed()
    await picture(ui, "settings")
    await ui.open_form("reset-mappings/delete-mappings")
    await ui.page.get_by_label("Dry run").wait_for()
    await picture(ui, "reset")


async def picture(ui: PrefectUI, name: str) -> None:
    """Save what the window shows as *name*."""
    await ui.page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


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
