"""A company joins Enterprise Grid: people get ids of the organisation beside the local ones, and further workspaces."""

from dataclasses import asdict, replace

import pytest

from sandbox.server import Sandbox
from slack_docebo.clients.slack import SlackClient
from slack_docebo.clients.slack_wire import UserPage, source_user
from slack_docebo.domain.decisions import NEVER
from slack_docebo.domain.disputes import DISPUTED
from slack_docebo.domain.observation import Present
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.importing import apply_saved, plan_import
from slack_docebo.engine.mappings.deciding import DecisionAction, DecisionRequest, decide
from slack_docebo.engine.mappings.forgetting import forget, remember
from slack_docebo.engine.planning.named import plan_named
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.realtime import rounds
from slack_docebo.engine.realtime.serve_result import Became
from slack_docebo.engine.realtime.settling import Settlement
from slack_docebo.errors import ConfigurationError, IncompleteRead, TransientError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.events import EventState
from slack_docebo.storage.store import Store
from tests.between import between
from tests.importing import ON, carry_out, mapped, prove, run_import, settings_for
from tests.integration.after_an_import import apply_by_id, decide_never
from tests.integration.realtime_world import replaced, world

LEAVERS = {**ON, "LIMIT_REMAPPINGS": "0", "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none"}


@pytest.fixture
def sandbox():
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        for name in ("Ada", "Ida", "Eva"):
            running.slack.add(name, "Grid", f"{name.lower()}@example.com")
        yield running


def people(sandbox):
    return [user["id"] for user in sandbox.slack if user["id"] != "USLACKBOT"]


def organisation_id(slack_id):
    return f"W9{slack_id[2:]}"


def join_grid(sandbox, *, team_id="T0HOME", teams=None, remove=()):
    """Everybody gets an id of the organisation, and another workspace of it as their own."""
    for slack_id in people(sandbox):
        enterprise = {
            "id": organisation_id(slack_id),
            "enterprise_id": "E0GRID",
            "teams": teams or ["T0HOME", team(sandbox)],
        }
        changes = {"team_id": team_id, "profile": {"team": team_id}, "enterprise_user": enterprise}
        sandbox.slack.change(slack_id, changes, remove)


def listing(slack_id, before):
    """Return the change by which Slack's list shows the person as *before*."""

    def changed(call, answer):
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [before if one["id"] == slack_id else one for one in answer["members"]]}

    return changed


def team(sandbox):
    return sandbox.slack.team.id


def operations(settings, summary):
    with Store.of(settings) as store, store.reading() as tables:
        return {entry.operation.slack_id: entry for entry in tables.operations.rows(summary.plan.id)}


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param({}, id="of another workspace"),
        pytest.param({"team_id": ""}, id="of an empty one"),
        pytest.param({"remove": ("team_id", "profile.team")}, id="of none"),
        pytest.param({"team_id": "E0GRID"}, id="of the organisation"),
    ],
)
@pytest.mark.parametrize("verify_target", [True, False])
@pytest.mark.variants(1)
async def test_a_company_that_joins_grid_loses_nobody(sandbox, sqlite_url, shape, verify_target):
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=LEAVERS)
    before = mapped(sqlite_url, team(sandbox))
    join_grid(sandbox, **shape)

    summary = await run_import(settings, rows=LEAVERS, verify_target=verify_target)

    entries = operations(settings, summary)
    for slack_id in people(sandbox):
        gained = entries[organisation_id(slack_id)]
        assert (gained.operation.kind, gained.outcome) == (Kind.MAP, Outcome.APPLIED)
        assert gained.operation.reason == f"known as {slack_id} so far"
    assert summary.count(Kind.DEACTIVATE, Kind.UNMAP, Kind.CREATE, Kind.UPDATE) == 0
    assert mapped(sqlite_url, team(sandbox)) == {organisation_id(slack_id): before[slack_id] for slack_id in before}
    with Store.open(sqlite_url) as store, store.reading() as tables:
        for slack_id in people(sandbox):
            keys = tables.people.of(team(sandbox), [slack_id, organisation_id(slack_id)])
            assert len(keys) == 2
            assert len(set(keys.values())) == 1

    again = await run_import(settings, rows=LEAVERS)
    assert again.count(outcome=Outcome.APPLIED) == 0


async def test_who_has_waited_for_a_decision_does_not_wait_for_ever_under_the_local_id(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    twins = [sandbox.docebo.accounts.add(name, email="ada@example.com").user_id for name in ("ada", "ada.grid")]
    await run_import(settings)
    join_grid(sandbox)
    await run_import(settings)
    sandbox.docebo.delete(twins[1])

    await run_import(settings)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        reasons = tables.standings.reasons(settings.docebo_url, team(sandbox))
        assert tables.waiting(settings.docebo_url, team(sandbox), reasons) == {}


@pytest.mark.parametrize("mapping", ["true", "false"])
@pytest.mark.parametrize(
    ("is_told", "evidence_calls"),
    [
        pytest.param(True, "1", id="Slack tells the ids of 400 people at once"),
        pytest.param(False, "4", id="it does not"),
    ],
)
@pytest.mark.long
async def test_a_list_of_the_organisations_ids_alone_is_found_out_about_once(
    sandbox, sqlite_url, monkeypatch, mapping, is_told, evidence_calls
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = {**LEAVERS, "MAP_SLACK_USER_DATA": mapping, "EVIDENCE_CALLS": evidence_calls}
    await run_import(settings, rows=LEAVERS)
    join_grid(sandbox)
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))
    if not is_told:
        sandbox.slack_gate.faults.add("migration.exchange", "ok_false", times=-1, error="missing_scope")

    first = await run_import(settings, rows=rows)
    again = await run_import(settings, rows=rows)

    assert (first.plan.facts["evidence_calls"], again.plan.facts["evidence_calls"]) == (int(evidence_calls), 0)
    assert [kind for kind, *_ in again.tally if kind is not Kind.LEAVE] == []
    assert sum(bool(account.provisioned_by) for account in sandbox.docebo.accounts) == 3


