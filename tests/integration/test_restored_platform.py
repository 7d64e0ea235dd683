"""Docebo is restored from a backup, and behind each id there is somebody else: nobody is written, shut out or made anew."""

import pytest

from sandbox.server import Sandbox
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from tests.importing import ON, mapped, plan_import, run_import, settings_for
from tests.integration.realtime_world import world

ROWS = {
    **ON,
    "LEAVERS": "deactivate",
    "LIMIT_DEACTIVATIONS": "none",
    "LIMIT_REMAPPINGS": "none",
    "TARGET_MAY_SHRINK": "99",
}
NAMES = ("ada", "bob", "eva", "kim", "leo", "mia")


@pytest.fixture
def sandbox(small_sandbox: Sandbox) -> Sandbox:
    small_sandbox.reset()
    for name in NAMES:
        small_sandbox.slack.add(name.title(), f"Of {name}", f"{name}@example.com")
    return small_sandbox


def slack_id(sandbox: Sandbox, name: str) -> str:
    return str(sandbox.slack.by_email(f"{name}@example.com")["id"])


def restore(sandbox: Sandbox, whose: str) -> None:
    """Let the accounts of our people be those of strangers, or each that of the next one."""
    accounts = [account for account in sandbox.docebo.accounts if account.provisioned_by]
    shown = [(one.username, one.firstname, one.lastname) for one in accounts]
    strangers = [(f"customer{n}@elsewhere.org", "Customer", f"No {n}") for n in range(len(accounts))]
    after = {"strangers": [strangers], "each other's": [strangers, [*shown[1:], shown[0]]]}[whose]
    for names in after:
        for account, (username, first, last) in zip(accounts, names, strict=True):
            changed = {"username": username, "email": username, "firstname": first, "lastname": last}
            sandbox.docebo.edit(account.user_id, changed)


def shown(sandbox: Sandbox) -> list[tuple]:
    return [(a.user_id, a.username, a.email, a.firstname, a.lastname, a.active) for a in sandbox.docebo.accounts]


@pytest.mark.parametrize("whose", ["each other's", pytest.param("strangers", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "road",
    [
        "import",
        "real time",
        *(pytest.param(road, marks=pytest.mark.long) for road in ("trusting import", "saved plan", "undo")),
    ],
)
@pytest.mark.variants(1)
async def test_behind_the_ids_of_a_restored_platform_nobody_is_touched(sandbox, sqlite_url, road, whose, tmp_path):
    settings, behaviour = settings_for(sandbox.facts(), sqlite_url), read_rows(table(ROWS))
    first = await run_import(settings, rows=ROWS)
    maps = mapped(sqlite_url, sandbox.slack.team.id)
    sandbox.slack.deactivate(slack_id(sandbox, "ada"))
    sandbox.slack.change(slack_id(sandbox, "bob"), {"profile": {"last_name": "King"}})
    sandbox.slack.change(slack_id(sandbox, "eva"), {"profile": {"email": "eva.king@example.com"}})
    async with open_runtime(settings, behaviour, run_id="plan") as runtime:
        plan_id = await plan_import(runtime)
    restore(sandbox, whose)
    before = shown(sandbox)

    if road in {"import", "trusting import"}:
        await run_import(settings, rows=ROWS, verify_target=road == "import")
    elif road == "saved plan":
        async with open_runtime(settings, behaviour, run_id="saved") as runtime:
            await apply_saved(runtime, plan_id, lambda _: None)
    elif road == "undo":
        async with open_runtime(settings, behaviour, run_id="undo") as runtime:
            await apply_saved(runtime, plan_undo(runtime, first.plan.id, deactivate_created=True), lambda _: None)
    else:
        async with world(sandbox, sqlite_url, tmp_path) as here:
            here.put(*(here.event(slack_id(sandbox, name)) for name in ("ada", "bob", "kim")))
            await here.serve()

    assert shown(sandbox) == before
    assert mapped(sqlite_url, sandbox.slack.team.id) == maps


@pytest.mark.variants(2)
@pytest.mark.parametrize("road", ["import", "real time"])
@pytest.mark.parametrize("leaves", [True, False])
async def test_an_account_behind_whose_id_there_is_a_namesake_is_not_touched_for_its_former_owner(
    sandbox, sqlite_url, tmp_path, road, leaves
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    kim, _namesake = [sandbox.slack.add("Kim", "Lee", f"kim.lee{n}@example.com")["id"] for n in (1, 2)]
    await run_import(settings, rows=ROWS)
    [hers], [the_others] = (sandbox.docebo.accounts.by_email(f"kim.lee{n}@example.com") for n in (1, 2))
    sandbox.docebo.delete(the_others.user_id)
    sandbox.docebo.edit(hers.user_id, {"username": the_others.username, "email": the_others.email})
    before = shown(sandbox)
    if leaves:
        sandbox.slack.deactivate(kim)
    else:
        sandbox.slack.change(kim, {"profile": {"last_name": "King", "real_name": "Kim Lee"}})

    if road == "import":
        await run_import(settings, rows=ROWS)
    else:
        async with world(sandbox, sqlite_url, tmp_path, **ROWS) as here:
            here.put(here.event(kim))
            await here.serve()

    assert [one for one in shown(sandbox) if one[0] == hers.user_id] == [
        one for one in before if one[0] == hers.user_id
    ]
