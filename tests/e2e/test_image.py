"""The image is built, and every service of compose.yaml starts from it: as its user, on a read-only root."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from prefect.states import State

from deployments.local import connection_settings, free_port
from sandbox.server import Sandbox
from slack_docebo.storage.events import FINISHED
from slack_docebo.storage.store import Store
from tests.containers import BASE, Buildah, Image, NoContainers, debian_base
from tests.e2e.composed import Composition, first_start_of_postgresql
from tests.e2e.prefect_http import finished, is_done, prefect_http, set_rows, start, state
from tests.importing import ON, run_import, settings_for
from tests.integration.test_socket_mode import TOKEN, slack_server, wrapped
from tests.postgresql import PostgresServer
from tests.waiting import until
from tests.webhook import envelope

pytestmark = pytest.mark.long
USERS = 200
LARGEST_MEGABYTES = 280  # above the base
RULES = {"ATTRIBUTES": "first_name, last_name = upper(last_name), email"}  # an expression: its engine is in the image
BATCH = "POST /manage/v1/user/batch"
LOGIN = "admin:of-the-image-and-long"
PASSWORD = "p@ss:w/rd#%41 'x'?"  # of PostgreSQL


@dataclass(frozen=True)
class Built:
    """An image beside the one it was made on."""

    image: Image
    base: Image
    buildah: Buildah


@pytest.fixture(scope="module")
def built(clone: Path) -> Iterator[Built]:
    """What `make image` makes from a clone, on a base of Debian's packages."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:  # gigabytes: on a disk
        buildah = Buildah(Path(name))
        try:
            base = debian_base(buildah, Path(name))
        except NoContainers as reason:
            pytest.skip(f"the image is not built here: {reason}")
        command = ["make", "image", f"BASE={base}", "TAG=slack-docebo:tested", "ENGINE=buildah"]
        told = {**os.environ, "STORAGE": buildah.storage}
        done = subprocess.run(command, cwd=clone, env=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield Built(Image.of(buildah, "localhost/slack-docebo:tested"), Image.of(buildah, base), buildah)


@dataclass
class Installation:
    """The services of compose.yaml at work in the image."""

    composition: Composition
    sandbox: Sandbox
    http: httpx.Client
    pages: str
    store_url: str

    def events_done(self) -> int:
        """Count the events that are done."""
        with Store.open(self.store_url) as store, store.reading() as tables:
            counts = Counter(tables.inbox.status().counts)
        return sum(counts[state] for state in FINISHED)


@pytest.fixture
def installation(
    built: Built, postgres_server: PostgresServer, clone: Path, tmp_path: Path, monkeypatch
) -> Iterator[Installation]:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)  # they lead to the server of the other tests
    redis, webhook, observation, prefect, health = (free_port() for _ in range(5))
    with ExitStack() as stack:
        databases = stack.enter_context(first_start_of_postgresql(postgres_server, password=PASSWORD))
        sandbox = stack.enter_context(Sandbox(users=USERS, rate_limits=False))
        composition = stack.enter_context(
            Composition(
                clone,
                tmp_path,
                image=built.image,
                addresses={
                    "${POSTGRES_PASSWORD:?set it}": f'"{PASSWORD}"',
                    "${PREFECT_SERVER_API_AUTH_STRING:?in .env, user:password}": LOGIN,
                    "postgresql:5432": databases,
                    "redis:6379": f"127.0.0.1:{redis}",
                    "server:4200": f"127.0.0.1:{prefect}",
                    '"4200"': f'"{prefect}"',
                    "127.0.0.1:4200/api/ready": f"127.0.0.1:{prefect}/api/ready",
                    " 0.0.0.0": " 127.0.0.1",
                    '"8400"': f'"{webhook}"',
                    '"8401"': f'"{observation}"',
                    "127.0.0.1:8401": f"127.0.0.1:{observation}",
                    "8080": str(health),
                },
                env_file={
                    **connection_settings(sandbox.facts(), tmp_path),
                    "SLACK_SIGNING_SECRET": sandbox.events.signing_secret,
                },
            )
        )
        composition.start("redis", "--port", str(redis), "--dir", str(tmp_path))
        composition.run("migrate")
        for service in ("services", "server"):
            composition.start(service)
        until(lambda: composition.is_healthy("server"))
        composition.run("ready")
        for service in ("worker", "webhook"):
            composition.start(service)
        for service in ("services", "worker", "webhook"):
            until(lambda service=service: composition.is_healthy(service), composition.log(service).read_text)
        sandbox.events.configure(f"http://127.0.0.1:{webhook}/slack/events")
        api = {"PREFECT_API_URL": f"http://127.0.0.1:{prefect}/api", "PREFECT_API_AUTH_STRING": LOGIN}
        http = stack.enter_context(prefect_http(api))
        set_rows(http, **RULES)
        store_url = postgres_server.url("slack_docebo")
        yield Installation(composition, sandbox, http, pages=f"http://127.0.0.1:{prefect}", store_url=store_url)