@pytest.mark.parametrize("leavers", ["unmap", "deactivate", "keep"])
@pytest.mark.variants(1)
async def test_who_was_linked_by_hand_keeps_that_account_under_the_organisations_id(
    sandbox, sqlite_url, monkeypatch, leavers
):
    settings, ada = settings_for(sandbox.facts(), sqlite_url), people(sandbox)[0]
    rows = {**LEAVERS, "LEAVERS": leavers, "LIMIT_UNMAPPINGS": "none"}
    await run_import(settings, rows=rows)
    other = sandbox.docebo.accounts.add("countess", firstname="A", lastname="L", email="countess@example.com")
    async with open_runtime(settings, read_rows(table(rows)), run_id="links") as runtime:
        link = DecisionRequest(DecisionAction.LINK, [ada], docebo_id=other.user_id, why="agreed", by="Ann")
        await decide(runtime, await validate(runtime), link)
    join_grid(sandbox)
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))

    await run_import(settings, rows=rows)

    now = mapped(sqlite_url, team(sandbox))
    assert now[organisation_id(ada)] == other.user_id
    assert ada not in now


async def test_who_has_left_and_is_listed_under_the_organisations_id_is_shut_out_once(sandbox, sqlite_url, monkeypatch):
    settings, ada = settings_for(sandbox.facts(), sqlite_url), people(sandbox)[0]
    await run_import(settings, rows=LEAVERS)
    join_grid(sandbox)
    sandbox.slack.change(ada, {"deleted": True})
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))

    left = await run_import(settings, rows=LEAVERS)

    assert left.count(Kind.DEACTIVATE) == 1


@pytest.mark.parametrize("verify_target", [True, False])
@pytest.mark.long
async def test_nobody_gets_an_account_under_another_id_whom_somebody_has_decided_never_to_touch(
    sandbox, sqlite_url, monkeypatch, verify_target
):
    settings, never = settings_for(sandbox.facts(), sqlite_url), people(sandbox)[0]
    async with open_runtime(settings, read_rows(table(LEAVERS)), run_id="decides") as runtime:
        words = {"why": "agreed", "by": "Ann"}
        await decide(runtime, await validate(runtime), DecisionRequest(DecisionAction.NEVER, [never], **words))
    await run_import(settings, rows=LEAVERS)
    join_grid(sandbox)
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))

    first = await run_import(settings, rows=LEAVERS, verify_target=verify_target)
    again = await run_import(settings, rows=LEAVERS)

    assert operations(settings, first)[organisation_id(never)].operation.reason == NEVER
    assert sum(bool(account.provisioned_by) for account in sandbox.docebo.accounts) == 2
    assert again.plan.facts["evidence_calls"] == 0  # it is asked once


@pytest.mark.parametrize("road", ["import", "event", "trusting import", "by name"])
@pytest.mark.variants(1)
async def test_who_is_forgotten_stays_so_under_the_organisations_id_and_another_address(
    sandbox, sqlite_url, tmp_path, monkeypatch, road
):
    settings, (ada, ida, _) = settings_for(sandbox.facts(), sqlite_url), people(sandbox)
    await run_import(settings, rows=LEAVERS)
    with Store.open(sqlite_url) as store:
        forget(store, tmp_path / "reports", ada)
    sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})
    join_grid(sandbox)
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))
    shown = replace(source_user(sandbox.slack.get(ada)), local_id="")
    monkeypatch.setattr(SlackClient, "user", without_local_id(SlackClient.user, but_for=[ida]))
    async with world(sandbox, sqlite_url, tmp_path, **LEAVERS) as here:
        if road == "event":
            here.put(replaced(here.event(ada), slack_id=shown.slack_id, profile=asdict(shown)))
            await here.serve()
        elif road == "by name":
            await carry_out(here.runtime, await plan_named(here.runtime, here.workspace, [shown]))
        else:
            await run_import(settings, rows=LEAVERS, verify_target=road == "import")

    addresses = {account.email for account in sandbox.docebo.accounts if account.provisioned_by}
    assert addresses == {"ada@example.com", "ida@example.com", "eva@example.com"}

    with Store.open(sqlite_url) as store:
        remember(store, ada)
    await run_import(settings, rows=LEAVERS)
    assert organisation_id(ada) in mapped(sqlite_url, team(sandbox))


