"""Whose an account is, as far as an address tells: how it is written, whether it is confirmed, and who had it before."""

import pytest

from sandbox.server import Sandbox
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store
from tests.importing import ON, mapped, run_import, settings_for
from tests.integration.realtime_world import world


@pytest.fixture(scope="module")
def shared_sandbox():
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        yield running


@pytest.fixture
def sandbox(shared_sandbox):
    shared_sandbox.reset()
    return shared_sandbox


async def synced(sandbox, url, folder, slack_id, road):
    """Bring somebody in line on one of the two roads, and return why it was done, or not."""
    if road == "import":
        summary = await run_import(settings_for(sandbox.facts(), url), rows=ON)
        with Store.open(url) as store, store.reading() as tables:
            entries = tables.operations.rows(summary.plan.id)
            return next(e.operation.reason for e in entries if e.operation.slack_id == slack_id)
    async with world(sandbox, url, folder) as here:
        here.put(here.event(slack_id, kind="team_join"))
        await here.serve()
        return ""


def account(sandbox, username, email=None, **changes):
    return sandbox.docebo.accounts.add(username, email=email or username, **changes).user_id


def fingerprint(sandbox):
    return [(a.user_id, a.username, a.email, a.firstname, a.lastname, a.active) for a in sandbox.docebo.accounts]


ROADS = pytest.mark.parametrize("road", ["import", "real time"])


@pytest.mark.long
@ROADS
@pytest.mark.parametrize(
    ("in_slack", "in_docebo"),
    [
        ("ann@m\u00fcnchen.example", "ann@xn--mnchen-3ya.example"),
        ("ann@xn--mnchen-3ya.example", "Ann@M\u00dcNCHEN.example"),
    ],
)
async def test_an_account_is_found_however_the_domain_is_written(
    sandbox, sqlite_url, tmp_path, road, in_slack, in_docebo
):
    hers = account(sandbox, in_docebo, firstname="Ann", lastname="Berg")
    person = sandbox.slack.add("Ann", "Berg", in_slack)["id"]
    before = fingerprint(sandbox)

    await synced(sandbox, sqlite_url, tmp_path, person, road)

    assert mapped(sqlite_url, sandbox.slack.team.id) == {person: hers}
    assert fingerprint(sandbox) == before


@pytest.mark.long
@ROADS
@pytest.mark.parametrize(
    ("in_slack", "in_docebo"),
    [("jose\u0301@example.com", "jos\u00e9@example.com"), ("jos\u00e9@example.com", "Jose\u0301@example.com")],
)
async def test_an_account_is_found_however_the_accent_of_its_address_is_written(
    sandbox, sqlite_url, tmp_path, road, in_slack, in_docebo
):
    his = account(sandbox, in_docebo, firstname="Jos\u00e9", lastname="Berg")
    person = sandbox.slack.add("Jos\u00e9", "Berg", in_slack)["id"]
    before = fingerprint(sandbox)

    await synced(sandbox, sqlite_url, tmp_path, person, road)

    assert mapped(sqlite_url, sandbox.slack.team.id) == {person: his}
    assert fingerprint(sandbox) == before


@ROADS
async def test_an_address_that_only_looks_alike_finds_no_account(sandbox, sqlite_url, tmp_path, road):
    hers = account(sandbox, "\u00e4nne@strasse.example", firstname="Eva", lastname="Other")
    before = fingerprint(sandbox)
    person = sandbox.slack.add("\u00c4nne", "Berg", "\u00c4nne@stra\u00dfe.example")["id"]

    await synced(sandbox, sqlite_url, tmp_path, person, road)

    assert mapped(sqlite_url, sandbox.slack.team.id).get(person) != hers
    assert [row for row in fingerprint(sandbox) if row[0] == hers] == [row for row in before if row[0] == hers]


