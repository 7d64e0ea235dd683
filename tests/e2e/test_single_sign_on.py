"""Apache with mod_auth_openidc in front of Prefect: operators act, viewers look, nobody else gets in."""

import base64
import json
import os
import pwd
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import expect

from deployments.local import free_port, process
from deployments.prefect_ui import PATIENCE
from tasks.status_page import KEY
from tests.e2e.prefect_http import (
    PatientTransport,
    deployment,
    finished,
    prefect_http,
    set_rows,
    start,
    wait_for_worker,
)
from tests.e2e.test_hostile_page import browser_window, open_browser
from tests.waiting import until

pytestmark = pytest.mark.long
CONFIGURATION = Path(__file__).parents[2] / "deployments" / "apache" / "prefect.conf"
MODULES = Path("/usr/lib/apache2/modules")
NEEDED = (
    *("mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "proxy", "proxy_http", "headers"),
    *("filter", "substitute"),
)
GROUPS = {"viewer": ["staff", "viewers"], "operator": ["operators"], "stranger": ["staff"]}
APACHE = """
ServerRoot {folder}
ServerName 127.0.0.1
PidFile {folder}/pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
Mutex file:{folder} default
{user}
Listen 127.0.0.1:{port}
{modules}
{defines}
Include {configuration}
"""


@pytest.fixture(scope="module")
def proxy(deployed, prefect_api, tmp_path_factory) -> Iterator[str]:
    """The address at which people reach Prefect."""
    if not (MODULES / "mod_auth_openidc.so").exists():
        pytest.skip("Apache with mod_auth_openidc is not installed: scripts/install-programs long")
    folder = tmp_path_factory.mktemp("apache")
    folder.chmod(0o755)
    port, provider = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    defines = {
        "PREFECT_UI_URL": address,
        "PREFECT_SERVER": prefect_api.removesuffix("/api"),
        "PREFECT_LOGIN_BASE64": base64.b64encode(os.environ["PREFECT_API_AUTH_STRING"].encode()).decode(),
        "OIDC_ISSUER": f"http://127.0.0.1:{provider}",
        "OIDC_CLIENT_ID": "prefect",
        "OIDC_CLIENT_SECRET": "secret",
        "OIDC_PASSPHRASE": uuid4().hex,
        "OPERATORS": "operators",
        "VIEWERS": "viewers",
    }
    user = next(name for name in ("www-data", "nobody") if name in {one.pw_name for one in pwd.getpwall()})
    written = APACHE.format(
        folder=folder,
        port=port,
        configuration=CONFIGURATION,
        user=f"User {user}" if os.geteuid() == 0 else "",
        modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in NEEDED),
        defines="\n".join(f"Define {name} {value}" for name, value in defines.items()),
    )
    (folder / "apache.conf").write_text(written)
    people = [{"sub": name, "email": f"{name}@example.com", "groups": groups} for name, groups in GROUPS.items()]
    claims = [word for person in people for word in ("--user-claims", json.dumps(person))]
    with ExitStack() as stack:
        command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(provider), *claims]
        stack.enter_context(process(command, log=folder / "provider.log"))
        command = [shutil.which("apache2") or "apache2", "-f", str(folder / "apache.conf"), "-DFOREGROUND"]
        stack.enter_context(process(command, log=folder / "apache.log"))
        until(lambda: answers(f"http://127.0.0.1:{provider}/.well-known/openid-configuration"))
        until(lambda: answers(address), (folder / "apache.log").read_text)
        yield address


def answers(address: str) -> bool:
    try:
        return bool(httpx.get(address).status_code)
    except httpx.TransportError:
        return False