@pytest.mark.parametrize("road", ["event", "event that Slack explains later", "by name"])
@pytest.mark.variants(1)
async def test_who_gets_another_address_as_the_company_joins_grid_gets_no_second_account_before_an_import(
    sandbox, sqlite_url, tmp_path, monkeypatch, road
):
    settings, (ada, *_) = settings_for(sandbox.facts(), sqlite_url), people(sandbox)
    await run_import(settings, rows=LEAVERS)
    account = mapped(sqlite_url, team(sandbox))[ada]
    sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})
    join_grid(sandbox)
    shown = replace(source_user(sandbox.slack.get(ada)), local_id="")
    monkeypatch.setattr(SlackClient, "user", without_local_id(SlackClient.user))
    async with world(sandbox, sqlite_url, tmp_path, **LEAVERS) as here:
        if road == "by name":
            await carry_out(here.runtime, await plan_named(here.runtime, here.workspace, [shown]))
        else:
            event = replaced(here.event(ada), slack_id=shown.slack_id, profile=asdict(shown))
            here.put(event)
            if road != "event":
                sandbox.slack_gate.faults.add("migration.exchange", "html_503", times=-1)
                await here.serve()
                assert (here.state(event), here.docebo_id(organisation_id(ada))) == (EventState.PARKED, None)
                sandbox.slack_gate.faults.clear()
                here.replay(event)
            await here.serve()

    assert mapped(sqlite_url, team(sandbox))[organisation_id(ada)] == account
    assert sandbox.docebo.accounts[account].email == "king@example.com"
    assert len([one for one in sandbox.docebo.accounts if one.provisioned_by]) == 3


@pytest.mark.parametrize("calls", ["0", "1000"], ids=["EVIDENCE_CALLS", "no answer"])
@pytest.mark.variants(1)
async def test_who_may_have_a_former_id_that_cannot_be_asked_for_waits_and_keeps_nobody_else_waiting(
    sandbox, sqlite_url, tmp_path, monkeypatch, calls
):
    settings, (ada, *_) = settings_for(sandbox.facts(), sqlite_url), people(sandbox)
    await run_import(settings, rows=LEAVERS)
    sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})
    kim = sandbox.slack.add("Kim", "Grid", "kim@example.com")["id"]
    guest = sandbox.slack.add("Gus", "Grid", "gus@example.com", {"is_restricted": True})["id"]
    join_grid(sandbox)
    shown = {one: source_user(sandbox.slack.get(one)) for one in (ada, kim, guest)}
    shown |= {one: replace(shown[one], local_id="") for one in (ada, guest)}
    monkeypatch.setattr(SlackClient, "user", without_local_id(SlackClient.user, but_for=[organisation_id(kim)]))
    if calls != "0":
        sandbox.slack_gate.faults.add("migration.exchange", "html_503", times=-1)
    async with world(sandbox, sqlite_url, tmp_path, **LEAVERS, EVIDENCE_CALLS=calls) as here:
        events = [replaced(here.event(one), slack_id=as_.slack_id, profile=asdict(as_)) for one, as_ in shown.items()]
        here.put(*events)
        await here.serve()
        states = [here.state(event) for event in events]
        with pytest.raises((IncompleteRead, TransientError)):
            await plan_named(here.runtime, here.workspace, [shown[ada]])

    assert states == [EventState.PARKED, EventState.APPLIED, EventState.APPLIED]
    addresses = {account.email for account in sandbox.docebo.accounts if account.provisioned_by}
    assert addresses == {"ada@example.com", "ida@example.com", "eva@example.com", "kim@example.com"}


@pytest.mark.long
@pytest.mark.parametrize("verify_target", [True, False])
@pytest.mark.parametrize("is_told", [True, False], ids=["Slack tells 400 ids at once", "it is asked one by one"])
async def test_who_is_excluded_by_a_local_id_is_so_where_slack_lists_the_organisations_ids_alone(
    sandbox, sqlite_url, monkeypatch, verify_target, is_told
):
    settings, (ada, ida, eva) = settings_for(sandbox.facts(), sqlite_url), people(sandbox)
    await run_import(settings, rows={**LEAVERS, "SCOPE_INCLUDE": f"{ida}, {eva.lower()}"})
    join_grid(sandbox)
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))
    if not is_told:
        sandbox.slack_gate.faults.add("migration.exchange", "ok_false", times=-1, error="missing_scope")
    for slack_id in (ida, eva):
        sandbox.slack.change(slack_id, {"profile": {"last_name": "Byron"}})
    rows = {**LEAVERS, "SCOPE_INCLUDE": f"{ida}, {eva.lower()}, {ada}", "SCOPE_EXCLUDE": f"{ada}, {ida}"}

    first = await run_import(settings, rows=rows, verify_target=verify_target)
    again = await run_import(settings, rows=rows)

    for one in (ada, ida):
        assert operations(settings, first)[organisation_id(one)].operation.reason == "excluded"
    made = {one.email: one.lastname for one in sandbox.docebo.accounts if one.provisioned_by}
    assert made == {"ida@example.com": "Grid", "eva@example.com": "Byron"}
    assert again.plan.facts["evidence_calls"] == 0  # it is asked once
    assert (await run_import(settings, rows=rows)).count(outcome=Outcome.APPLIED) == 0