@ROADS
async def test_an_address_with_a_character_that_nobody_sees_is_told_of(sandbox, sqlite_url, tmp_path, road):
    account(sandbox, "boss@example.com")
    before = fingerprint(sandbox)
    person = sandbox.slack.add("Mal", "Lory", "bo\u200bss@example.com")["id"]

    reason = await synced(sandbox, sqlite_url, tmp_path, person, road)

    assert fingerprint(sandbox) == before
    assert mapped(sqlite_url, sandbox.slack.team.id) == {}
    if road == "import":
        assert reason == "the e-mail address holds characters that nobody can see (U+200B): correct it in Slack"


@pytest.mark.parametrize(
    ("road", "in_docebo"),
    [
        ("import", "\ufeffann@example.com"),
        ("import", "ann@exam\u00adple.com"),
        ("real time", "\ufeffann@example.com"),
        ("real time", "ann@example.com\u200b"),
    ],
)
@pytest.mark.variants(3)
async def test_nobody_gets_a_second_account_beside_one_with_a_character_that_nobody_sees(
    sandbox, sqlite_url, tmp_path, road, in_docebo
):
    hers = account(sandbox, in_docebo, firstname="Ann", lastname="Berg")
    person = sandbox.slack.add("Ann", "Berg", "ann@example.com")["id"]
    before = fingerprint(sandbox)

    reason = await synced(sandbox, sqlite_url, tmp_path, person, road)

    assert fingerprint(sandbox) == before
    if road == "import":
        assert reason.startswith(f"account {hers} bears this address with characters that nobody can see (U+")


@pytest.mark.long
async def test_who_gets_a_character_that_nobody_sees_into_the_address_has_not_left(sandbox, sqlite_url):
    rows = {**ON, "LEAVERS": "deactivate", "LEAVERS_OUT_OF_SCOPE": "true"}
    person = sandbox.slack.add("Ann", "Berg", "ann@example.com")["id"]
    await run_import(settings_for(sandbox.facts(), sqlite_url), rows=rows)
    sandbox.slack.add("Eva", "Stays", "eva@example.com")
    sandbox.slack.change(person, {"profile": {"email": "ann\u00ad@example.com"}})

    summary = await run_import(settings_for(sandbox.facts(), sqlite_url), rows=rows)

    assert summary.count(Kind.DEACTIVATE) == 0


@ROADS
@pytest.mark.parametrize("shown", ["a***@example.com", "REDACTED"])
@pytest.mark.variants(2)
async def test_whose_address_slack_masks_has_not_left_and_keeps_the_one_that_the_account_has(
    sandbox, sqlite_url, tmp_path, road, shown
):
    rows = {**ON, "LEAVERS": "deactivate", "LEAVERS_OUT_OF_SCOPE": "true", "SCOPE_EMAIL_DOMAINS": "example.com"}
    person = sandbox.slack.add("Ann", "Berg", "ann@example.com")["id"]
    sandbox.slack.add("Eva", "Stays", "eva@example.com")
    await run_import(settings_for(sandbox.facts(), sqlite_url), rows=rows)
    before = fingerprint(sandbox)
    sandbox.slack.change(person, {"profile": {"email": shown}})

    if road == "import":
        await run_import(settings_for(sandbox.facts(), sqlite_url), rows=rows)
    else:
        async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
            here.put(here.event(person))
            await here.serve()

    assert fingerprint(sandbox) == before


@pytest.mark.long
@ROADS
@pytest.mark.parametrize("match_by", ["email", "username", "email-and-username"])
async def test_an_address_that_is_not_confirmed_finds_no_account(sandbox, sqlite_url, tmp_path, road, match_by):
    account(sandbox, "boss@example.com", firstname="Bea", lastname="Boss")
    before = fingerprint(sandbox)
    person = sandbox.slack.add("Mal", "Lory", "boss@example.com", {"is_email_confirmed": False})["id"]

    if road == "import":
        await run_import(settings_for(sandbox.facts(), sqlite_url), rows={**ON, "MATCH_BY": match_by})
    else:
        async with world(sandbox, sqlite_url, tmp_path, MATCH_BY=match_by) as here:
            said_nothing = {"unconfirmed": False, "confirmed": False}
            here.put(here.event(person, profile=said_nothing))
            await here.serve()
            here.put(here.event(person), here.event(person, bare=True))
            await here.serve()

    assert fingerprint(sandbox) == before
    assert mapped(sqlite_url, sandbox.slack.team.id) == {}


