"""A plan tells changes; why somebody is left alone again is known all the same."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pydantic import SecretStr

from sandbox.server import Sandbox
from slack_docebo.domain.operations import IN_LINE, Kind, Operation, Outcome
from slack_docebo.domain.people import Mapping, PeopleShown
from slack_docebo.domain.standing import Standing
from slack_docebo.engine.importing import apply_saved, plan_import
from slack_docebo.engine.looking.explaining import explain
from slack_docebo.engine.mappings.forgetting import forget, traces
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.realtime.upkeep import tidy
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.engine.reporting.listing import list_people
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing.applying import begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.operations import JournalEntry
from slack_docebo.storage.standings import Period
from slack_docebo.storage.store import Store
from tests.importing import ON, run_import, settings_for
from tests.integration.commands import environment, run

USERS = 60
GONE = "U0GONE"  # somebody who is known, and not in Slack
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(users=USERS, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """Return where the database is: SQLite, but for the tests that both databases have to pass."""
    made: str = request.getfixturevalue(getattr(request, "param", "sqlite_url"))
    return made


on_both = pytest.mark.parametrize("url", ["postgres_url", "sqlite_url"], indirect=True)


@pytest.fixture
def settings(sandbox: Sandbox, url: str, tmp_path: Path) -> Settings:
    return settings_for(sandbox.facts(), url, report_dir=tmp_path / "reports")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


async def settle(settings: Settings, **wishes: Any) -> Summary:
    """Import, and once more: whom the first one mapped, the second may find to be protected."""
    await run_import(settings, **wishes)
    return await run_import(settings, **wishes)


def rows(store: Store, done: Summary) -> list[JournalEntry]:
    with store.reading() as tables:
        return list(tables.operations.rows(done.plan.id))


def standings(store: Store, done: Summary, slack_id: str) -> list[Period]:
    """Return the person's standings, the newest first."""
    with store.reading() as tables:
        return tables.standings.history(done.plan.docebo, done.plan.slack_team, slack_id)


def somebody(sandbox: Sandbox) -> str:
    """Return the Slack id of somebody whose account we made."""
    account = next(account for account in sandbox.docebo.accounts if account.provisioned_by)
    slack_id: str = sandbox.slack.by_email(account.email)["id"]
    return slack_id


def later(days: float) -> time_machine.travel:
    return time_machine.travel(datetime.now(UTC) + days * DAY)


def unseen(_rows: int) -> None:
    pass


@pytest.mark.long
async def test_a_night_without_changes_leaves_no_row_and_still_counts_everybody(settings, store, tmp_path):
    first = await run_import(settings)
    settled = await run_import(settings)
    second = await run_import(settings)

    assert len(rows(store, settled)) <= 1  # an administrator who was mapped: what protects him is told once
    assert rows(store, second) == []
    assert second.count() == second.count(Kind.LEAVE, outcome=Outcome.LEFT) == first.count()
    assert f"{first.count()} left alone" in second.line
    files = write_files(store, second.plan.id, tmp_path / "reports")
    assert [len(file.read_text().splitlines()) for file in files.written] == [1, 1]
    assert f"{first.count()} of them were left alone as before" in second.markdown()