def test_the_image_is_small_and_says_what_it_is(built):
    config = built.image.config

    assert built.image.megabytes - built.base.megabytes <= LARGEST_MEGABYTES
    assert config["User"] == "1001:1001"
    assert config["Labels"]["org.opencontainers.image.title"] == "slack-docebo"
    assert config["Labels"]["org.opencontainers.image.version"][0].isdigit()
    assert config["Labels"]["org.opencontainers.image.version"] != "0"


def test_a_release_is_the_image_with_source_bill_of_materials_notes_and_sums(built, clone, tmp_path):
    project = shutil.copytree(clone, tmp_path / "project")
    changelog = project / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## Unreleased", "## 0.1.0"))
    for words in ("init --quiet", "add .", "-c user.name=a -c user.email=a@example.com commit --quiet --message=1"):
        subprocess.run(["git", *words.split()], cwd=project, check=True)

    command = [sys.executable, "-m", "deployments.release", "--base", built.buildah.digest(BASE)]
    told = {**os.environ, "PYTHONPATH": str(project), "ENGINE": "buildah", "STORAGE": built.buildah.storage}
    done = subprocess.run(command, cwd=project, env=told, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    made = project / "dist" / "0.1.0"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=made, check=True, capture_output=True)
    assert {path.name for path in made.iterdir()} == {
        "NOTES.md",
        "SHA256SUMS",
        "sbom.cdx.json",
        "slack-docebo-0.1.0-image.tar",
        "slack-docebo-0.1.0.tar.gz",
    }
    with tarfile.open(made / "slack-docebo-0.1.0-image.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
    assert "docker.io/library/slack-docebo:0.1.0" in manifest[0]["RepoTags"]  # which docker calls slack-docebo:0.1.0
    assert "make image" in (made / "NOTES.md").read_text()


def answers_with_a_page(pages: str) -> bool:
    page = httpx.get(pages, follow_redirects=True)
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    return "<html" in page.text


def an_event_comes_by_socket_mode(composition: Composition, team: str, person: str) -> bool:
    """Let the service connect to a small Slack, take an event about *person*, older than what is known, and end."""
    told = envelope(team_id=team, event={"type": "user_change", "user": {"id": person, "updated": 1, "profile": {}}})
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(slack_server()) as slack:
        token = {"SLACK_APP_TOKEN": TOKEN.get_secret_value(), "SLACK_API_URL": f"{slack.url}/api/"}
        composition.start("socket-mode", told=token)
        until(lambda: composition.is_healthy("socket-mode"), composition.log("socket-mode").read_text)
        portal.call(portal.call(slack.sockets.get).send_json, wrapped(1, told))
        taken: str = portal.call(slack.acknowledged.get)
        composition.end("socket-mode")
    return taken == "envelope-1"


def test_every_service_works_ends_when_it_is_told_and_loses_nothing(installation, tmp_path):
    composition, sandbox, http = installation.composition, installation.sandbox, installation.http
    assert answers_with_a_page(installation.pages)

    imported = finished(http, start(http, "bulk-import/import-everybody", dry_run=False))
    person = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    assert sandbox.events.settle()
    until(lambda: sandbox.docebo.accounts.by_email("ada@example.com"))
    for number in range(USERS):
        sandbox.slack.add("Grace", "Hopper", f"grace{number}@example.com")
    sandbox.docebo_gate.faults.add(BATCH, "slow", times=-1, seconds=1)
    calls = sandbox.docebo_gate.counters.calls[BATCH]
    cut = start(http, "bulk-import/import-everybody", dry_run=False)
    until(lambda: sandbox.docebo_gate.counters.calls[BATCH] > calls and state(http, cut, "RUNNING"))
    composition.end("worker")
    waiting = state(http, cut, "SCHEDULED")["state_name"]
    sandbox.docebo_gate.faults.clear()
    sandbox.slack.change(person["id"], {"profile": {"last_name": "Byron"}})  # comes when the worker has gone
    assert sandbox.events.settle()
    composition.end("webhook")
    assert an_event_comes_by_socket_mode(composition, sandbox.slack.team.id, person["id"])
    for service in ("services", "server"):
        composition.end(service)
    composition.start("services")
    composition.start("server", told={"PREFECT_UI_STATIC_DIRECTORY": "/tmp/ui_build"})  # empty, as in Prefect's chart
    until(lambda: composition.is_healthy("server"), composition.log("server").read_text)
    assert answers_with_a_page(installation.pages)
    for service in ("webhook", "worker"):
        composition.start(service)
    ended = finished(http, cut)
    until(lambda: installation.events_done() == len(sandbox.events.deliveries) + 1)  # that of Socket Mode

    assert is_done(State.model_validate(imported["state"])), imported["state"]
    assert waiting == "ToBeContinued"
    assert is_done(State.model_validate(ended["state"])), ended["state"]
    assert {delivery.result for delivery in sandbox.events.deliveries} == {"delivered"}
    assert [account.lastname for account in sandbox.docebo.accounts.by_email("ada@example.com")] == ["BYRON"]
    settings = settings_for(sandbox.facts(), installation.store_url, report_dir=tmp_path)
    again = asyncio.run(run_import(settings, rows={**ON, **RULES}, dry_run=True))
    assert f": {len(sandbox.slack)} left alone" in again.line
