"""A clock that is wrong by hours: limits are counted by it over time, so nothing is done where both sides say so."""

from contextlib import closing
from sqlite3 import connect

import pytest

from sandbox.server import Sandbox
from slack_docebo.errors import ChangeLimitExceeded, ConfigurationError
from slack_docebo.settings import Settings
from tests.importing import ON, run_import, settings_for
from tests.integration.realtime_world import world

LEAVERS = {**ON, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "1"}
HOUR = 3600
NAMES = ("ada", "bob", "eva")


@pytest.fixture
def sandbox(small_sandbox: Sandbox) -> Sandbox:
    small_sandbox.reset()
    for name in NAMES:
        small_sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")
    return small_sandbox


@pytest.fixture
def settings(sandbox: Sandbox, sqlite_url: str) -> Settings:
    return settings_for(sandbox.facts(), sqlite_url)


def leave(sandbox: Sandbox, name: str) -> None:
    sandbox.slack.deactivate(str(sandbox.slack.by_email(f"{name}@example.com")["id"]))


def who_gets_in(sandbox: Sandbox) -> set[str]:
    return {name for name in NAMES if sandbox.docebo.accounts.by_username(f"{name}@example.com").active}


@pytest.mark.parametrize(("hours", "told"), [(-49, "49 hours ahead of"), (30, "30 hours behind")])
@pytest.mark.variants(1)
async def test_by_a_clock_that_both_sides_call_wrong_nothing_is_done(sandbox, settings, hours, told):
    await run_import(settings, rows=LEAVERS)
    leave(sandbox, "ada")
    sandbox.slack_gate.clock_ahead = sandbox.docebo_gate.clock_ahead = hours * HOUR

    with pytest.raises(ConfigurationError, match=f"clock of this machine is {told} Slack's and Docebo's.*: set it"):
        await run_import(settings, rows=LEAVERS)

    assert who_gets_in(sandbox) == set(NAMES)


@pytest.mark.long
async def test_one_side_alone_does_not_make_a_clock_wrong(sandbox, settings):
    sandbox.slack_gate.clock_ahead = 30 * HOUR
    await run_import(settings, rows=LEAVERS)
    sandbox.slack_gate.clock_ahead, sandbox.docebo_gate.clock_ahead = -2 * HOUR, 2 * HOUR
    leave(sandbox, "ada")

    await run_import(settings, rows=LEAVERS)

    assert who_gets_in(sandbox) == {"bob", "eva"}


@pytest.mark.parametrize(("days_ahead", "counts"), [(10, True), (4000, False)])
async def test_what_a_clock_that_was_ahead_has_noted_counts_and_keeps_nobody_waiting_for_years(
    sandbox, settings, sqlite_url, days_ahead, counts
):
    await run_import(settings, rows=LEAVERS)
    leave(sandbox, "ada")
    await run_import(settings, rows=LEAVERS)
    with closing(connect(sqlite_url.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE operation SET done_at = datetime(done_at, ? || ' days')", [days_ahead])
    leave(sandbox, "bob")

    if counts:
        with pytest.raises(ChangeLimitExceeded, match=r"2 to deactivate \(1 of them by runs before\)"):
            await run_import(settings, rows=LEAVERS)
    else:
        await run_import(settings, rows=LEAVERS)

    assert who_gets_in(sandbox) == ({"bob", "eva"} if counts else {"eva"})


@pytest.mark.parametrize("ahead", ["5 minutes", "2 hours"])
@pytest.mark.variants(1)
async def test_who_joins_after_accounts_were_counted_by_a_clock_that_was_ahead_waits_until_they_are_counted_anew(
    sandbox, settings, sqlite_url, tmp_path, ahead
):
    await run_import(settings)
    most = len(sandbox.docebo.accounts) + 1
    with closing(connect(sqlite_url.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE proven_read SET proven_at = datetime(proven_at, ?)", [ahead])

    async with world(sandbox, sqlite_url, tmp_path, MAX_ACCOUNTS=str(most)) as here:
        for name in ("Ida", "Zoe"):
            joined = sandbox.slack.add(name, "Rhodes", f"{name.lower()}@example.com")
            here.put(here.event(joined["id"], kind="team_join"))
            await here.serve()
    assert len(sandbox.docebo.accounts) <= most

    await run_import(settings, rows={"MAX_ACCOUNTS": str(most + 1)})
    assert len(sandbox.docebo.accounts) == most + 1