@on_both
@pytest.mark.variants(1)
async def test_everybody_who_is_left_alone_is_listed_by_reason_and_page_also_as_before(
    sandbox, settings, store, monkeypatch
):
    await settle(settings)
    quiet = await run_import(settings)
    of_plan = {"plan_id": quiet.plan.id, "what": "left alone", "shown": PeopleShown.IDS}

    newest = list_people(store, settings.docebo_url, reason="", page=1, **of_plan | {"plan_id": ""})
    in_line = list_people(store, settings.docebo_url, reason=IN_LINE, page=1, **of_plan)
    some = list_people(store, settings.docebo_url, reason="IN lin", page=1, **of_plan)
    monkeypatch.setattr("slack_docebo.engine.reporting.outcomes.PAGE", 25)
    pages = [list_people(store, settings.docebo_url, reason=IN_LINE, page=page, **of_plan) for page in (1, 2)]

    assert newest.plan_id == quiet.plan.id
    assert sum(newest.reasons.values()) == quiet.count()
    assert newest.people == quiet.count() - in_line.people > 0
    assert {row["why"] for row in newest.rows} & {IN_LINE} == set()
    assert newest.line.endswith(f"left alone: {newest.people} people, without those who are in line")
    assert in_line.people == in_line.reasons[IN_LINE] == some.people
    assert sorted(one.plan_id for one in pages) == [quiet.plan.id] * 2
    assert [row for page in pages for row in page.rows] == list(in_line.rows)[:50]
    assert pages[0].line == f"plan {quiet.plan.id}, left alone: {in_line.people} people; page 1 of {pages[0].pages}"
    steps = pages[1].next_steps
    assert (steps[0].words, steps[-1].words) == ("The page before", "Explain one of them: give the id")
    for reason, page, told in ((IN_LINE, 99, "choose a page up to"), ("no such", 1, "leave it empty")):
        with pytest.raises(ConfigurationError, match=told):
            list_people(store, settings.docebo_url, reason=reason, page=page, **of_plan)


@pytest.mark.long
async def test_each_reason_of_a_summary_leads_to_whom_it_is_about(settings, store):
    first = await run_import(settings)
    asked: list[Step] = []

    def shown(step: Step) -> str:
        asked.append(step)
        return f"[{step.words}]"

    page = first.markdown((), shown)

    assert asked
    for step in asked:
        listed = list_people(store, settings.docebo_url, **step.values, page=1, shown=PeopleShown.IDS)
        in_line = sum(
            people for why, people in listed.reasons.items() if why.startswith(IN_LINE) and not step.values["reason"]
        )
        assert f"| [{step.words}] | {listed.people + in_line} |" in page
        assert {row["operation"] for row in listed.rows} <= {step.words, "leave alone"}
    assert {step.values["what"] for step in asked} > {"created", "left alone"}


async def test_before_the_first_import_nobody_is_left_alone(settings, store):
    with pytest.raises(ConfigurationError, match="make an import"):
        list_people(store, settings.docebo_url, plan_id="", what="left alone", reason="", page=1, shown=PeopleShown.IDS)


@pytest.mark.long
@on_both
async def test_a_change_is_told_and_nobody_else(sandbox, settings, store):
    await settle(settings)
    slack_id = somebody(sandbox)
    sandbox.slack.deactivate(slack_id)

    changed, after = await run_import(settings), await run_import(settings)

    told = [(entry.operation.slack_id, entry.operation.reason) for entry in rows(store, changed)]
    assert told == [(slack_id, "deactivated in Slack")]
    assert rows(store, after) == []
    assert [period.standing.reason for period in standings(store, after, slack_id)] == [
        "deactivated in Slack",
        "in line",
    ]


@pytest.mark.parametrize("leavers", ["keep", "unmap", "deactivate"])
@pytest.mark.long
async def test_the_night_after_somebody_has_left_is_quiet_whatever_was_done(sandbox, settings, store, leavers):
    wishes = {"LEAVERS": leavers}
    done = await settle(settings, rows=wishes)
    sandbox.slack.deactivate(somebody(sandbox))
    with store.transaction() as tables:
        mappings = tables.mappings()
        mapped = {mapping.docebo_id for mapping in mappings.all(done.plan.slack_team)}
        free = next(a for a in sandbox.docebo.accounts if a.level == "user" and a.user_id not in mapped)
        mappings.save([Mapping(GONE, done.plan.slack_team, "gone", free.user_id)], now=datetime.now(UTC))

    changed, after = await run_import(settings, rows=wishes), await run_import(settings, rows=wishes)

    assert len(rows(store, changed)) == 2
    assert rows(store, after) == []


@pytest.mark.long
async def test_a_dry_run_compares_and_sets_nothing(sandbox, settings, store):
    dry = await run_import(settings, dry_run=True)
    real = await run_import(settings)
    await run_import(settings)
    slack_id = somebody(sandbox)
    sandbox.slack.deactivate(slack_id)

    dry_after = [await run_import(settings, dry_run=True) for _ in range(2)]

    assert len(rows(store, dry)) == len(rows(store, real)) == dry.count()
    assert [[entry.operation.slack_id for entry in rows(store, run)] for run in dry_after] == [[slack_id]] * 2
    assert [period.until for period in standings(store, real, slack_id)] == [None]


