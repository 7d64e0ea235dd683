"""Custom profile fields in bulk: the list does not show them, so they are read person by person, and kept."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from sandbox.server import Sandbox
from sandbox.slack.api import METHODS
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.operations import READ_FIRST, Outcome
from slack_docebo.domain.profiles import Profile
from slack_docebo.engine.importing import plan_everybody
from slack_docebo.engine.planning.enriching import plan_enriched
from slack_docebo.engine.reading.accounts import LOOKED_UP
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.profiles import ProfilesRead, due, read_profiles
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.realtime.rounds import serve_round
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ConfigurationError, IncompleteRead
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.events import Event
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store
from tests.importing import ON, carry_out, mapped, run_import, settings_for
from tests.integration.after_an_import import apply_by_id, note_applied_event, undo

RULES = "first_name, last_name, email, field:Unit = custom:Department"
DEPARTMENT = "Xf0DEPARTMT"


class Night:
    """Imports as the flow does them, with the fields of a sandbox."""

    def __init__(self, sandbox: Sandbox, database_url: str) -> None:
        self.sandbox = sandbox
        self.url = database_url
        unit = sandbox.docebo.add_field("Unit", "textfield", mandatory=False, invisible_to_user=False)
        self.field = int(unit.id)

    async def run(
        self,
        advance: Callable[[int], Any] = lambda _: None,
        tables: Mapping[str, LookupTable] = MappingProxyType({}),
        run: str = "run",
        **rows: str,
    ) -> tuple[ProfilesRead, list[Summary]]:
        """Import everybody, then read who is due and apply what that changes; return what was read, and both plans."""
        behaviour = read_rows(table({**ON, "ATTRIBUTES": RULES, "PROFILE_MAX_AGE_DAYS": "366", **rows})).with_tables(
            tables
        )
        settings = settings_for(self.sandbox.facts(), self.url)
        async with open_runtime(settings, behaviour, run_id=run) as runtime:
            workspace = await validate(runtime)
            with SourceSnapshot() as people:
                everybody = await plan_everybody(runtime, workspace, people)
                await carry_out(runtime, everybody)
                summaries = [finish(runtime, everybody)]
                read = await read_profiles(
                    runtime, workspace, due(runtime, workspace, people), advance, to_compare=people.to_compare
                )
                if read.changed:
                    plan_id = await plan_enriched(runtime, workspace, people, read.changed)
                    await carry_out(runtime, plan_id)
                    summaries.append(finish(runtime, plan_id))
                return read, summaries

    async def serve(self, slack_id: str, meanwhile: Callable[[], None] = lambda: None, **rows: str) -> None:
        """Serve an event that says of the person only that something has changed; *meanwhile*, once the run has begun, too."""
        await self._serve(
            Event("Ev1", "", slack_id, updated=0, kind="user_change", received_at=datetime.now(UTC)), rows, meanwhile
        )

    async def tell(self, member: Mapping[str, Any], **rows: str) -> None:
        """Serve an event that shows the *member* so."""
        told = source_user(member)
        event = Event(
            f"Ev{told.updated}",
            "",
            told.slack_id,
            updated=told.updated,
            kind="user_change",
            received_at=datetime.now(UTC),
        )
        await self._serve(replace(event, profile=asdict(told)), rows)

    async def _serve(self, event: Event, rows: Mapping[str, str], meanwhile: Callable[[], None] = lambda: None) -> None:
        behaviour = read_rows(table({**ON, "ATTRIBUTES": RULES, **rows}))
        async with open_runtime(settings_for(self.sandbox.facts(), self.url), behaviour, run_id="event") as runtime:
            workspace = await validate(runtime)
            meanwhile()
            with runtime.store.transaction() as tables:
                tables.inbox.put([replace(event, slack_team=workspace.team)])
            await serve_round(runtime, workspace, ServeResult())

    def give(self, slack_id: str, department: str) -> None:
        """Give the person a department in Slack; as there, none is a field without a value."""
        self.sandbox.slack.change(slack_id, {"profile": {"fields": {DEPARTMENT: {"value": department, "alt": ""}}}})

    def take_away(self, how: str) -> None:
        """Delete the field, or hide it: Slack shows nobody's value any more."""
        slack = self.sandbox.slack
        others = [one for one in slack.profile_fields if one["id"] != DEPARTMENT]
        hidden = [{"id": DEPARTMENT, "label": "Department", "type": "text", "is_hidden": True}]
        slack.profile_fields = others + (hidden if how == "hidden" else [])

    def department(self, slack_id: str) -> str:
        """Return the department that the person's account has."""
        account = self.sandbox.docebo.accounts[mapped(self.url, self.sandbox.slack.team.id)[slack_id]]
        return str(account.fields.get(self.field, ""))

    def asked(self) -> int:
        """Return how many profiles Slack was asked for so far."""
        return int(self.sandbox.slack_gate.counters.calls["users.profile.get"])