@pytest.mark.parametrize(
    ("by_event", "is_told"),
    [
        pytest.param(True, True, id="by an event"),
        pytest.param(True, False, id="by an event, where Slack is asked one by one"),
        pytest.param(False, True, id="because somebody asks for them"),
    ],
)
@pytest.mark.long
async def test_nobody_excluded_by_a_local_id_gets_an_account_before_the_first_import_of_the_organisation(
    sandbox, sqlite_url, tmp_path, monkeypatch, by_event, is_told
):
    ada, ida, eva = people(sandbox)
    rows = {**LEAVERS, "SCOPE_EXCLUDE": ada}
    async with world(sandbox, sqlite_url, tmp_path, **rows) as before:
        words = {"why": "agreed", "by": "Ann"}
        await decide(before.runtime, before.workspace, DecisionRequest(DecisionAction.NEVER, [ida], **words))
    join_grid(sandbox)
    if not is_told:
        sandbox.slack_gate.faults.add("migration.exchange", "ok_false", times=-1, error="missing_scope")
    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        shown = {
            slack_id: replace(source_user(sandbox.slack.get(slack_id)), local_id="") for slack_id in (ada, ida, eva)
        }
        monkeypatch.setattr(SlackClient, "user", without_local_id(SlackClient.user, but_for=shown))
        if by_event:
            here.put(
                *(replaced(here.event(i), slack_id=organisation_id(i), profile=asdict(one)) for i, one in shown.items())
            )
            await here.serve()
        else:
            plan_id = await plan_named(here.runtime, here.workspace, list(shown.values()))
            await carry_out(here.runtime, plan_id)

    assert [one.email for one in sandbox.docebo.accounts if one.provisioned_by] == ["eva@example.com"]


async def test_who_is_in_a_user_group_by_a_local_id_is_so_where_slack_lists_the_organisations_ids_alone(
    sandbox, sqlite_url, monkeypatch
):
    settings, (ada, ida, eva) = settings_for(sandbox.facts(), sqlite_url), people(sandbox)
    sandbox.slack.group("staff", ada, ida)
    sandbox.slack.group("board", ada)
    groups = {"SCOPE_EXCLUDE_USERGROUPS": "board", "LEAVERS_OUT_OF_SCOPE": "true"}
    of_staff, of_all = {**LEAVERS, **groups, "SCOPE_USERGROUPS": "staff"}, {**LEAVERS, **groups}
    await run_import(settings, rows=of_staff)
    join_grid(sandbox)
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))
    sandbox.slack.change(ida, {"profile": {"last_name": "Byron"}})

    await run_import(settings, rows=of_staff)
    made = {one.email: (one.lastname, one.active) for one in sandbox.docebo.accounts if one.provisioned_by}
    again = await run_import(settings, rows=of_staff)
    await run_import(settings, rows=of_all)

    assert made == {"ida@example.com": ("Byron", True)}
    assert mapped(sqlite_url, team(sandbox)).keys() == {organisation_id(ida), organisation_id(eva)}
    assert (again.plan.facts["evidence_calls"], again.count(outcome=Outcome.APPLIED)) == (0, 0)


def of_the_organisation(here, slack_id):
    """Return the event that shows the person under the organisation's id alone."""
    user = replace(source_user(here.sandbox.slack.get(slack_id)), local_id="")
    return replaced(here.event(slack_id), slack_id=user.slack_id, profile=asdict(user))


async def test_who_alone_is_in_a_user_group_by_a_local_id_is_so_though_an_event_came_first_under_the_organisations(
    sandbox, sqlite_url, tmp_path, monkeypatch
):
    ada, ida, _ = people(sandbox)
    sandbox.slack.group("staff", ada)
    rows = {**LEAVERS, "SCOPE_USERGROUPS": "staff", "LEAVERS_OUT_OF_SCOPE": "true"}
    settings = settings_for(sandbox.facts(), sqlite_url)
    join_grid(sandbox)
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))
    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        here.put(of_the_organisation(here, ada), of_the_organisation(here, ida))
        await here.serve()

    await run_import(settings, rows=rows)
    again = await run_import(settings, rows=rows)
    sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        here.put(of_the_organisation(here, ada))
        await here.serve()

    made = [(one.email, one.lastname, one.active) for one in sandbox.docebo.accounts if one.provisioned_by]
    assert made == [("ada@example.com", "Byron", True)]
    assert (again.plan.facts["evidence_calls"], again.count(outcome=Outcome.APPLIED)) == (0, 0)


async def test_who_is_excluded_by_a_local_id_is_so_though_only_the_organisations_was_known_before(
    sandbox, sqlite_url, tmp_path, monkeypatch
):
    ada, *_ = people(sandbox)
    settings = settings_for(sandbox.facts(), sqlite_url)
    join_grid(sandbox)
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))
    await run_import(settings, rows=LEAVERS)
    rows = {**LEAVERS, "SCOPE_EXCLUDE": ada}
    await run_import(settings, rows=rows)
    sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})

    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        here.put(of_the_organisation(here, ada))
        await here.serve()
    again = await run_import(settings, rows=rows)

    assert {one.lastname for one in sandbox.docebo.accounts if one.provisioned_by} == {"Grid"}
    assert again.plan.facts["evidence_calls"] == 0  # it is asked once


async def test_that_an_import_has_learned_meanwhile_who_is_excluded_costs_nobody_an_attempt(
    sandbox, sqlite_url, tmp_path, monkeypatch
):
    ada, ida, _ = people(sandbox)
    async with world(sandbox, sqlite_url, tmp_path, SCOPE_EXCLUDE="U0FORMER") as here:
        plan_cases = rounds.plan_cases

        async def while_an_import_learns(*of):
            planned = await plan_cases(*of)
            with here.runtime.store.transaction() as tables:
                tables.people.register(here.workspace.team, ["U0FORMER"], now=here.runtime.now())
                tables.people.note_ids(here.workspace.team, {ada: "U0FORMER"})
            return planned

        monkeypatch.setattr(rounds, "plan_cases", while_an_import_learns)
        events = [here.event(one) for one in (ada, ida)]
        here.put(*events)
        await here.serve()

        assert [(here.state(one), here.entry(one).attempts) for one in events] == [(EventState.APPLIED, 0)] * 2
    assert [one.email for one in sandbox.docebo.accounts if one.provisioned_by] == ["ida@example.com"]