@ROADS
@pytest.mark.parametrize("is_mapped", [True, False])
@pytest.mark.variants(1)
async def test_the_account_of_who_has_left_is_not_given_to_the_next_with_the_old_address(
    sandbox, sqlite_url, tmp_path, road, is_mapped
):
    rows = {**ON, "REHIRES": "hand-over"}
    settings = settings_for(sandbox.facts(), sqlite_url)
    ann = sandbox.slack.add("Ann", "Berg", "ann@example.com")["id"]
    await run_import(settings, rows=rows)
    hers = mapped(sqlite_url, sandbox.slack.team.id)[ann]
    sandbox.slack.change(ann, {"profile": {"email": "ann.berg@example.com"}})
    await run_import(settings, rows=rows)
    assert sandbox.docebo.accounts[hers].username == "ann@example.com"
    sandbox.slack.add("Eva", "Stays", "eva@example.com")
    sandbox.slack.deactivate(ann)
    sandbox.slack.change(ann, {}, remove=("profile.email",))
    await run_import(settings, rows={**rows, "LEAVERS": "keep" if is_mapped else "unmap", "LIMIT_UNMAPPINGS": "none"})
    with Store.open(sqlite_url) as store, store.reading() as tables:
        assert tables.applied(settings.docebo_url).given([hers]) == {hers: {ann}}
    bob = sandbox.slack.add("Bob", "Neu", "ann@example.com")["id"]
    before = fingerprint(sandbox)

    await synced(sandbox, sqlite_url, tmp_path, bob, road)

    assert fingerprint(sandbox) == before
    assert bob not in mapped(sqlite_url, sandbox.slack.team.id)


async def test_in_real_time_nobody_concludes_from_a_search_that_finds_nobody(sandbox, sqlite_url, tmp_path):
    account(sandbox, "ann@example.com", "ann@private.example", firstname="Ann", lastname="Berg")
    person = sandbox.slack.add("Ann", "Berg", "ann@example.com")["id"]
    before = fingerprint(sandbox)

    await synced(sandbox, sqlite_url, tmp_path, person, "real time")

    assert fingerprint(sandbox) == before
    assert mapped(sqlite_url, sandbox.slack.team.id) == {}
    summary = await run_import(settings_for(sandbox.facts(), sqlite_url), rows=ON)  # which sees that nobody bears it
    assert summary.count(Kind.UPDATE, Kind.MAP, outcome=Outcome.APPLIED) == 1


WITHOUT_MAPPINGS = {**ON, "MAP_SLACK_USER_DATA": "false"}


@pytest.mark.long
async def test_what_accounts_bear_of_people_without_mappings_is_known_by_the_last_import(sandbox, sqlite_url):
    names, settings = ("Ada", "Bob"), settings_for(sandbox.facts(), sqlite_url)
    people = [sandbox.slack.add(name, "Lovelace", f"{name}@example.com".lower())["id"] for name in names]
    theirs = [account(sandbox, f"{name}@example.com".lower(), firstname=name, lastname="Lovelace") for name in names]
    await run_import(settings, rows=WITHOUT_MAPPINGS)
    for slack_id, user_id, name in zip(
        people, theirs, names, strict=True
    ):  # the company has a new domain, on both sides
        address = f"{name}@new.example".lower()
        sandbox.slack.change(slack_id, {"profile": {"email": address}})
        sandbox.docebo.accounts.change(user_id, {"username": address, "email": address})
    await run_import(settings, rows=WITHOUT_MAPPINGS)
    for slack_id, name in zip(people, reversed(names), strict=True):
        sandbox.slack.change(slack_id, {"profile": {"email": f"{name}@new.example".lower()}})

    await run_import(settings, rows=WITHOUT_MAPPINGS)

    assert [sandbox.docebo.accounts[user_id].firstname for user_id in theirs] == list(names)