@pytest.fixture
def night(shared_sandbox, sqlite_url):
    shared_sandbox.reset()
    return Night(shared_sandbox, sqlite_url)


@pytest.fixture
def member(night):
    """Somebody who is looked after."""
    return night.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]


async def test_the_first_import_writes_the_fields_and_the_second_one_asks_nobody(night, member):
    night.give(member, "Sales")

    read, (_, enriched) = await night.run()
    asked = night.asked()
    again, plans = await night.run()

    assert night.department(member) == "Sales"
    assert (read.left, read.read) == (0, asked)
    assert enriched.plan.kind is PlanKind.CUSTOM_FIELDS
    assert (again.read, len(plans), night.asked()) == (0, 1, asked)
    assert "are known for" in plans[0].markdown()
    assert night.department(member) == "Sales"


@pytest.mark.long
async def test_one_changed_profile_is_one_call(night, member):
    await night.run()
    asked = night.asked()
    night.give(member, "Law")

    read, _ = await night.run()

    assert (read.changed, night.asked() - asked) == ({member}, 1)
    assert night.department(member) == "Law"


async def test_where_many_were_read_no_account_that_was_handed_over_is_given_its_former_owners_field(night, member):
    many = [night.sandbox.slack.add(f"Eve{n}", "Lovelace", f"eve{n}@example.com")["id"] for n in range(LOOKED_UP)]
    night.sandbox.slack.add("Bob", "Byron", "bob@example.com")
    await night.run()
    night.sandbox.docebo.delete(night.sandbox.docebo.accounts.by_username("bob@example.com").user_id)
    account = night.sandbox.docebo.accounts.by_username("ada@example.com")
    bobs = {"email": "bob@example.com", "firstname": "Bob", "lastname": "Byron"}
    night.sandbox.docebo.edit(account.user_id, bobs)
    for slack_id in (member, *many):
        night.give(slack_id, "Law")

    await night.run()

    assert [night.department(slack_id) for slack_id in (member, *many)] == ["", *["Law"] * LOOKED_UP]
    assert {name: getattr(account, name) for name in bobs} == bobs


@pytest.mark.parametrize("source", [f"custom:{DEPARTMENT}", "custom:Department"])
@pytest.mark.variants(1)
async def test_a_field_that_was_deleted_in_slack_stops_the_import_and_empties_nobodys(night, member, source):
    rules = {"ATTRIBUTES": f"first_name, last_name, email, field:Unit = {source} clear"}
    night.give(member, "Sales")
    await night.run(**rules)
    slack = night.sandbox.slack
    slack.profile_fields = [one for one in slack.profile_fields if one["id"] != DEPARTMENT]
    night.give(member, "")

    with pytest.raises(
        ConfigurationError,
        match=r"(rule 4: Slack has no field of this name|Slack has no profile field Xf0DEPARTMT): .*there are ",
    ):
        await night.run(**rules)

    assert night.department(member) == "Sales"