async def test_where_nobody_can_tell_who_is_excluded_the_import_stops_and_says_what_to_write(
    sandbox, sqlite_url, monkeypatch
):
    settings, ada = settings_for(sandbox.facts(), sqlite_url), people(sandbox)[0]
    join_grid(sandbox)
    monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))
    sandbox.slack_gate.faults.add("users.info", "ok_false", times=-1, error="user_not_visible")

    with pytest.raises(ConfigurationError, match=f"SCOPE_EXCLUDE: .*{ada}: exclude them by their e-mail addresses"):
        await run_import(settings, rows={**LEAVERS, "SCOPE_EXCLUDE": ada})

    assert not [one for one in sandbox.docebo.accounts if one.provisioned_by]


def without_local_id(ask, *, but_for=()):
    """Return `SlackClient.user` as a Slack answers it that shows nobody's id within the workspace, *but_for* some."""

    async def asked(client, slack_id, **options):
        seen = await ask(client, slack_id, **options)
        if slack_id in but_for or not isinstance(seen, Present):
            return seen
        return replace(seen, value=replace(seen.value, local_id=""))

    return asked


def without_local_ids(list_users):
    """Return `SlackClient.list_users` as a Slack answers it that shows nobody's id within the workspace."""

    async def listed(client, *arguments, **named):
        page = await list_users(client, *arguments, **named)
        return UserPage([replace(user, local_id="") for user in page.users], page.next_cursor)

    return listed


def without_people(list_users, slack_ids):
    """Return *list_users* as a Slack answers it that leaves out people with these *slack_ids*."""

    async def listed(client, *arguments, **named):
        page = await list_users(client, *arguments, **named)
        return UserPage([user for user in page.users if user.slack_id not in slack_ids], page.next_cursor)

    return listed


@pytest.mark.parametrize(
    ("rows", "is_listed"),
    [
        pytest.param({}, True, id="the new owner is looked after"),
        pytest.param({}, False, id="the list leaves the new owner out"),
        pytest.param({"SCOPE_USERGROUPS": "staff"}, True, id="the new owner is out of scope"),
        pytest.param(
            {"SCOPE_USERGROUPS": "staff", "MAP_SLACK_USER_DATA": "false"}, True, id="and no mapping says whose it was"
        ),
    ],
)
@pytest.mark.variants(2)
async def test_an_account_that_was_handed_over_is_not_written_for_whom_slack_lists_under_the_organisations_id_by_now(
    sandbox, sqlite_url, monkeypatch, rows, is_listed
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**LEAVERS, "LEAVERS": "keep", **rows}
    ada, *others = people(sandbox)
    sandbox.slack.group("staff", ada, *others)
    account = sandbox.docebo.accounts.add("countess", firstname="A", lastname="L", email="ada@example.com")
    await run_import(settings, rows=rows)
    bobs = {"email": "bob@example.com", "firstname": "Bob", "lastname": "Byron"}
    bob = sandbox.slack.add("Bob", "Byron", "bob@example.com")["id"]
    sandbox.docebo.edit(account.user_id, bobs)
    join_grid(sandbox)
    left_out = set() if is_listed else {organisation_id(bob)}
    list_users = without_people(without_local_ids(SlackClient.list_users), left_out)
    monkeypatch.setattr(SlackClient, "list_users", list_users)

    summary = await run_import(settings, rows=rows)
    again = await run_import(settings, rows=rows)

    assert {name: getattr(account, name) for name in bobs} == bobs
    assert DISPUTED in operations(settings, summary)[organisation_id(ada)].operation.reason
    assert again.count(outcome=Outcome.APPLIED) == 0


@pytest.mark.long
async def test_who_leaves_after_the_company_has_joined_grid_is_deactivated(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=LEAVERS)
    join_grid(sandbox)
    leaver = people(sandbox)[0]
    account = mapped(sqlite_url, team(sandbox))[leaver]
    sandbox.slack.deactivate(leaver)

    summary = await run_import(settings, rows=LEAVERS)

    assert summary.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1
    assert not sandbox.docebo.accounts[account].active


@pytest.mark.parametrize("leaves_out_of_scope", ["false", "true"])
@pytest.mark.variants(1)
async def test_who_leaves_the_workspace_and_not_the_organisation_fails_no_import(
    sandbox, sqlite_url, leaves_out_of_scope
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=LEAVERS)
    mover = people(sandbox)[1]
    enterprise = {"id": organisation_id(mover), "enterprise_id": "E0GRID", "teams": ["T0HOME"]}
    sandbox.slack.change(mover, {"enterprise_user": enterprise})  # the workspace of before is still named

    rows = {**LEAVERS, "LEAVERS_OUT_OF_SCOPE": leaves_out_of_scope, "SOURCE_MAY_SHRINK": "50"}
    summary = await run_import(settings, rows=rows)

    entry = operations(settings, summary)[mover]
    leaves = leaves_out_of_scope == "true"
    assert entry.operation.kind is (Kind.DEACTIVATE if leaves else Kind.LEAVE)
    assert "in other workspaces of the organisation" in entry.operation.reason