@pytest.mark.long
async def test_nights_that_trust_and_nights_that_compare_agree(sandbox, settings, store):
    await settle(settings, rows={"LEAVERS": "deactivate"})
    sandbox.slack.deactivate(somebody(sandbox))
    await run_import(settings, rows={"LEAVERS": "deactivate"})

    for verify_target in (False, True, False):
        night = await run_import(settings, verify_target=verify_target, rows={"LEAVERS": "deactivate"})
        assert rows(store, night) == []


async def test_who_waits_for_a_decision_is_no_news_after_a_night_that_trusts(sandbox, settings, store):
    first = await settle(settings)
    slack_id = somebody(sandbox)
    account = sandbox.docebo.accounts.by_email(sandbox.slack.get(slack_id)["profile"]["email"])[0]
    stranger = {"username": "zed", "email": "zed@example.com", "firstname": "Zed", "lastname": "Quux"}
    sandbox.docebo.edit(account.user_id, stranger)
    disputed = await run_import(settings)
    assert (disputed.undecided, disputed.newly_undecided) == (first.undecided + 1, 1)

    for verify_target in (False, True, False):
        night = await run_import(settings, verify_target=verify_target)
        assert rows(store, night) == []
        assert (night.undecided, night.newly_undecided) == (disputed.undecided, 0)


@pytest.mark.long
@on_both
async def test_switching_provisioning_off_and_on_changes_nothing_about_who_is_mapped_and_in_line(sandbox, settings):
    await settle(settings)
    off = {"PROVISION_SLACK_USER_DATA": "false"}

    nights = [await run_import(settings, rows=rows) for rows in (off, {}, off, {})]
    async with open_runtime(settings, read_rows(table(ON)), run_id="explains") as runtime:
        explained = (await explain(runtime, somebody(sandbox))).operation

    assert [night.count(Kind.MAP) for night in nights] == [0, 0, 0, 0]
    assert (explained.kind, explained.reason) == (Kind.LEAVE, "in line")


@pytest.mark.long
async def test_who_was_first_mapped_while_provisioning_was_off_and_is_in_line_is_left_alone_when_it_is_on(
    sandbox, settings, tmp_path
):
    await settle(settings)  # everybody has an account that is in line
    anew = settings.model_copy(update={"database_url": SecretStr(f"sqlite:///{tmp_path / 'anew.db'}")})
    off = {"PROVISION_SLACK_USER_DATA": "false"}
    [account] = sandbox.docebo.accounts.by_email(sandbox.slack.get(somebody(sandbox))["profile"]["email"])
    sandbox.docebo.edit(account.user_id, {"lastname": "Other"})

    nights = [await run_import(anew, rows=rows) for rows in (off, off, {}, {})]

    assert nights[0].count(Kind.MAP) > 1
    assert [night.count(Kind.MAP) for night in nights[1:]] == [0, 0, 0]
    assert [night.count(Kind.UPDATE) for night in nights[1:]] == [0, 1, 0]


@on_both
@pytest.mark.long
async def test_a_saved_plan_does_not_bring_an_older_reason_back(sandbox, settings, store):
    await run_import(settings)
    slack_id = somebody(sandbox)
    sandbox.slack.deactivate(slack_id)
    saved = await run_import(settings, dry_run=True)  # which says so
    sandbox.slack.change(slack_id, {"deleted": False})
    await run_import(settings, rows={"PROVISION_SLACK_USER_DATA": "false"})
    reason = standings(store, saved, slack_id)[0].standing.reason

    async with open_runtime(settings, read_rows(table(ON)), run_id="later") as runtime:
        await apply_saved(runtime, saved.plan.id, unseen)

    assert reason == "in line, and provisioning is off"
    assert standings(store, saved, slack_id)[0].standing.reason == reason