@pytest.mark.parametrize("is_renamed", [False, True], ids=["made anew", "another field has the label"])
@pytest.mark.variants(1)
async def test_a_label_that_is_another_fields_by_now_empties_nobodys_until_somebody_names_the_field_by_its_id(
    night, member, is_renamed
):
    rules = "first_name, last_name, email, field:Unit = {source} clear"
    by_label, by_id = ({"ATTRIBUTES": rules.format(source=f"custom:{name}")} for name in ("Department", "Xf0ANEW"))
    night.give(member, "Sales")
    await night.run(**by_label)
    slack = night.sandbox.slack
    [former] = [one for one in slack.profile_fields if one["id"] == DEPARTMENT]
    others = [one for one in slack.profile_fields if one["id"] != DEPARTMENT]
    others += [{**former, "label": "Department (old)"}] if is_renamed else []
    slack.profile_fields = [*others, {**former, "id": "Xf0ANEW"}]
    slack.change(member, {"profile": {"title": "Head"}}, remove=("profile.fields",))

    with pytest.raises(ConfigurationError, match=r"profile field called Department is another one by now \(Xf0ANEW\)"):
        await night.run(**by_label)
    with pytest.raises(ConfigurationError, match="is another one by now"):
        await night.serve(member, **by_label)
    assert night.department(member) == "Sales"

    slack.change(member, {"profile": {"fields": {"Xf0ANEW": {"value": "Law", "alt": ""}}}})
    for rules in (by_id, by_label):  # once an import has read it by its id, the label is that field's
        await night.run(**rules)
        assert night.department(member) == "Law"


@pytest.mark.long
async def test_a_field_that_was_hidden_in_slack_and_is_shown_no_more_empties_nobodys(night, member):
    rules = {"ATTRIBUTES": f"{RULES} clear"}
    night.give(member, "Sales")
    await night.run(**rules)
    for one in night.sandbox.slack.profile_fields:
        one["is_hidden"] = True
    night.sandbox.slack.change(member, {}, remove=("profile.fields",))

    read, _ = await night.run(**rules)

    assert read.read > 0
    assert night.department(member) == "Sales"


@pytest.mark.parametrize("how", ["deleted", "hidden"])
@pytest.mark.variants(1)
async def test_a_field_that_is_taken_away_while_people_are_read_empties_nobodys(night, member, how):
    rules = {"ATTRIBUTES": f"{RULES} clear"}
    slack = night.sandbox.slack
    people = [member, *(slack.add(f"Ada{number}", "King", f"ada{number}@example.com")["id"] for number in range(3))]
    for one in people:
        night.give(one, "Sales")
    await night.run(**rules)
    fields = slack.profile_fields
    for one in people:
        slack.change(one, {"profile": {"title": "Head"}})

    with pytest.raises(IncompleteRead, match="was deleted or hidden while people were read"):
        await night.run(lambda _: night.take_away(how), **rules)
    assert [night.department(one) for one in people] == ["Sales"] * 4
    slack.profile_fields = fields
    await night.run(**rules)

    assert [night.department(one) for one in people] == ["Sales"] * 4


@pytest.mark.long
@pytest.mark.parametrize("how", ["deleted", "hidden"])
async def test_an_event_empties_nothing_by_a_field_that_is_taken_away_while_its_run_lasts(night, member, how):
    rules = {"ATTRIBUTES": f"{RULES} clear"}
    night.give(member, "Sales")
    await night.run(**rules)

    with pytest.raises(IncompleteRead, match="was deleted or hidden while people were read"):
        await night.serve(member, lambda: night.take_away(how), **rules)

    assert night.department(member) == "Sales"