@pytest.mark.long
async def test_a_member_of_the_organisation_whose_workspaces_are_not_named_is_left_alone(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=LEAVERS)
    before = mapped(sqlite_url, team(sandbox))
    for slack_id in people(sandbox):
        enterprise = {"id": organisation_id(slack_id), "enterprise_id": "E0GRID"}
        sandbox.slack.change(slack_id, {"team_id": "T0HOME", "enterprise_user": enterprise}, ("profile.team",))

    summary = await run_import(settings, rows={**LEAVERS, "LEAVERS_OUT_OF_SCOPE": "true"})

    assert summary.count(outcome=Outcome.APPLIED) == 0
    assert mapped(sqlite_url, team(sandbox)) == before
    for entry in operations(settings, summary).values():
        assert "external" not in entry.operation.reason


@pytest.mark.long
async def test_an_id_that_was_gained_is_given_back_by_an_undo(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=LEAVERS)
    before = mapped(sqlite_url, team(sandbox))
    join_grid(sandbox)
    gained = await run_import(settings, rows=LEAVERS)

    async with open_runtime(settings, read_rows(table(LEAVERS)), run_id="undo") as runtime:
        plan_id = plan_undo(runtime, gained.plan.id)
        await carry_out(runtime, plan_id)

    assert mapped(sqlite_url, team(sandbox)) == before


