"""Checks of Prefect: whether it is at work, lets nobody in, and has our deployments and settings."""

import asyncio
from functools import partial
from typing import Any

import httpx

from slack_docebo.clients.prefect_client import PrefectClient
from slack_docebo.domain.texts import number_of
from slack_docebo.engine.looking.checks.seen import SECONDS, Seen
from slack_docebo.engine.looking.diagnosis import Finding, fail, ok, warn
from slack_docebo.errors import SyncError
from slack_docebo.integration_settings import VARIABLE, IntegrationSettings, read_rows
from slack_docebo.lookup_tables import find_tables
from slack_docebo.storage.plans import PlanKind
from slack_docebo.work_pool import WORK_POOL

FEW_PLANS = 20  # in which one with the settings of today is looked for
POOL = f"work_pools/{WORK_POOL}"
BEGUN_BY_ITSELF = ("slack-events", "sweep", "reconcile")  # deployments that the webhook or a schedule begins
TAG = "slack-docebo"  # of all deployments
START_WORKER = f"python -m prefect worker start --pool {WORK_POOL} --type slack-docebo"
FOREIGN_ORIGIN = "https://elsewhere.invalid"
START_IT = "start it with `python -m deployments.server` and PREFECT_SERVER_API_AUTH_STRING"


async def worker(check: str, seen: Seen) -> Finding:
    """Check that Prefect answers, that a worker is at work, and that it is given runs."""
    answer = await _ask_prefect(seen, "POST", f"{POOL}/workers/filter", json={})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return fail(check, f"answers, but has no work pool {WORK_POOL}: run `python -m deployments.bootstrap`")
    online = sum(1 for worker in answer.raise_for_status().json() if worker.get("status") == "ONLINE")
    if not online:
        return fail(check, f"answers, but no worker is at work: start `{START_WORKER}`")
    paths = {f"work pool {WORK_POOL}": POOL, "work queue default": f"{POOL}/queues/default"}
    giving = {what: (await _ask_prefect(seen, "GET", path)).raise_for_status().json() for what, path in paths.items()}
    if paused := [what for what, gives in giving.items() if gives.get("is_paused")]:
        return fail(check, f"the {paused[0]} is paused, so no run begins: resume it in Prefect's UI")
    for what, gives in giving.items():
        if (limit := gives.get("concurrency_limit")) is not None:
            told = f"the {what} has a concurrency limit of {limit}, whose places runs keep that died with their worker"
            return warn(check, f"{told}: take it away in Prefect's UI, for each worker has a limit of its own")
    return ok(check, f"answers at {seen.settings.prefect_api_url}; {number_of('worker', online)} at work")


async def prefect_access(check: str, seen: Seen) -> Finding:
    """Ask Prefect without the login, and with it as a page of another origin would: both have to be refused."""
    table = f"variables/name/{VARIABLE}"
    if _is_served(await _send_to_prefect(seen, "GET", table, auth=None)):
        return fail(check, f"no login is asked for, so whoever reaches it reads and starts runs: {START_IT}")
    if _is_served(await _send_to_prefect(seen, "GET", table, headers={"Origin": FOREIGN_ORIGIN})):
        return warn(check, f"a login is asked for, but pages of other origins are answered: {START_IT}")
    return ok(check, "asks for a login, and answers no page of another origin")


async def deployments(check: str, seen: Seen) -> Finding:
    """Look whether the deployments that run by themselves are there, and none of ours is paused."""
    query = {"deployments": {"tags": {"all_": [TAG]}}}
    found = (await _ask_prefect(seen, "POST", "deployments/filter", json=query)).raise_for_status().json()
    names = {str(one.get("name")) for one in found}
    paused = sorted(str(one.get("name")) for one in found if one.get("paused"))
    if not found:
        return fail(check, "there are none: run `python -m deployments.ready` in the project's folder")
    if missing := [name for name in BEGUN_BY_ITSELF if name not in names]:
        return fail(check, f"missing: {', '.join(missing)}; run `python -m deployments.ready`")
    if paused:
        return warn(check, f"paused: {', '.join(paused)}; resume them in Prefect's UI when that is not meant")
    return ok(check, f"{len(found)} are there")


async def settings(check: str, seen: Seen) -> Finding:
    """Read the settings, with what the last import has remarked on them."""
    answer = await _ask_prefect(seen, "GET", f"variables/name/{VARIABLE}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return fail(check, "Prefect has no such Variable: run `python -m deployments.bootstrap`")
    seen.behaviour = read_rows(answer.raise_for_status().json()["value"])
    await find_tables(seen.behaviour.tables, seen.settings.tables_dir, partial(_variable, seen))
    off = [
        name
        for name, on in (
            ("PROVISION_SLACK_USER_DATA", seen.behaviour.provision_slack_user_data),
            ("MAP_SLACK_USER_DATA", seen.behaviour.map_slack_user_data),
        )
        if not on
    ]
    remarks = [*seen.behaviour.remarks, *await asyncio.to_thread(_remarks_of_last_import, seen, seen.behaviour)]
    if off:
        remarks.append(f"switched off: {' and '.join(off)}; the form Change the settings switches them on")
    if remarks:
        return warn(check, "; ".join(dict.fromkeys(remarks)))
    return ok(check, "every row is right; provisioning and mapping are on")


async def _variable(seen: Seen, name: str) -> object:
    answer = await _ask_prefect(seen, "GET", f"variables/name/{name}")
    is_missing = answer.status_code == httpx.codes.NOT_FOUND
    return None if is_missing else answer.raise_for_status().json()["value"]


def _remarks_of_last_import(seen: Seen, behaviour: IntegrationSettings) -> list[str]:
    """Return what the newest import with these settings has remarked on them."""
    try:
        with seen.reading() as tables:
            plans = tables.plans.recent(FEW_PLANS, PlanKind.BULK_IMPORT)
    except SyncError:
        return []  # the check of the database says so
    same = (plan.facts.get("remarks") for plan in plans if plan.settings == behaviour.written)
    newest = next((found for found in same if isinstance(found, list)), [])
    return list(map(str, newest))


async def _ask_prefect(seen: Seen, verb: str, path: str, **request: Any) -> httpx.Response:
    answer = await _send_to_prefect(seen, verb, path, **request)
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise SyncError("Prefect refuses the login: check PREFECT_API_AUTH_STRING")
    if not (answer.is_success or answer.status_code == httpx.codes.NOT_FOUND):
        raise SyncError(f"Prefect answers HTTP {answer.status_code}: look at its log, then look again")
    return answer


async def _send_to_prefect(seen: Seen, verb: str, path: str, **request: Any) -> httpx.Response:
    settings = seen.settings
    login = settings.prefect_api_auth_string
    try:
        async with PrefectClient(settings.prefect_api_url, lambda: login, seconds=SECONDS) as http:
            return await http.request(verb, path, **request)
    except httpx.HTTPError as error:
        raise SyncError(
            f"Prefect does not answer at {seen.settings.prefect_api_url} ({type(error).__name__}): start it, or"
            " set PREFECT_API_URL"
        ) from None


def _is_served(answer: httpx.Response) -> bool:
    """Tell whether Prefect served the request; 404 counts, for it shows that the request was not refused."""
    return answer.is_success or answer.status_code == httpx.codes.NOT_FOUND