@pytest.mark.long
async def test_a_run_that_dies_before_its_end_is_told_again_by_the_next(settings, store):
    async with open_runtime(settings, read_rows(table(ON)), run_id="dies") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)

    after = await run_import(settings)
    quiet = await settle(settings)

    assert len(rows(store, after)) == after.count()
    assert rows(store, quiet) == []


@pytest.mark.long
async def test_after_an_undo_the_next_import_tells_what_it_finds(sandbox, settings, store):
    await run_import(settings)
    slack_id = somebody(sandbox)
    sandbox.slack.change(slack_id, {"profile": {"last_name": "Newname"}})
    done = await run_import(settings)
    async with open_runtime(settings, read_rows(table(ON)), run_id="undoes") as runtime:
        await apply_saved(runtime, plan_undo(runtime, done.plan.id), unseen)

    assert all(period.until for period in standings(store, done, slack_id))
    assert [entry.operation.kind for entry in rows(store, await run_import(settings))] == [Kind.UPDATE]


@pytest.mark.long
async def test_why_somebody_was_left_alone_outlives_the_plan_that_told_it(sandbox, settings, store):
    first = await run_import(settings)
    bot = next(user["id"] for user in sandbox.slack if user.get("is_bot"))
    async with open_runtime(settings, read_rows(table({**ON, "JOURNAL_KEEP_DAYS": "90"})), run_id="sweep") as runtime:
        with later(89):
            second = await run_import(settings)
        with later(91):
            assert tidy(runtime).plans == 1

    (standing,) = standings(store, first, bot)
    assert (standing.standing.reason, standing.until, standing.plan_id) == ("bot", None, first.plan.id)
    assert second.count() == first.count()


@on_both
@pytest.mark.long
async def test_a_reason_that_no_longer_stands_is_kept_as_long_as_the_plans_of_its_time(sandbox, settings, store):
    first = await run_import(settings)
    slack_id = somebody(sandbox)
    sandbox.slack.deactivate(slack_id)
    await run_import(settings)
    async with open_runtime(settings, read_rows(table({**ON, "JOURNAL_KEEP_DAYS": "90"})), run_id="sweep") as runtime:
        for days, kept in ((89, 2), (91, 1)):
            with later(days):
                tidy(runtime)
            assert len(standings(store, first, slack_id)) == kept


@pytest.mark.long
async def test_who_is_forgotten_has_no_standing_and_gets_none_from_a_saved_plan(sandbox, settings, store, tmp_path):
    done = await run_import(settings)
    slack_id = somebody(sandbox)
    sandbox.slack.deactivate(slack_id)
    saved = await run_import(settings, dry_run=True)
    assert "1 reason to leave the person alone" in traces(store, tmp_path / "reports", slack_id).lines

    assert forget(store, tmp_path / "reports", slack_id).standings == 1
    async with open_runtime(settings, read_rows(table(ON)), run_id="later") as runtime:
        await apply_saved(runtime, saved.plan.id, unseen)

    assert standings(store, done, slack_id) == []


@pytest.mark.long
async def test_everybody_of_every_night_is_shown_explained_and_compared(sandbox, sqlite_url, tmp_path):
    settings, env = settings_for(sandbox.facts(), sqlite_url), environment(sandbox.facts(), sqlite_url, tmp_path)
    first, quiet = await run_import(settings), await run_import(settings)
    slack_id = somebody(sandbox)
    sandbox.slack.deactivate(slack_id)
    last = await run_import(settings)
    look = await run_import(settings)

    def shown(plan: Summary, *options: str) -> list[tuple[str, str]]:
        answer = json.loads(run(env, "plan", "show", plan.plan.id, "--json", *options).stdout)
        return [(row["Slack user"], row["why"]) for row in answer["operations"]]

    assert len(shown(quiet, "--operation", "leave", "--limit", "1000")) == first.count()
    assert shown(quiet, "--user", slack_id) == [(slack_id, "in line")]
    assert shown(last, "--user", slack_id) == [(slack_id, "deactivated in Slack")]
    different = json.loads(run(env, "plan", "diff", quiet.plan.id, last.plan.id, "--json").stdout)
    assert [row["Slack user"] for row in different] == [slack_id]
    explained = run(env, "explain", slack_id).stdout
    assert "Left alone:" in explained
    assert f"last looked at {look.plan.created_at:%Y-%m-%d %H:%M} UTC" in explained
    alone = json.loads(run(env, "explain", slack_id, "--json").stdout)["left_alone"]
    assert [period["why"] for period in alone] == ["deactivated in Slack", "in line"]
    assert [period["until"] is None for period in alone] == [True, False]