@pytest.mark.long
async def test_who_gained_an_id_and_another_account_at_once_keeps_both_where_the_former_account_is_gone(
    sandbox, sqlite_url
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {**LEAVERS, "LIMIT_REMAPPINGS": "none"}
    ada = str(sandbox.slack.by_email("ada@example.com")["id"])
    await run_import(settings, rows=rows)
    former = mapped(sqlite_url, team(sandbox))[ada]
    sandbox.docebo.delete(former)
    account = sandbox.docebo.accounts.add("ada@example.com", email="ada@example.com", firstname="A.", lastname="L.")
    join_grid(sandbox)
    gained = await run_import(settings, rows=rows)
    assert mapped(sqlite_url, team(sandbox))[organisation_id(ada)] == account.user_id
    assert account.lastname == "Grid"

    async with open_runtime(settings, read_rows(table(rows)), run_id="undo") as runtime:
        await apply_saved(runtime, plan_undo(runtime, gained.plan.id), lambda _: None)

    assert mapped(sqlite_url, team(sandbox))[organisation_id(ada)] == account.user_id
    assert account.lastname == "Grid"


@pytest.mark.long
async def test_an_id_is_gained_by_an_event_and_both_ids_are_one_person(sandbox, sqlite_url, tmp_path):
    async with world(sandbox, sqlite_url, tmp_path, LEAVERS="deactivate") as here:
        await here.settle()
        ada = people(sandbox)[0]
        account = here.docebo_id(ada)
        older = here.event(ada, bare=True)
        join_grid(sandbox)
        sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
        newer = here.event(organisation_id(ada))
        here.put(older, newer)

        served = await here.serve()

        assert here.docebo_id(organisation_id(ada)) == account
        assert here.docebo_id(ada) is None
        assert sandbox.docebo.accounts[account].lastname == "Byron"
        assert served.parked == served.count(Became.RETRIED) == 0


async def test_an_older_event_under_the_local_id_alone_is_not_applied_after_a_newer_one(sandbox, sqlite_url, tmp_path):
    async with world(sandbox, sqlite_url, tmp_path) as here:
        ada = people(sandbox)[0]
        older = here.event(ada)
        join_grid(sandbox)
        sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
        here.put(here.event(organisation_id(ada)))
        await here.serve()
        account = here.docebo_id(organisation_id(ada))

        here.put(older)
        await here.serve()

        assert here.state(older) is EventState.APPLIED
        assert sandbox.docebo.accounts[account].lastname == "Byron"
        assert here.docebo_id(organisation_id(ada)) == account


@pytest.mark.parametrize("mapping", ["true", "false"])
@pytest.mark.parametrize(
    ("is_known", "tells_both"),
    [
        pytest.param(True, True, id="known under both ids"),
        pytest.param(False, True, id="known under the organisation's alone, by an event that tells both"),
        pytest.param(False, False, id="known under the organisation's alone"),
    ],
)
@pytest.mark.variants(1)
async def test_a_list_that_shows_the_local_id_as_before_an_event_under_the_organisations_takes_nothing_back(
    sandbox, sqlite_url, tmp_path, mapping, is_known, tells_both
):
    ada, rows = people(sandbox)[0], {"LEAVERS": "deactivate", "MAP_SLACK_USER_DATA": mapping}
    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        if is_known:
            await here.settle()
        before = sandbox.slack.get(ada)
        join_grid(sandbox)
        sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
        told = {} if tells_both else {"local_id": ""}
        here.put(here.event(organisation_id(ada), slack_team=team(sandbox), profile=told))
        await here.serve()
        (account,) = sandbox.docebo.accounts.by_email("ada@example.com")
        assert account.lastname == "Byron"

        with between(sandbox.slack_url, changed=listing(ada, before)) as url:
            settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
            for _ in range(2):
                await run_import(settings, rows={**ON, **rows})
                (account,) = sandbox.docebo.accounts.by_email("ada@example.com")
                assert account.lastname == "Byron"


@pytest.mark.long
async def test_whom_a_list_of_the_organisations_ids_shows_as_before_an_event_under_the_local_one_has_not_left(
    sandbox, sqlite_url, tmp_path, monkeypatch
):
    ada = people(sandbox)[0]
    async with world(sandbox, sqlite_url, tmp_path, **LEAVERS) as here:
        await here.settle()
        sandbox.slack.deactivate(ada)
        join_grid(sandbox)
        before = sandbox.slack.get(ada)
        sandbox.slack.reactivate(ada)
        join_grid(sandbox)
        sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
        shown = replace(source_user(sandbox.slack.get(ada)), slack_id=ada, local_id="")
        here.put(replaced(here.event(ada), slack_id=ada, slack_team=team(sandbox), profile=asdict(shown)))
        await here.serve()
        account = here.account(ada)

        monkeypatch.setattr(SlackClient, "list_users", without_local_ids(SlackClient.list_users))
        with between(sandbox.slack_url, changed=listing(ada, before)) as url:
            settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
            await run_import(settings, rows=LEAVERS)

    assert (account.active, account.lastname) == (True, "Byron")


@pytest.mark.long
@pytest.mark.parametrize("mapping", ["false", "true"])
async def test_an_event_under_both_ids_is_looked_at_again_after_a_plan_of_before_has_written_under_the_local_one(
    sandbox, sqlite_url, tmp_path, mapping
):
    ada = people(sandbox)[0]
    async with world(sandbox, sqlite_url, tmp_path, MAP_SLACK_USER_DATA=mapping) as here:
        sandbox.docebo.accounts.add("ada@example.com", email="ada@example.com", firstname="Ada", lastname="Grid")
        sandbox.slack.change(ada, {"profile": {"last_name": "Older"}})
        plan_id = await plan_import(here.runtime)
        join_grid(sandbox)
        sandbox.slack.change(ada, {"profile": {"last_name": "Grid"}})
        event = here.event(organisation_id(ada), slack_team=team(sandbox))
        here.put(event)
        await here.serve()

        await carry_out(here.runtime, plan_id)
        await here.serve()

        (account,) = sandbox.docebo.accounts.by_email("ada@example.com")
        assert account.lastname == "Grid"


@pytest.mark.long
async def test_who_is_forgotten_before_an_event_is_done_with_is_known_under_neither_of_two_ids(
    sandbox, sqlite_url, tmp_path, monkeypatch
):
    ada, finish = people(sandbox)[0], Settlement.finish

    def after_forgetting(settlement, cases, *arguments, **options):
        if cases:
            forget(here.runtime.store, tmp_path, organisation_id(ada))
        return finish(settlement, cases, *arguments, **options)

    async with world(sandbox, sqlite_url, tmp_path) as here:
        join_grid(sandbox)
        here.put(here.event(organisation_id(ada), slack_team=team(sandbox)))
        monkeypatch.setattr(Settlement, "finish", after_forgetting)
        await here.serve()

        with here.runtime.store.reading() as tables:
            assert tables.people.of(team(sandbox), [ada, organisation_id(ada)]) == {}


def leave_grid(sandbox, monkeypatch):
    """Everybody has the local id alone, and of the organisation's ids Slack knows nothing any more."""
    for slack_id in people(sandbox):
        home = {"team_id": team(sandbox), "profile": {"team": team(sandbox)}}
        sandbox.slack.change(slack_id, home, ("enterprise_user",))
    known = sandbox.slack.get

    def get(slack_id):
        if slack_id.startswith("W9"):
            raise KeyError(slack_id)
        return known(slack_id)

    monkeypatch.setattr(sandbox.slack, "get", get)


@pytest.mark.parametrize("verify_target", [True, False])
@pytest.mark.variants(1)
async def test_a_company_that_leaves_grid_loses_nobody_and_makes_no_second_account(
    sandbox, sqlite_url, monkeypatch, verify_target
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=LEAVERS)
    before = mapped(sqlite_url, team(sandbox))
    join_grid(sandbox)
    await run_import(settings, rows=LEAVERS)
    leave_grid(sandbox, monkeypatch)
    ada, otto = people(sandbox)[0], people(sandbox)[1]
    sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})
    sandbox.slack.change(otto, {"is_restricted": True})  # out of scope is not gone

    summary = await run_import(settings, rows=LEAVERS, verify_target=verify_target)

    assert summary.count(Kind.CREATE, Kind.DEACTIVATE, Kind.UNMAP) == 0
    of_otto = {organisation_id(otto): before.pop(otto)}
    assert mapped(sqlite_url, team(sandbox)) == before | of_otto
    assert sandbox.docebo.accounts[before[ada]].email == "countess@example.com"
    assert sandbox.docebo.accounts[of_otto[organisation_id(otto)]].active


@pytest.mark.long
async def test_an_event_of_who_has_left_grid_makes_no_second_account(sandbox, sqlite_url, tmp_path, monkeypatch):
    async with world(sandbox, sqlite_url, tmp_path, LEAVERS="deactivate") as here:
        await here.settle()
        join_grid(sandbox)
        ada = people(sandbox)[0]
        await here.settle([organisation_id(ada)])
        account = here.docebo_id(organisation_id(ada))
        leave_grid(sandbox, monkeypatch)
        sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})

        here.put(here.event(ada))
        await here.serve()

        assert here.docebo_id(ada) == account
        assert sandbox.docebo.accounts[account].email == "countess@example.com"
        assert sum(bool(one.provisioned_by) for one in sandbox.docebo.accounts) == 3