async def test_what_the_list_does_not_show_empties_nothing_and_what_slack_says_of_the_person_does(night, member):
    clearing = {"ATTRIBUTES": f"{RULES} clear"}
    night.give(member, "Sales")
    await night.run(**clearing)
    with Store.open(night.url) as store, store.transaction() as tables:
        tables.profiles.forget(member)  # as if nobody had been read so far

    await night.run(**clearing, PROFILE_MINUTES="0")
    assert night.department(member) == "Sales"

    night.give(member, "")
    await night.run(**clearing)
    assert night.department(member) == ""


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(None, id="no object of fields"),
        pytest.param({DEPARTMENT: {"value": None, "alt": ""}}, id="a value that is no text"),
        pytest.param([{"id": DEPARTMENT, "value": "Law"}], id="fields of another form"),
    ],
)
@pytest.mark.variants(1)
async def test_an_answer_about_the_person_that_does_not_show_the_fields_empties_nothing(
    night, member, monkeypatch, fields
):
    clearing = {"ATTRIBUTES": f"{RULES} clear"}
    night.give(member, "Sales")
    await night.run(**clearing)
    night.sandbox.slack.change(member, {"profile": {"title": "Countess"}})
    asked = night.asked()

    def hiding(*_):
        return {"profile": {"fields": fields}}

    with monkeypatch.context() as patch:
        patch.setitem(METHODS, "users.profile.get", replace(METHODS["users.profile.get"], carry_out=hiding))
        await night.run(**clearing)
        hidden = night.department(member)
        await night.run(**clearing)
        asked_twice = night.asked() - asked
    night.give(member, "")
    await night.run(**clearing)

    assert hidden == "Sales"
    assert asked_twice == 1  # it is an answer all the same, and nobody's turn comes before that of others by it
    assert night.department(member) == ""


@pytest.mark.parametrize("value", [None, 5])
@pytest.mark.variants(1)
async def test_an_event_that_does_not_show_the_value_of_a_field_empties_nothing(night, member, value):
    clearing = {"ATTRIBUTES": f"{RULES} clear"}
    night.give(member, "Sales")
    shown = night.sandbox.slack.get(member)
    await night.tell(shown, **clearing)
    shown["profile"]["fields"] = {DEPARTMENT: {"value": value, "alt": ""}}

    await night.tell({**shown, "updated": shown["updated"] + 1}, **clearing)

    assert night.department(member) == "Sales"


@pytest.mark.long
async def test_a_run_that_dies_asks_for_nobody_twice_but_for_the_one_under_way(night, member):
    def die(_people: int) -> None:
        if night.asked() % 5 == 0:
            raise SystemExit

    night.give(member, "Sales")
    deaths = 0
    while True:
        try:
            await night.run(advance=die)
            break
        except SystemExit:
            deaths += 1
    with Store.open(night.url) as store, store.reading() as tables:
        known = tables.profiles.of(night.sandbox.slack.team.id, [user["id"] for user in night.sandbox.slack])

    assert deaths > 1
    assert night.asked() <= len(known) + deaths
    assert night.department(member) == "Sales"


async def test_what_an_event_has_written_is_not_overwritten_by_what_was_read_before(night, member):
    night.give(member, "Sales")
    await night.run()
    night.give(member, "Law")
    await night.serve(member)
    asked = night.asked()

    _, summaries = await night.run()

    assert night.department(member) == "Law"
    assert [summary.count(outcome=Outcome.APPLIED) for summary in summaries] == [0]
    assert night.asked() == asked


async def test_nobody_is_read_while_accounts_are_not_provisioned(night, member):
    night.give(member, "Sales")

    read, _ = await night.run(PROVISION_SLACK_USER_DATA="false")

    assert (read, night.asked()) == (ProfilesRead(), 0)


@pytest.mark.long
async def test_what_an_event_has_written_while_profiles_were_read_is_not_overwritten_by_the_list(night, member):
    def rename(_people: int) -> None:
        if night.sandbox.slack.get(member)["profile"]["last_name"] != "Byron":
            night.sandbox.slack.change(member, {"profile": {"last_name": "Byron", "real_name": "Ada Byron"}})
            [account] = night.sandbox.docebo.accounts.by_email("ada@example.com")
            night.sandbox.docebo.edit(account.user_id, {"lastname": "Byron"})  # as the run for the event does
            note_applied_event(settings_for(night.sandbox.facts(), night.url), member)

    await night.run()
    night.give(member, "Law")

    await night.run(advance=rename)

    [account] = night.sandbox.docebo.accounts.by_email("ada@example.com")
    assert account.lastname == "Byron"