def signed_in(proxy: str, name: str) -> httpx.Client:
    """Return the browser of somebody who has signed in at the provider."""
    http = httpx.Client(base_url=proxy, follow_redirects=True, transport=PatientTransport())
    asked = http.get("/v2/", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
    assert "/oauth2/authorize" in str(asked.url)
    http.post(asked.url, data={"sub": name})
    return http


@pytest.fixture(scope="module")
def viewer(proxy) -> httpx.Client:
    return signed_in(proxy, "viewer")


@pytest.fixture(scope="module")
def operator(proxy) -> httpx.Client:
    return signed_in(proxy, "operator")


def written(http: httpx.Client) -> dict[str, str]:
    """The headers that Prefect's pages send with each write."""
    client = uuid4().hex
    token = http.get("/api/csrf-token", params={"client": client}).raise_for_status().json()["token"]
    return {"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": token}


def posts(deployed: httpx.Client) -> set[str]:
    """All paths of Prefect's API that are posted to, with an id or a word in place of what they want named."""
    paths = deployed.get("openapi.json").raise_for_status().json()["paths"]
    found = {path.replace("{countable}", "day") for path, verbs in paths.items() if "post" in verbs}
    return {re.sub(r"{[^}]*}", ANY_ID, path) for path in found}


ANY_ID = "e3b0c442-98fc-4c14-9afb-f4c8996fb924"
READS = re.compile(r"/(filter|count|paginate|history|lateness|next-runs|counts|count-[a-z-]+)$|/count-by/")
FOR_OPERATORS = {
    *("/block_documents/filter", "/block_documents/count", "/block_types/filter", "/block_schemas/filter"),
    f"/flow_runs/{ANY_ID}/input/filter",
}


def test_without_a_session_nothing_is_read(proxy):
    stranger = httpx.Client(base_url=proxy)

    pages = [stranger.get(path, headers={"Accept": "text/html"}) for path in ("/", "/v2/artifacts", "/ui-settings")]
    api = [
        stranger.get("/api/health"),
        stranger.post("/api/flow_runs/filter", json={}),
        stranger.get("/api/variables/"),
    ]
    login = stranger.get("/api/admin/version", headers={"Authorization": "Basic YWRtaW46YWRtaW4="})

    assert {page.status_code for page in pages} <= {302, 401}
    assert {answer.status_code for answer in [*api, login]} == {401}
    assert all("slack" not in answer.text for answer in [*pages, *api])


def test_who_is_in_no_group_gets_nothing(proxy):
    stranger = signed_in(proxy, "stranger")

    assert stranger.get("/v2/").status_code in {401, 403}
    assert stranger.post("/api/flow_runs/filter", json={}).status_code in {401, 403}


def test_a_viewer_reads_and_changes_nothing(deployed, viewer):
    target = deployment(deployed, "doctor/is-everything-in-place")["id"]
    of_target = {"deployments": {"id": {"any_": [target]}}}
    headers, before = written(viewer), deployed.post("flow_runs/filter", json=of_target).raise_for_status().json()

    reads = viewer.post("/api/deployments/filter", json={}, headers=headers)
    run = viewer.post(f"/api/deployments/{target}/create_flow_run", json={}, headers=headers)
    variable = viewer.patch("/api/variables/name/integration_settings", json={"value": []}, headers=headers)
    gone = viewer.delete(f"/api/deployments/{target}", headers=headers)

    assert (reads.status_code, len(reads.json()) > 5) == (200, True)
    assert {answer.status_code for answer in (run, variable, gone)} <= {401, 403}
    after = deployed.post("flow_runs/filter", json=of_target).raise_for_status().json()
    assert [run["id"] for run in after] == [run["id"] for run in before]  # other tests may have started some


def test_a_viewer_may_post_to_what_reads_and_to_nothing_else(deployed, viewer):
    allowed = {
        path
        for path in posts(deployed)
        if viewer.post(f"/api{path}", content=b"not JSON", headers=written(viewer)).status_code not in {401, 403}
    }

    assert allowed == {path for path in posts(deployed) if READS.search(path)} - FOR_OPERATORS


@pytest.mark.parametrize("path", ["block_documents/", "block_types/", "admin/settings", "admin/version"])
def test_a_viewer_sees_no_secret(viewer, operator, path):
    assert viewer.get(f"/api/{path}?include_secrets=true").status_code in {401, 403}
    assert viewer.get(f"/api//{path}").status_code in {401, 403}
    assert operator.get(f"/api/{path}").status_code in {200, 405}


def test_nobody_is_told_the_login_that_the_proxy_has(viewer, operator):
    login = base64.b64encode(os.environ["PREFECT_API_AUTH_STRING"].encode()).decode()

    told = [one.request("TRACE", "/v2/", headers={"Max-Forwards": "0"}) for one in (viewer, operator)]

    assert not any(login in answer.text for answer in told)
    assert {answer.status_code for answer in told} <= {401, 403, 405}


def test_an_operator_starts_a_run(deployed, at_work, operator):
    set_rows(deployed)
    wait_for_worker(deployed)
    target = deployment(deployed, "doctor/is-everything-in-place")["id"]

    run = operator.post(f"/api/deployments/{target}/create_flow_run", json={}, headers=written(operator))

    assert finished(deployed, run.raise_for_status().json()["id"])


def test_workers_and_webhook_go_round_it_with_their_own_login(deployed):
    assert prefect_http().get("admin/version").is_success


async def test_a_viewer_is_shown_the_status_page_and_asked_for_no_login_of_prefect(deployed, at_work, proxy):
    set_rows(deployed)
    finished(deployed, start(deployed, "sweep/sweep"))
    query = {"artifacts": {"key": {"any_": [KEY]}}}
    page_id = deployed.post("artifacts/filter", json=query).raise_for_status().json()[0]["id"]
    async with open_browser() as browser, browser_window(browser) as window:
        page = await window.new_page()
        await page.goto(f"{proxy}/v2/artifacts/artifact/{page_id}")
        await page.get_by_role("button", name="viewer", exact=True).click()

        expect.set_options(timeout=PATIENCE)
        await expect(page.get_by_text("How things stand").first).to_be_visible()
