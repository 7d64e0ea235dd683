"""Slack's user groups decide who is looked after, where the settings name some."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from sandbox.server import Sandbox
from sandbox.slack.api import METHODS, SlackApi
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.errors import AccessDenied, ConfigurationError, IncompleteRead
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.events import MEMBERS_CHANGED, EventState
from slack_docebo.webhook.intake import Audience, Several, decide
from tests.importing import ON, carry_out, plan_import, run_import, settings_for
from tests.integration.after_an_import import apply_by_id
from tests.integration.realtime_world import world


@pytest.fixture
def company(shared_sandbox):
    shared_sandbox.reset()
    return shared_sandbox


def join(company, name: str) -> str:
    return str(company.slack.add(name, "Lovelace", f"{name.lower()}@example.com")["id"])


def has_account(company, name: str) -> bool:
    return any(account.active for account in company.docebo.accounts.by_email(f"{name.lower()}@example.com"))


@pytest.mark.long
async def test_only_members_of_a_named_group_get_an_account_for_one_call_more(company, sqlite_url):
    ada, grace = join(company, "Ada"), join(company, "Grace")
    company.slack.group("learners", ada, grace)
    company.slack.group("contractors", grace)

    rows = {"SCOPE_USERGROUPS": "@Learners", "SCOPE_EXCLUDE_USERGROUPS": "contractors"}
    done = await run_import(settings_for(company.facts(), sqlite_url), rows=rows)

    assert (has_account(company, "Ada"), has_account(company, "Grace")) == (True, False)
    assert done.count(Kind.CREATE, outcome=Outcome.APPLIED) == 1
    assert company.slack_gate.counters.calls["usergroups.list"] == 1


async def test_of_two_groups_with_one_handle_nobody_can_tell_which_is_meant(company, sqlite_url):
    ada, grace = join(company, "Ada"), join(company, "Grace")
    company.slack.group("contractors", ada)
    company.slack.group("Contractors", grace)
    company.slack.group("learners", grace)

    with pytest.raises(ConfigurationError, match="EXCLUDE_USERGROUPS: Slack has two user groups @Contractors, S0"):
        await run_import(settings_for(company.facts(), sqlite_url), rows={"SCOPE_EXCLUDE_USERGROUPS": "contractors"})

    assert not has_account(company, "Ada")
    await run_import(settings_for(company.facts(), sqlite_url), rows={"SCOPE_USERGROUPS": "learners"})
    assert (has_account(company, "Ada"), has_account(company, "Grace")) == (False, True)


@pytest.mark.parametrize("answer", ["plan_upgrade_required", "paid_teams_only"])
async def test_a_plan_of_slacks_without_user_groups_stops_the_run_with_the_rows_to_empty(company, sqlite_url, answer):
    join(company, "Ada")
    company.slack.switches = replace(company.slack.switches, user_groups=answer)

    with pytest.raises(
        AccessDenied, match=rf"^Slack has user groups on its paid plans only; .* \([a-z.]+: {answer}\)$"
    ):
        await run_import(settings_for(company.facts(), sqlite_url), rows={"SCOPE_USERGROUPS": "learners"})

    assert not has_account(company, "Ada")


@pytest.mark.variants(1)
@pytest.mark.parametrize(("counts", "active"), [("false", True), ("true", False)])
async def test_who_leaves_the_group_is_a_leaver_only_if_the_settings_say_so(company, sqlite_url, counts, active):
    ada, grace = join(company, "Ada"), join(company, "Grace")
    company.slack.group("learners", ada, grace)
    rows = {"SCOPE_USERGROUPS": "learners", "LEAVERS": "deactivate", "LEAVERS_OUT_OF_SCOPE": counts}
    settings = settings_for(company.facts(), sqlite_url)
    await run_import(settings, rows=rows)
    company.slack.group("learners", grace)

    await run_import(settings, rows=rows)

    assert has_account(company, "Ada") is active


@pytest.mark.parametrize("then", ["back in the group", "the group is disabled"])
async def test_nobody_is_shut_out_who_is_back_in_a_group_or_whose_group_is_not_shown_while_the_import_is_at_work(
    company, sqlite_url, then
):
    ada, grace = join(company, "Ada"), join(company, "Grace")
    company.slack.group("learners", ada, grace)
    rows = {**ON, "SCOPE_USERGROUPS": "learners", "LEAVERS": "deactivate", "LEAVERS_OUT_OF_SCOPE": "true"}
    settings = settings_for(company.facts(), sqlite_url)
    await run_import(settings, rows=rows)
    company.slack.group("learners", grace)
    async with open_runtime(settings, read_rows(table(rows)), run_id="import") as runtime:
        plan_id = await plan_import(runtime)
        if then == "back in the group":
            company.slack.group("learners", ada, grace)
        else:
            del company.slack.groups["learners"]

        stops = nullcontext() if then == "back in the group" else pytest.raises(ConfigurationError, match="@learners")
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=20)), stops:
            await carry_out(runtime, plan_id)

    assert has_account(company, "Ada")


async def test_a_saved_plan_asks_once_who_is_in_the_groups_and_leaves_alone_who_is_out_by_now(company, sqlite_url):
    ada, grace = join(company, "Ada"), join(company, "Grace")
    company.slack.group("learners", ada, grace)
    settings, rows = settings_for(company.facts(), sqlite_url), {"SCOPE_USERGROUPS": "learners"}
    plan = await run_import(settings, rows=rows, dry_run=True)
    company.slack.group("learners", grace)
    calls = company.slack_gate.counters.calls["usergroups.list"]

    done = await apply_by_id(settings, rows, plan.plan.id)

    assert (has_account(company, "Ada"), has_account(company, "Grace")) == (False, True)
    assert done.count(Kind.CREATE, outcome=Outcome.SKIPPED) == 1
    assert company.slack_gate.counters.calls["usergroups.list"] - calls == 1


@pytest.mark.parametrize(
    ("shown", "error"),
    [
        ({"users": [], "user_count": 0}, ConfigurationError),
        ({"users": [], "user_count": None}, IncompleteRead),
        ({"users": ["U0NOBODY"], "user_count": None}, IncompleteRead),
    ],
    ids=["nobody", "nobody, not counted", "others, not counted"],
)
@pytest.mark.variants(1)
async def test_a_group_that_seems_to_have_lost_everybody_makes_nobody_a_leaver(
    company, sqlite_url, monkeypatch, shown, error
):
    company.slack.group("learners", join(company, "Ada"), join(company, "Grace"))
    rows = {"SCOPE_USERGROUPS": "learners", "LEAVERS": "deactivate", "LEAVERS_OUT_OF_SCOPE": "true"}
    settings = settings_for(company.facts(), sqlite_url)
    await run_import(settings, rows=rows)
    whole = SlackApi.usergroups_list

    def short(api, arguments, fault):
        reply = whole(api, arguments, fault)
        return {**reply, "usergroups": [{**group, **shown} for group in reply["usergroups"]]}

    monkeypatch.setitem(METHODS, "usergroups.list", replace(METHODS["usergroups.list"], carry_out=short))
    with pytest.raises(error):
        await run_import(settings, rows=rows)

    assert has_account(company, "Ada")
    assert has_account(company, "Grace")


@pytest.mark.parametrize(
    ("members", "error", "is_anew"),
    [(0, ConfigurationError, False), (2, IncompleteRead, False), (2, IncompleteRead, True)],
    ids=["nobody is left", "most are missing", "it was made anew without most"],
)
@pytest.mark.variants(1)
async def test_whom_a_group_that_is_left_alone_does_not_show_any_more_gets_no_account(
    company, sqlite_url, tmp_path, members, error, is_anew
):
    contractors = [join(company, name) for name in ("Ada", "Grace", "Ida", "Joan", "Mary")]
    join(company, "Eva")
    company.slack.group("contractors", *contractors)
    rows = {"SCOPE_EXCLUDE_USERGROUPS": "contractors"}
    settings = settings_for(company.facts(), sqlite_url)
    async with world(company, sqlite_url, tmp_path, **rows) as here:
        await run_import(settings, rows=rows)
        if is_anew:
            company.slack.group("another")
            del company.slack.groups["contractors"]
            company.slack.group("one more")
        company.slack.group("contractors", *contractors[:members])
        here.put(here.event(contractors[-1], kind=MEMBERS_CHANGED))

        with pytest.raises(error):
            await run_import(settings, rows=rows)
        with pytest.raises(error):
            await here.serve()

    assert [has_account(company, name) for name in ("Ada", "Grace", "Ida", "Joan", "Mary", "Eva")] == [False] * 5 + [
        True
    ]


async def test_a_group_that_has_lost_most_of_its_members_is_the_measure_once_somebody_says_so(company, sqlite_url):
    contractors = [join(company, name) for name in ("Ada", "Grace", "Ida", "Joan", "Mary")]
    company.slack.group("contractors", *contractors)
    settings, rows = settings_for(company.facts(), sqlite_url), {"SCOPE_EXCLUDE_USERGROUPS": "contractors"}
    await run_import(settings, rows=rows)
    company.slack.group("contractors", *contractors[:2])

    with pytest.raises(IncompleteRead, match=r"shows 2 members of @contractors, .* had 5: more than 50% are missing"):
        await run_import(settings, rows=rows)
    await run_import(settings, rows={**rows, "SOURCE_MAY_SHRINK": "60"})
    again = await run_import(settings, rows=rows)

    assert [has_account(company, name) for name in ("Ada", "Grace", "Ida", "Joan", "Mary")] == [False] * 2 + [True] * 3
    assert again.count(outcome=Outcome.APPLIED) == 0


async def test_a_handle_that_passes_to_another_group_stops_the_run_until_somebody_says_which_is_meant(
    company, sqlite_url
):
    ada, grace = join(company, "Ada"), join(company, "Grace")
    company.slack.group("learners", ada)
    former = company.slack.group("Staff", grace)
    settings, rows = settings_for(company.facts(), sqlite_url), {"SCOPE_USERGROUPS": "staff"}
    await run_import(settings, rows=rows)
    company.slack.groups["people"] = replace(former, handle="people")
    company.slack.groups["Staff"] = replace(company.slack.groups.pop("learners"), handle="Staff")

    with pytest.raises(ConfigurationError, match=f"@Staff is .* by now, and was {former.id}, which is @people: write"):
        await run_import(settings, rows=rows)
    assert (has_account(company, "Ada"), has_account(company, "Grace")) == (False, True)

    await run_import(settings, rows={"SCOPE_USERGROUPS": "people"})
    assert not has_account(company, "Ada")
    await run_import(settings, rows={**rows, "SOURCE_MAY_SHRINK": "100"})
    await run_import(settings, rows=rows)
    assert has_account(company, "Ada")

    company.slack.groups["learners"] = replace(company.slack.groups.pop("Staff"), handle="learners")
    company.slack.groups["Staff"] = replace(company.slack.groups.pop("people"), handle="Staff")
    with pytest.raises(ConfigurationError, match=f"@Staff is the user group {former.id} by now, and was .*@learners"):
        await run_import(settings, rows=rows)


@pytest.mark.long
async def test_a_group_that_is_deleted_and_made_anew_is_the_one_that_its_handle_names(company, sqlite_url):
    ada = join(company, "Ada")
    former = company.slack.group("staff", ada)
    settings, rows = settings_for(company.facts(), sqlite_url), {"SCOPE_USERGROUPS": "staff"}
    await run_import(settings, rows=rows)
    company.slack.groups["staff"] = replace(former, id="S0ANEW", members=former.members | {join(company, "Grace")})

    await run_import(settings, rows=rows)

    assert has_account(company, "Grace")


@pytest.mark.long
async def test_the_token_of_an_organisation_reads_the_groups_of_the_workspace(sqlite_url):
    with Sandbox(users=1, docebo_users=0, org_token=True, rate_limits=False) as company:
        company.slack.group("learners", join(company, "Ada"))
        settings = settings_for(company.facts(), sqlite_url, slack_team_id=company.slack.team.id)

        await run_import(settings, rows={"SCOPE_USERGROUPS": "learners"})

        assert has_account(company, "Ada")


async def test_a_group_that_cannot_be_read_stops_the_run(company, sqlite_url):
    settings, rows = settings_for(company.facts(), sqlite_url), {"SCOPE_USERGROUPS": "learners"}
    with pytest.raises(
        ConfigurationError, match=r"SCOPE_USERGROUPS: Slack has no user group @learners.* there are none"
    ):
        await run_import(settings, rows=rows)

    company.slack.group("learners", "U0ADA")
    company.slack.scopes -= {"usergroups:read"}
    with pytest.raises(AccessDenied, match="Slack's bot token lacks usergroups:read"):
        await run_import(settings, rows=rows)
    assert company.docebo_gate.counters.rows["created"] == 0


async def test_a_list_of_members_that_is_shorter_than_slack_counts_stops_the_run(company, sqlite_url, monkeypatch):
    company.slack.group("learners", join(company, "Ada"))
    whole = SlackApi.usergroups_list

    def short(self, arguments, fault):
        reply = whole(self, arguments, fault)
        reply["usergroups"][0]["users"] = []
        return reply

    monkeypatch.setitem(METHODS, "usergroups.list", replace(METHODS["usergroups.list"], carry_out=short))
    with pytest.raises(IncompleteRead, match="Slack counts 1 members of @learners and shows 0"):
        await run_import(settings_for(company.facts(), sqlite_url), rows={"SCOPE_USERGROUPS": "learners"})


@pytest.mark.variants(1)
@pytest.mark.parametrize("counted", [3, 1, None], ids=["others besides", "too few", "nobody"])
async def test_a_group_of_which_slack_counts_others_than_it_shows_stops_no_run_where_it_shows_the_same_twice(
    company, sqlite_url, monkeypatch, counted
):
    company.slack.group("learners", join(company, "Ada"), join(company, "Grace"))
    whole = SlackApi.usergroups_list

    def miscounted(self, arguments, fault):
        reply = whole(self, arguments, fault)
        return {"usergroups": [{**group, "user_count": counted} for group in reply["usergroups"]]}

    monkeypatch.setitem(METHODS, "usergroups.list", replace(METHODS["usergroups.list"], carry_out=miscounted))
    await run_import(settings_for(company.facts(), sqlite_url), rows={"SCOPE_USERGROUPS": "learners"})

    assert (has_account(company, "Ada"), has_account(company, "Grace")) == (True, True)


@pytest.mark.long
async def test_what_slack_shows_of_a_group_that_is_not_named_stops_nothing(company, sqlite_url, monkeypatch):
    company.slack.group("learners", join(company, "Ada"))
    company.slack.group("others", "U0BOB")
    whole = SlackApi.usergroups_list

    def short(self, arguments, fault):
        reply = whole(self, arguments, fault)
        del next(group for group in reply["usergroups"] if group["handle"] == "others")["users"]
        return reply

    monkeypatch.setitem(METHODS, "usergroups.list", replace(METHODS["usergroups.list"], carry_out=short))
    await run_import(settings_for(company.facts(), sqlite_url), rows={"SCOPE_USERGROUPS": "learners"})

    assert has_account(company, "Ada")


async def test_who_comes_to_a_group_is_served_in_real_time(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    grace = join(shared_sandbox, "Grace")
    shared_sandbox.slack.group("learners", grace)
    async with world(shared_sandbox, sqlite_url, tmp_path, SCOPE_USERGROUPS="learners") as here:
        await here.settle([])
        ada = join(shared_sandbox, "Ada")
        shared_sandbox.slack.group("learners", grace, ada)
        payload = {
            "type": "event_callback",
            "event_id": "Ev1",
            "team_id": here.workspace.team,
            "event": {
                "type": "subteam_members_changed",
                "added_users": [ada],
                "added_users_count": 1,
                "removed_users": [],
                "removed_users_count": 0,
            },
        }
        decided = decide(payload, Audience(team=here.workspace.team), now=datetime.now(UTC))
        assert isinstance(decided, Several)
        here.put(*decided.events)

        await here.serve()

        assert has_account(shared_sandbox, "Ada")
        assert here.state(decided.events[0]) is EventState.APPLIED