@pytest.mark.long
async def test_of_the_forgotten_nothing_is_read_or_kept(night, member):
    night.give(member, "Sales")
    await night.run()
    with Store.open(night.url) as store:
        with store.transaction() as tables:
            tables.exclusions.add([member], now=datetime.now(UTC))
            tables.profiles.forget(member)
        await night.run()
        with store.reading() as tables:
            assert tables.profiles.of(night.sandbox.slack.team.id, [member]) == {}


@pytest.mark.long
async def test_of_whom_slacks_list_shows_the_fields_it_is_not_asked_for_them_and_of_the_others_it_is(night, member):
    rules = {"ATTRIBUTES": f"{RULES} clear"}
    slack = night.sandbox.slack
    other = slack.add("Grace", "Hopper", "grace@example.com")["id"]
    for one in (member, other):
        night.give(one, "Sales")
    await night.run(**rules)
    asked, slack.switches = night.asked(), replace(slack.switches, fields_form="object")
    night.give(member, "Law")
    slack.change(other, {}, remove=("profile.fields",))

    await night.run(**rules)

    assert (night.department(member), night.department(other)) == ("Law", "")
    assert night.asked() - asked == 1


@pytest.mark.long
async def test_who_is_called_by_a_custom_field_gets_an_account_once_it_was_read(night, member):
    night.give(member, "Sales")
    rules = "first_name, last_name, email, username = custom:Department == '' ? email : lower(custom:Department)"

    _, (first, enriched) = await night.run(ATTRIBUTES=rules, LIMIT_RENAMES="none")

    account = night.sandbox.docebo.accounts[mapped(night.url, night.sandbox.slack.team.id)[member]]
    assert account.username == "sales"
    assert first.count("create") == 0
    assert "no username: Slack does not say what its rule reads" in first.markdown()
    assert enriched.count("create", outcome="applied") > 0


async def test_what_a_table_has_no_row_for_is_listed_in_the_night_in_which_it_was_read(night, member):
    night.give(member, "Sales")
    none = {"units": LookupTable.of("units", [("Law", "L-1")])}

    _, (_, enriched) = await night.run(
        tables=none, ATTRIBUTES="first_name, last_name, email, field:Unit = table(units, custom:Department)"
    )

    assert "(Unit) | table units has no row for it | 1 | 1 |" in enriched.markdown()
    assert night.department(member) == ""


@pytest.mark.long
async def test_what_was_undone_is_not_written_once_more_from_a_reading_that_is_outdated(night, member):
    night.give(member, "Sales")
    await night.run()
    night.give(member, "Law")
    _, (_, enriched) = await night.run()
    await undo(settings_for(night.sandbox.facts(), night.url), {"ATTRIBUTES": RULES}, enriched.plan.id)
    assert night.department(member) == "Sales"
    night.give(member, "Press")

    _, (first, then) = await night.run()

    assert first.count(outcome=Outcome.APPLIED) == 0
    assert f"{READ_FIRST} | 1 |" in first.markdown()
    assert then.count("update", outcome="applied") == 1
    assert night.department(member) == "Press"


async def test_what_was_undone_is_written_again_only_once_slack_was_asked_for_it(night, member):
    night.give(member, "Sales")
    await night.run()
    night.give(member, "Law")
    _, (_, enriched) = await night.run()
    await undo(settings_for(night.sandbox.facts(), night.url), {"ATTRIBUTES": RULES}, enriched.plan.id)
    night.sandbox.slack.switches = replace(night.sandbox.slack.switches, fields_move_stamps=False)
    night.give(member, "Press")
    asked = night.asked()

    _, (first, _) = await night.run()
    await night.run()

    assert first.count(outcome=Outcome.APPLIED) == 0
    assert night.department(member) == "Press"
    assert night.asked() - asked == 1


