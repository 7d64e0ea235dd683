"""Prefect's UI in a headless Chromium: for the browser tests, and for the pictures in the documentation."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

from playwright.async_api import Locator, Page, Response, TimeoutError, ViewportSize, async_playwright  # noqa: A004  (Playwright's name)

CHROMIUM = "/usr/bin/chromium"  # Debian's; scripts/install-programs
OPTIONS = [
    "--no-sandbox",  # Chromium refuses to start as root with it, and the only pages it sees are ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # reaches this machine only
]
PATIENCE = 90_000  # milliseconds; on a busy machine a run takes half a minute
BUSY = 15_000  # milliseconds; in which Prefect has created a run, or said that it is busy
WINDOW = ViewportSize(width=1280, height=800)


@dataclass
class PrefectUI:
    """Prefect's UI as a person uses it, click by click."""

    page: Page
    address: str

    async def sign_in(self, login: str) -> None:
        """Go to where the address without a path leads, and give the login that is asked for there."""
        await self.page.goto(f"{self.address}/")
        field = self.page.get_by_placeholder("admin:pass")
        await field.fill(login)
        await field.press("Enter")
        await self.settle()

    async def settle(self) -> None:
        """Wait until the page has checked its login: a page that is left earlier forgets it."""
        await self.page.get_by_role("link", name="Deployments", exact=True).first.wait_for()

    async def open(self, path: str) -> None:
        """Go to the page at *path*, which is below Prefect's address."""
        await self.page.goto(f"{self.address}{path}")
        await self.settle()

    async def open_form(self, deployment: str) -> None:
        """Go to the run form of *deployment*, like "flow-name/deployment-name"."""
        flow, name = deployment.split("/")
        await self.page.get_by_role("link", name="Deployments", exact=True).first.click()
        await self.search(flow, "Search deployments")
        rows = self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=flow, exact=True))
        await self.open_deployment(rows.get_by_role("cell").get_by_role("link", name=name, exact=True))
        await self.page.get_by_role("button", name="Run", exact=True).click()
        await self.page.get_by_role("menuitem", name="Custom run").click()
        await self.page.get_by_role("heading", name="Parameters").wait_for()

    async def search(self, words: str, field: str) -> None:
        """Type *words* into the *field* above the list of deployments, which shows ten a page."""
        await self.page.get_by_placeholder(field, exact=True).fill(words)
        await self.page.wait_for_url(re.compile("flowOrDeploymentName"))

    async def open_deployment(self, link: Locator) -> None:
        """Click the *link* in the list of deployments."""
        for _ in range(PATIENCE // BUSY):
            with suppress(TimeoutError):  # a list that is shown anew at this moment takes no notice of the click
                await link.first.click(timeout=BUSY)
                await self.page.wait_for_url(re.compile("/deployments/deployment/"), timeout=BUSY)
                break

    async def fill(self, field: str, value: str) -> None:
        """Write *value* into the form's *field*."""
        await self.page.get_by_label(field).fill(value)

    async def choose(self, field: str, value: str) -> None:
        """Choose *value* in the form's *field*, whose values are given."""
        await self.page.get_by_label(field).click()
        await self.page.get_by_role("option", name=value, exact=True).click()

    async def add_item(self, value: str) -> None:
        """Add *value* to the form's first list."""
        items = self.page.get_by_role("group").filter(has=self.page.get_by_role("button", name="Add item")).first
        await items.get_by_role("button", name="Add item").click()
        await items.get_by_role("textbox").fill(value)

    async def submit(self) -> None:
        """Press the form's button."""
        await self.page.get_by_role("button", name="Submit").click()

    async def run(self) -> None:
        """Submit the form, go to the run's page, and wait until it is completed."""
        await self.start()
        await self.page.get_by_text("Completed", exact=True).first.wait_for()

    async def start(self) -> None:
        """Submit the form, and go to the run's page."""
        for _ in range(PATIENCE // BUSY):
            with suppress(TimeoutError):
                async with self.page.expect_response(_tells_of_a_run, timeout=BUSY) as creation:
                    await self.submit()
                break
        run = await (await creation.value).json()
        # Not by the link in the message that comes up: on a slow machine it is gone before it can be clicked.
        await self.page.goto(re.sub("/deployments/.*", f"/runs/flow-run/{run['id']}", self.page.url))
        await self.settle()

    async def open_artifact(self, name: str) -> None:
        """On a run's page, go to its artifact whose kind and key begin like this: "MARKDOWN" or "TABLE created".

        Where Prefect was busy, the list of them is opened once more: its page does not ask again.
        """
        for _ in range(PATIENCE // BUSY):
            await self.page.get_by_role("tab", name="Artifacts").click()
            with suppress(TimeoutError):
                await self.page.get_by_role("link", name=re.compile(f"^{name}")).click(timeout=BUSY)
                break
            await self.page.reload()
            await self.settle()
        await self._open_newest()

    async def open_page_of_artifact(self, artifact: str) -> None:
        """Go to the page of the *artifact* with this id, and once more where Prefect was busy: its page does not ask again."""
        shown = self.page.get_by_role("tabpanel", name="Artifact")
        for _ in range(PATIENCE // BUSY):
            await self.open(f"/v2/artifacts/artifact/{artifact}")
            with suppress(TimeoutError):
                await shown.wait_for(timeout=BUSY)
                break

    async def open_status_page(self) -> None:
        """Go to the page that says how things stand, as somebody does who has no bookmark yet."""
        await self.open("/v2/artifacts")
        await self.page.get_by_role("link", name=re.compile("slack-docebo-status")).first.click()
        await self._open_newest()

    async def _open_newest(self) -> None:
        """Of the artifacts under one key that the page lists, go to the newest."""
        await self.page.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first.click()
        await self.page.get_by_role("tabpanel", name="Artifact").get_by_role("table").first.wait_for()

    async def edit_settings(self) -> None:
        """Open the table of settings, a row's keys on lines of their own.

        In the older of Prefect's two interfaces: the newer one makes its window as tall as the table, and no scrolling
        brings up the button that saves.
        """
        await self.page.goto(f"{self.address}/variables")
        row = self.page.get_by_role("row").filter(has_text="integration_settings")
        await row.get_by_role("button").last.click()
        await self.page.get_by_role("button", name="Edit", exact=True).click()
        await self.page.get_by_role("dialog").get_by_role("button", name="Format").click()

    async def change_setting(self, key: str, value: str) -> None:
        """In the table opened by `edit_settings`, give the row *key* another value, and save."""
        window = self.page.get_by_role("dialog")
        table = window.locator("textarea")
        row = re.compile(rf'("key":\s*"{key}",\s*"value":\s*)"[^"]*"')
        changed, times = row.subn(rf'\1"{value}"', await table.input_value())
        if times != 1:
            raise ValueError(f"the table has {times} rows {key}")
        await table.fill(changed)
        await window.get_by_role("button", name="Save").click()
        await window.wait_for(state="hidden")


def _tells_of_a_run(answer: Response) -> bool:
    """Tell whether the answer shows a new run; if Prefect is busy, the button has to be pressed again."""
    return answer.url.endswith("/create_flow_run") and answer.status != HTTPStatus.SERVICE_UNAVAILABLE


@asynccontextmanager
async def prefect_ui(address: str, login: str) -> AsyncIterator[PrefectUI]:
    """Open the UI that is served at *address* in a browser of its own, and sign in; it reaches no other machine."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS, timeout=PATIENCE)
        try:
            page = await browser.new_page(viewport=WINDOW, locale="en-GB", timezone_id="UTC")
            page.set_default_timeout(PATIENCE)
            ui = PrefectUI(page, address)
            await ui.sign_in(login)
            yield ui
        finally:
            await browser.close()