@ROADS
@pytest.mark.parametrize("are_there", [True, False], ids=["in line from the start", "made by us"])
@pytest.mark.variants(1)  # both roads
async def test_people_without_mappings_who_pass_their_addresses_on_in_a_circle_keep_their_accounts(
    sandbox, sqlite_url, tmp_path, road, are_there
):
    names, settings = ("Ada", "Bob", "Cy"), settings_for(sandbox.facts(), sqlite_url)
    people = [sandbox.slack.add(name, "Lovelace", f"{name}@example.com".lower())["id"] for name in names]
    for name in names if are_there else ():
        account(sandbox, f"{name}@example.com".lower(), firstname=name, lastname="Lovelace")
    await run_import(settings, rows=WITHOUT_MAPPINGS)
    theirs = {sandbox.docebo.accounts.by_username(f"{name}@example.com".lower()).user_id: name for name in names}
    for slack_id, name in zip(people, ("Bob", "Cy", "Ada"), strict=True):
        sandbox.slack.change(slack_id, {"profile": {"email": f"{name}@example.com".lower(), "title": "Dr"}})

    if road == "real time":
        async with world(sandbox, sqlite_url, tmp_path, MAP_SLACK_USER_DATA="false") as here:
            for slack_id in people:
                here.put(here.event(slack_id))
                await here.serve()
    else:
        await run_import(settings, rows=WITHOUT_MAPPINGS)

    assert {user_id: sandbox.docebo.accounts[user_id].firstname for user_id in theirs} == theirs
    await run_import(settings, rows=WITHOUT_MAPPINGS)
    borne = {name: sandbox.docebo.accounts[user_id].email for user_id, name in theirs.items()}
    assert borne == {"Ada": "bob@example.com", "Bob": "cy@example.com", "Cy": "ada@example.com"}