@pytest.mark.long
async def test_of_whom_a_return_was_undone_the_field_is_written_again_only_once_slack_was_asked_for_it(night, member):
    slack, rows = night.sandbox.slack, {"LEAVERS": "deactivate", "REHIRES": "hand-over", "LIMIT_DEACTIVATIONS": "none"}
    night.give(member, "Sales")
    await night.run(**rows)
    slack.deactivate(member)
    await night.run(**rows)
    new = str(slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    night.give(new, "Law")
    await night.run(run="return", **rows)
    assert night.department(new) == "Law"
    await undo(settings_for(night.sandbox.facts(), night.url), {"ATTRIBUTES": RULES, **rows}, "return")
    assert night.department(member) == "Sales"
    slack.switches = replace(slack.switches, fields_move_stamps=False)
    night.give(new, "Press")

    await night.run(**rows)
    await night.run(**rows)

    assert night.department(new) == "Press"


@pytest.mark.long
async def test_what_was_changed_by_hand_is_put_right_once_slack_has_said_the_same_again(night, member):
    night.give(member, "Sales")
    await night.run()
    [account] = night.sandbox.docebo.accounts.by_email("ada@example.com")
    night.sandbox.docebo.edit(account.user_id, {"fields": {night.field: "Law"}, "lastname": "Byron"})
    night.give(member, "Sales")  # the stamp moves, the value stays

    _, (first, then) = await night.run()

    assert [summary.count("update", outcome="applied") for summary in (first, then)] == [1, 1]  # the name, the field
    assert night.department(member) == "Sales"
    assert len((await night.run())[1]) == 1


async def plan_law(night, member):
    """Save a plan by which the unit of the person, which is Sales, becomes Law, and return its settings and id."""
    night.give(member, "Sales")
    await night.run()
    night.give(member, "Law")
    team, stamp = night.sandbox.slack.team.id, night.sandbox.slack.get(member)["updated"]
    with Store.open(night.url) as store, store.transaction() as tables:
        tables.profiles.keep(team, member, Profile({DEPARTMENT: "Law"}, stamp, datetime.now(UTC)))
    settings = settings_for(night.sandbox.facts(), night.url)
    planned = await run_import(settings, rows={"ATTRIBUTES": RULES}, dry_run=True)
    assert planned.count("update") == 1
    return settings, planned.plan.id


@pytest.mark.parametrize("now", ["Press", ""])
@pytest.mark.parametrize(
    ("moves_stamps", "rows"),
    [
        pytest.param(False, {}, id="asked for"),
        pytest.param(False, {"LIMIT_UPDATES": "7"}, id="asked for under other settings"),
        pytest.param(True, {"EVIDENCE_CALLS": "1"}, id="too many to ask for"),
    ],
)
@pytest.mark.long
async def test_a_saved_plan_writes_no_field_that_slack_shows_no_more_though_docebo_has_the_former_one(
    night, member, now, moves_stamps, rows
):
    settings, plan_id = await plan_law(night, member)
    night.sandbox.slack.switches = replace(night.sandbox.slack.switches, fields_move_stamps=moves_stamps)
    night.give(member, now)

    applied = await apply_by_id(settings, {"ATTRIBUTES": RULES, **rows}, plan_id)

    assert applied.count(outcome=Outcome.SKIPPED) == 1
    assert night.department(member) == "Sales"
    if not moves_stamps:  # and the next import does not write what was read before the plan
        await run_import(settings, rows={"ATTRIBUTES": RULES})
        assert night.department(member) == ("Press" if now else "Sales")


@pytest.mark.long
async def test_a_saved_plan_writes_the_fields_that_were_read_last_of_people_too_many_to_ask_for(night, member):
    settings, plan_id = await plan_law(night, member)

    await apply_by_id(settings, {"ATTRIBUTES": RULES, "EVIDENCE_CALLS": "1"}, plan_id)

    assert night.department(member) == "Law"