@pytest.mark.long
async def test_that_a_former_id_is_gone_is_believed_although_an_event_has_borne_it_within_the_hour(
    sandbox, sqlite_url, tmp_path, monkeypatch
):
    ada = people(sandbox)[0]
    async with world(sandbox, sqlite_url, tmp_path, **LEAVERS) as here:
        await here.settle()
        join_grid(sandbox)
        await here.settle([organisation_id(ada)])
        account = here.docebo_id(organisation_id(ada))
        leave_grid(sandbox, monkeypatch)

        plan_id = await plan_named(here.runtime, here.workspace, [source_user(sandbox.slack.get(ada))])
        await carry_out(here.runtime, plan_id)

        assert here.docebo_id(ada) == account


@pytest.mark.long
async def test_whose_account_was_made_meanwhile_under_the_local_id_is_not_recorded_as_failed(
    sandbox, sqlite_url, tmp_path
):
    async with world(sandbox, sqlite_url, tmp_path) as here:
        before = [here.event(slack_id) for slack_id in people(sandbox)]
        join_grid(sandbox)
        async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="import") as importing:
            plan_id = await plan_import(importing)
            here.put(*before)
            await here.serve()
            await carry_out(importing, plan_id)

        with here.runtime.store.reading() as tables:
            entries = {entry.operation.slack_id: entry for entry in tables.operations.rows(plan_id)}
    for slack_id in people(sandbox):
        made = entries[organisation_id(slack_id)]
        assert (made.operation.kind, made.outcome) == (Kind.CREATE, Outcome.SKIPPED)


async def test_somebody_of_another_workspace_of_the_organisation_gets_no_account_by_an_event(
    sandbox, sqlite_url, tmp_path
):
    async with world(sandbox, sqlite_url, tmp_path) as here:
        await here.settle()
        enterprise = {"id": "W9OTHER1", "enterprise_id": "E0GRID", "teams": ["T0HOME"]}
        sandbox.slack.add("Otto", "Other", "otto@example.com", {"team_id": "", "enterprise_user": enterprise})
        unnamed = here.event("W9OTHER1", profile={"team": "", "profile_team": "", "teams": []})
        here.put(unnamed)

        await here.serve()

        assert not [account for account in sandbox.docebo.accounts if account.email == "otto@example.com"]


@pytest.mark.parametrize("left", [{"deactivated": True}, {"external": True}], ids=["deactivated", "a stranger"])
@pytest.mark.variants(1)
async def test_who_has_left_another_workspace_by_an_event_is_asked_for_before_anything_follows(
    sandbox, sqlite_url, tmp_path, left
):
    async with world(sandbox, sqlite_url, tmp_path, LEAVERS_OUT_OF_SCOPE="true") as here:
        await here.settle()
        for member in here.members():
            now = here.event(member)
            elsewhere = {"team": "T0OTHER", "teams": [], "profile_team": "", **left}
            here.put(replaced(now, updated=now.updated + 60, slack_team="T0OTHER", profile=elsewhere))

        await here.serve()

        assert all(here.account(member).active for member in here.members())
        assert here.sandbox.slack_gate.counters.calls["users.info"] == len(here.members())


@pytest.mark.long
async def test_a_token_that_becomes_the_organisations_stays_with_the_linked_workspace(sqlite_url):
    with Sandbox(users=5, docebo_users=0, rate_limits=False) as before, Sandbox(users=5, org_token=True) as now:
        settings = settings_for(before.facts(), sqlite_url)
        await run_import(settings)
        of_organisation = {"slack_url": now.facts()["slack_url"], "slack_token": now.facts()["slack_token"]}

        summary = await run_import(settings_for(before.facts() | of_organisation, sqlite_url))

        assert summary.plan.slack_team == team(before)
        assert summary.count(outcome=Outcome.APPLIED) == 0


@pytest.mark.long
async def test_the_mirror_shows_the_linked_workspace_of_members_of_several(sandbox, sqlite_url):
    rows = {**LEAVERS, "MIRROR_FIELDS": "Slack ID, Slack Name, Slack Team"}
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=rows)
    join_grid(sandbox)

    await run_import(settings, rows=rows)

    shown = [set(account.fields.values()) for account in sandbox.docebo.accounts if account.fields]
    assert shown
    assert all(team(sandbox) in values and "T0HOME" not in values for values in shown)


@pytest.mark.parametrize("said", ["never", "forget"])
@pytest.mark.variants(1)
async def test_a_plan_of_before_touches_nobody_whom_nobody_may_touch_under_the_id_of_the_organisation(
    sandbox, sqlite_url, tmp_path, said
):
    settings, ada = settings_for(sandbox.facts(), sqlite_url), people(sandbox)[0]
    prove(settings)
    planned = await run_import(settings, rows=LEAVERS, dry_run=True)
    join_grid(sandbox)
    if said == "never":
        decide_never(settings, team(sandbox), organisation_id(ada))
    else:
        with Store.open(sqlite_url) as store:
            forget(store, tmp_path / "reports", organisation_id(ada))

    await apply_by_id(settings, LEAVERS, planned.plan.id)

    assert {account.email for account in sandbox.docebo.accounts if account.provisioned_by} == {
        "ida@example.com",
        "eva@example.com",
    }