@ROADS
@pytest.mark.parametrize(
    ("change", "remove"),
    [({}, ("profile.email",)), ({"is_restricted": True, "profile": {"email": "ann@other.example"}}, ())],
    ids=["whose address Slack hides", "who is a guest now"],
)
@pytest.mark.variants(2)  # both roads
async def test_the_account_of_somebody_who_is_out_of_scope_is_not_given_to_the_next_with_the_address(
    sandbox, sqlite_url, tmp_path, road, change, remove
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    ann = sandbox.slack.add("Ann", "Berg", "ann@example.com")["id"]
    await run_import(settings, rows=WITHOUT_MAPPINGS)
    sandbox.slack.change(ann, change, remove)
    bob = sandbox.slack.add("Bob", "Neu", "ann@example.com")["id"]
    before = fingerprint(sandbox)

    if road == "import":
        assert (await run_import(settings, rows=WITHOUT_MAPPINGS)).undecided == 1
    else:
        async with world(sandbox, sqlite_url, tmp_path, MAP_SLACK_USER_DATA="false") as here:
            here.put(here.event(ann), here.event(bob, kind="team_join"))
            await here.serve()

    assert fingerprint(sandbox) == before


@pytest.mark.long
@ROADS
@pytest.mark.parametrize("mapping", ["false", "true"], ids=["without mappings", "with mappings"])
@pytest.mark.parametrize(
    ("address", "is_guest"),
    [("ann@partner.example", False), ("ann@example.com", True)],
    ids=["whose address was excluded", "who was a guest"],
)
async def test_who_comes_into_scope_with_another_address_keeps_the_account_of_before(
    sandbox, sqlite_url, tmp_path, address, is_guest, mapping, road
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = {"MAP_SLACK_USER_DATA": mapping, "SCOPE_EXCLUDE": "*@partner.example"}
    ann = sandbox.slack.add("Ann", "Berg", address)["id"]
    sandbox.slack.change(ann, {"is_restricted": is_guest})
    hers = account(sandbox, address, firstname="Ann", lastname="Berg")
    await run_import(settings, rows=ON | rows)
    sandbox.slack.change(ann, {"is_restricted": False, "profile": {"email": "ann@new.example"}})

    if road == "import":
        await run_import(settings, rows=ON | rows)
    else:
        async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
            here.put(here.event(ann))
            await here.serve()

    assert [one.user_id for one in sandbox.docebo.accounts if one.firstname == "Ann"] == [hers]
    assert sandbox.docebo.accounts[hers].email == "ann@new.example"


@pytest.mark.long
@ROADS
@pytest.mark.parametrize("mapping", ["false", "true"], ids=["without mappings", "with mappings"])
async def test_the_account_of_somebody_who_was_never_in_scope_is_not_given_to_the_next_with_the_address(
    sandbox, sqlite_url, tmp_path, mapping, road
):
    ann = sandbox.slack.add("Ann", "Berg", "ann@example.com")["id"]
    account(sandbox, "ann@example.com", firstname="Ann", lastname="Berg")
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = {"MAP_SLACK_USER_DATA": mapping, "SCOPE_EXCLUDE": ann}
    await run_import(settings, rows=ON | rows)
    sandbox.slack.change(ann, {"profile": {"email": "ann@other.example"}})
    bob = sandbox.slack.add("Bob", "Neu", "ann@example.com")["id"]
    before = fingerprint(sandbox)

    if road == "import":
        assert (await run_import(settings, rows=ON | rows)).undecided == 1
    else:
        async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
            here.put(here.event(ann), here.event(bob, kind="team_join"))
            await here.serve()

    assert fingerprint(sandbox) == before


async def test_what_an_event_has_applied_while_an_import_was_planned_stays_known_without_mappings(
    sandbox, sqlite_url, tmp_path
):
    account(sandbox, "ada@example.com", firstname="Ada", lastname="Lovelace")
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    async with world(sandbox, sqlite_url, tmp_path, MAP_SLACK_USER_DATA="false") as here:

        async def pages():
            yield [source_user(sandbox.slack.get(ada))]
            sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
            here.put(here.event(ada))
            await here.serve()

        accounts = await read_target(here.runtime)
        await make_plan(here.runtime, here.workspace, pages(), accounts, kind=PlanKind.BULK_IMPORT)

        with here.runtime.store.reading() as tables:
            known = tables.applied(here.runtime.settings.docebo_url).of(here.workspace.team, [ada])
    assert known[ada].fingerprint


@ROADS
@pytest.mark.parametrize("name", ["Ada", "Bob"], ids=["in line with it", "written into it"])
@pytest.mark.variants(2)  # both roads
async def test_whose_former_id_comes_back_with_another_address_does_not_get_the_account_of_who_has_it_by_now(
    sandbox, sqlite_url, tmp_path, road, name
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**WITHOUT_MAPPINGS, "REHIRES": "hand-over"}
    sandbox.slack.add("Eva", "Stays", "eva@example.com")
    old = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    account_id = sandbox.docebo.accounts.by_username("ada@example.com").user_id

    async def told(slack_id):
        if road == "import":
            await run_import(settings, rows=rows)
            return
        async with world(sandbox, sqlite_url, tmp_path, MAP_SLACK_USER_DATA="false", REHIRES="hand-over") as here:
            here.put(here.event(slack_id))
            await here.serve()

    sandbox.slack.deactivate(old)
    await told(old)
    await told(sandbox.slack.add(name, "Lovelace", "ada@example.com")["id"])
    sandbox.slack.reactivate(old)
    sandbox.slack.change(old, {"profile": {"email": "king@example.com"}})
    await told(old)
    await run_import(settings, rows=rows)

    shown = sandbox.docebo.accounts[account_id]
    assert (shown.firstname, shown.email) == (name, "ada@example.com")
    assert sandbox.docebo.accounts.by_username("king@example.com")