@on_both
@pytest.mark.long
async def test_whoever_is_known_and_in_no_list_any_more_is_told_once_and_then_known_no_longer(sandbox, settings, store):
    first = await settle(settings)
    with store.transaction() as tables:
        gone = {GONE: Standing("bot")}
        tables.standings.replace(
            first.plan.docebo, first.plan.slack_team, gone, plan_id=first.plan.id, now=datetime.now(UTC)
        )

    told, after = await run_import(settings), await run_import(settings)

    assert [(e.operation.slack_id, e.operation.reason) for e in rows(store, told)] == [
        (GONE, "not in Slack's list, and not mapped")
    ]
    assert (told.count(), after.count()) == (first.count() + 1, first.count())
    assert all(period.until for period in standings(store, first, GONE))


@pytest.mark.long
async def test_a_refused_run_has_left_alone_whom_it_left_alone(settings, store):
    async with open_runtime(settings, read_rows(table({**ON, "LIMIT_CREATIONS": "0"})), run_id="refused") as runtime:
        plan_id = await plan_import(runtime)
        with pytest.raises(Exception, match="nothing was written"):
            begin(runtime, plan_id)
        refused = finish(runtime, plan_id)

    again = await run_import(settings, dry_run=True)

    assert refused.count(Kind.LEAVE)
    assert {entry.operation.kind for entry in rows(store, again)}.isdisjoint({Kind.LEAVE})


@on_both
def test_a_reason_begun_twice_in_one_moment_stands_once(store):
    moment = datetime(2026, 3, 4, tzinfo=UTC)
    with store.transaction() as tables:
        repository = tables.standings
        for reason in ("bot", "external"):
            repository.replace("https://lms", "T1", {"U1": Standing(reason, 7)}, plan_id="1abc", now=moment)
        repository.replace("https://other", "T1", {"U1": Standing("guest")}, plan_id="2abc", now=moment)

        assert repository.of("https://lms", "T1", ["U1", "U2"]) == {"U1": Standing("external", 7)}
        assert [period.standing.reason for period in repository.at(moment, "https://other", "T1")] == ["guest"]


@pytest.mark.parametrize(
    ("standing", "reason", "account", "covered"),
    [
        (Standing("in line", 7), "in line", 7, True),
        (Standing("in line", 7), "in line", 8, False),
        (Standing("in line", 7), "in line with what was last written", 7, True),
        (Standing("in line with what was last written", 7), "in line", 7, False),
        (Standing("administrator account, never touched", 7), "in line with what was last written", 7, False),
        (Standing("deactivated in Slack", 7), "deactivated in Slack", None, True),
        (Standing("deactivated in Slack"), "deactivated in Slack", 7, False),
        (
            Standing("no longer in Slack; deactivated before", 7),
            "not in Slack's list; a run that compares with Docebo decides",
            None,
            True,
        ),
        (
            Standing("deactivated in Slack; deactivated before, and Docebo shows the account as active", 7),
            "deactivated in Slack; deactivated before",
            None,
            True,
        ),
        (
            Standing("deactivated in Slack; deactivated before, and Docebo shows the account as active", 7),
            "deactivated in Slack; deactivated before",
            7,
            False,
        ),
        (Standing("in line", 7), "not in Slack's list; a run that compares with Docebo decides", None, False),
    ],
)
def test_what_is_known_covers_what_says_no_more(standing, reason, account, covered):
    assert standing.covers(Operation("U1", "T1", "", Kind.LEAVE, reason=reason, docebo_id=account)) is covered
