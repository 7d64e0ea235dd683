"""Docebo shows no e-mail address of accounts that have one: nobody gets a second account, and nothing is written for it."""

from collections.abc import Iterator

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.errors import IncompleteRead
from slack_docebo.settings import Settings
from slack_docebo.storage.events import EventState
from tests.between import between
from tests.importing import mapped, run_import, settings_for
from tests.integration.realtime_world import world

NAMES = ("ada", "bob", "eva")
DOCEBO_USERS = 4


@pytest.fixture
def sandbox(small_sandbox: Sandbox) -> Sandbox:
    """A company whose people have accounts under usernames that are no addresses."""
    small_sandbox.reset()
    for name in NAMES:
        small_sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")
        small_sandbox.docebo.accounts.add(f"{name}.lovelace", email=f"{name}@example.com", lastname="Byron")
    return small_sandbox


@pytest.fixture
def hidden() -> set[int]:
    """The accounts whose addresses lists do not show; the view of an account does."""
    return set()


@pytest.fixture
def shown_as() -> list[object]:
    """What lists show in place of a hidden address; a text may name its domain."""
    return [None]


@pytest.fixture
def settings(sandbox: Sandbox, sqlite_url: str, hidden: set[int], shown_as: list[object]) -> Iterator[Settings]:
    def without_addresses(call, answer):
        if call.method == "GET" and call.path.startswith("/manage/v1/user?"):
            for item in answer["data"]["items"]:
                if int(item["user_id"]) in hidden:
                    mask, domain = shown_as[0], item["email"].rpartition("@")[2]
                    item["email"] = mask.format(domain=domain) if isinstance(mask, str) else mask
            return answer
        return None

    with between(sandbox.docebo_url, changed=without_addresses) as url:
        yield settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)


def ids(sandbox: Sandbox, *names: str) -> set[int]:
    return {sandbox.docebo.accounts.by_username(f"{name}.lovelace").user_id for name in names}


def made(sandbox: Sandbox) -> list[str]:
    return [account.username for account in sandbox.docebo.accounts if account.provisioned_by]


@pytest.mark.long
@pytest.mark.parametrize("mask", [None, False, "a***@{domain}", "REDACTED"])
@pytest.mark.parametrize("of_whom", ["everybody", "most"])
async def test_a_list_that_hides_addresses_makes_nobody_a_second_account(
    sandbox, settings, hidden, shown_as, sqlite_url, of_whom, mask
):
    shown_as[0] = mask
    everybody = {account.user_id for account in sandbox.docebo.accounts}
    hidden |= everybody if of_whom == "everybody" else ids(sandbox, *NAMES)

    with pytest.raises(IncompleteRead, match=r"shows no e-mail address of .* sign in as a superadmin who may see"):
        await run_import(settings)
    assert (made(sandbox), mapped(sqlite_url, sandbox.slack.team.id)) == ([], {})
    hidden.clear()
    await run_import(settings)

    assert ids(sandbox, *NAMES) <= set(mapped(sqlite_url, sandbox.slack.team.id).values())
    assert sandbox.docebo.accounts.by_username("ada@example.com") is None


@pytest.mark.long
async def test_an_address_that_was_seen_before_and_is_hidden_now_is_asked_for_first(sandbox, settings, hidden):
    for number in range(20):  # who have none
        hidden.add(sandbox.docebo.accounts.add(f"terminal{number}", email="").user_id)
    await run_import(settings)
    hidden |= ids(sandbox, "eva")

    with pytest.raises(IncompleteRead, match=rf"account {min(ids(sandbox, 'eva'))} has one"):
        await run_import(settings)


@pytest.mark.long
async def test_that_accounts_have_no_address_is_found_out_once(sandbox, settings, hidden):
    def asked() -> int:
        return int(sandbox.docebo_gate.counters.calls["GET /manage/v1/user/{id}"])

    hidden |= {sandbox.docebo.accounts.add(f"terminal{number}", email="").user_id for number in range(3)}
    nights = []
    for newcomers in (0, 0, 1):
        hidden |= {sandbox.docebo.accounts.add(f"kiosk{number}", email="").user_id for number in range(newcomers)}
        before = asked()
        await run_import(settings)
        nights.append(asked() - before)

    assert nights[1:] == [0, 1]
    assert nights[0] >= 3


@pytest.mark.long
async def test_an_address_that_is_not_shown_is_no_difference(sandbox, settings, hidden):
    await run_import(settings)
    account = sandbox.docebo.accounts.by_username("ada.lovelace")
    sandbox.docebo.edit(account.user_id, {"email": ""})
    hidden.add(account.user_id)

    nights = [await run_import(settings) for _ in range(2)]

    assert [night.count(Kind.UPDATE, Kind.CREATE, outcome=Outcome.APPLIED) for night in nights] == [0, 0]


@pytest.mark.parametrize(
    ("borne", "is_believed"),
    [
        (["n/a"], True),
        (["n/a", "none"], True),
        (["REDACTED", "REDACTED"], False),
        (["a***"], False),
        ([f"none{number}" for number in range(6)], False),
    ],
)
@pytest.mark.variants(3)
async def test_an_account_that_bears_something_else_than_an_address_has_none_and_stops_nobody(
    sandbox, settings, borne, is_believed
):
    for number, text in enumerate(borne):
        sandbox.docebo.accounts.add(f"kiosk{number}", email=text)

    if not is_believed:
        with pytest.raises(IncompleteRead, match=r"If what it has is no address, correct it in Docebo"):
            await run_import(settings)
        return
    await run_import(settings)

    assert [one.username for one in sandbox.docebo.accounts if one.email in borne] == ["kiosk0", "kiosk1"][: len(borne)]
    assert (await run_import(settings)).count(Kind.CREATE, Kind.UPDATE) == 0


@pytest.mark.long
async def test_a_platform_whose_few_accounts_have_no_address_can_be_imported(
    small_sandbox, settings, hidden, sqlite_url
):
    for account in small_sandbox.docebo.accounts:
        if account.level == "godadmin":
            small_sandbox.docebo.edit(account.user_id, {"email": ""})
            hidden.add(account.user_id)
        else:
            small_sandbox.docebo.delete(account.user_id)

    await run_import(settings)

    assert len(mapped(sqlite_url, small_sandbox.slack.team.id)) >= len(NAMES)


async def test_in_real_time_nobody_gets_a_second_account_beside_one_that_hides_its_address(
    sandbox, settings, hidden, sqlite_url, tmp_path
):
    hidden |= ids(sandbox, "ada")
    slack_id = sandbox.slack.by_email("ada@example.com")["id"]
    async with world(sandbox, sqlite_url, tmp_path, addresses={"DOCEBO_URL": settings.docebo_url}) as here:
        event = here.event(slack_id)
        here.put(event)
        await here.serve()
        parked = here.state(event)

    assert parked is EventState.PARKED
    assert made(sandbox) == []
