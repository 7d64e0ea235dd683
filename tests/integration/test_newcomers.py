"""New accounts: a rule puts each into the branch that Slack names, and Docebo welcomes them where that is wanted."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.importing import apply_saved, plan_import
from slack_docebo.engine.reporting.files import branches_file
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.events import EventState
from slack_docebo.storage.schema import account as accounts
from slack_docebo.storage.store import Store
from tests.importing import ON, carry_out, prove, run_import, settings_for
from tests.integration.after_an_import import apply_by_id
from tests.integration.realtime_world import world

RULES = "first_name, last_name, email, branch = title"


@pytest.fixture
def company(shared_sandbox):
    shared_sandbox.reset()
    return shared_sandbox


def join(company, name: str, title: str) -> str:
    address = f"{name.lower()}@example.com"
    company.slack.add(name, "Lovelace", address, {"profile": {"title": title}})
    return address


def branches_of(company, *addresses: str) -> list[tuple[int, ...]]:
    return [account.branches for address in addresses for account in company.docebo.accounts.by_email(address)]


async def test_newcomers_land_in_the_branch_of_their_rule_without_a_call_more(company, sqlite_url):
    europe = company.docebo.add_branch("EU", "Europe")
    sales = [company.docebo.add_branch("", "Sales", parent) for parent in (europe.id, 42)]
    people = [join(company, *who) for who in (("Ada", "EU"), ("Grace", "Europe/Sales"), ("Joan", "From Slack/Sales"))]
    settings = settings_for(company.facts(), sqlite_url)
    prove(settings)
    usual = await run_import(settings, dry_run=True)

    done = await run_import(settings, rows={**ON, "ATTRIBUTES": RULES})

    assert branches_of(company, *people) == [(europe.id,), (sales[0].id,), (sales[1].id,)]
    batches = company.docebo_gate.counters.calls["POST /manage/v1/user/batch"]
    assert batches == -(-usual.count(Kind.CREATE) // 100) + -(-usual.count(Kind.UPDATE) // 100)
    again = await run_import(settings, rows={**ON, "ATTRIBUTES": RULES})
    assert again.count(outcome=Outcome.APPLIED) == 0
    assert done.count(outcome=Outcome.FAILED) == 0


@pytest.mark.long
async def test_who_is_there_is_not_moved_when_the_rule_says_another_branch(company, sqlite_url):
    company.docebo.add_branch("EU", "Europe")
    ada = join(company, "Ada", "From Slack")
    settings = settings_for(company.facts(), sqlite_url)
    await run_import(settings, rows={**ON, "ATTRIBUTES": RULES})
    [user] = [user for user in company.slack if user["profile"].get("email") == ada]
    company.slack.change(user["id"], {"profile": {"title": "Europe"}})

    done = await run_import(settings, rows={**ON, "ATTRIBUTES": RULES})

    assert branches_of(company, ada) == [(42,)]
    assert done.count(outcome=Outcome.APPLIED) == 0


async def test_a_branch_that_is_not_there_is_not_made_and_keeps_nobody_from_an_account(company, sqlite_url):
    ada = join(company, "Ada", "Atlantis")
    before, settings = set(company.docebo.branches), settings_for(company.facts(), sqlite_url)

    done = await run_import(settings, rows={**ON, "ATTRIBUTES": RULES})

    assert branches_of(company, ada) == [()]
    assert set(company.docebo.branches) == before
    assert "| branch | Docebo has no such branch, or several | " in done.markdown()
    assert f"`{done.plan.id}-branches.csv` below `REPORT_DIR` lists the 1 to make in Docebo" in done.markdown()
    listed = branches_file(settings.report_dir, done.plan.id)
    assert listed.read_text(encoding="utf-8").splitlines()[1:] == ["Atlantis,Atlantis,,1"]
    assert listed.stat().st_mode & 0o077 == 0
    assert any(
        "without branch, which Docebo does not have, or has several of" in reason for _, reason, _, _ in done.tally
    )


@pytest.mark.long
async def test_who_is_there_waits_for_a_branch_only_where_accounts_are_moved(company, sqlite_url):
    join(company, "Ada", "Atlantis")
    settings, rows = settings_for(company.facts(), sqlite_url), {**ON, "ATTRIBUTES": RULES}
    await run_import(settings, rows=rows)

    stays = await run_import(settings, rows=rows)
    moves = await run_import(settings, rows={**rows, "BRANCH_MOVES": "true"})

    assert not branches_file(settings.report_dir, stays.plan.id).exists()
    assert "Atlantis,Atlantis,,1" in branches_file(settings.report_dir, moves.plan.id).read_text(encoding="utf-8")


@pytest.mark.long
async def test_the_rule_goes_before_the_branch_for_new_accounts(company, sqlite_url):
    europe = company.docebo.add_branch("EU", "Europe")
    people = [join(company, "Ada", "EU"), join(company, "Grace", "Atlantis")]

    await run_import(
        settings_for(company.facts(), sqlite_url), rows={**ON, "ATTRIBUTES": RULES, "DESTINATION_BRANCH": "42"}
    )

    assert branches_of(company, *people) == [(europe.id,), (42,)]


async def test_a_branch_that_is_renamed_before_a_saved_plan_is_applied_is_found_by_its_id(company, sqlite_url):
    europe = company.docebo.add_branch("EU", "Europe")
    ada = join(company, "Ada", "EU")
    settings = settings_for(company.facts(), sqlite_url)
    planned = await run_import(settings, dry_run=True, rows={**ON, "ATTRIBUTES": RULES})
    europe.code, europe.title = "EMEA", "Europe and more"

    async with open_runtime(settings, read_rows(table(ON)), run_id="another") as runtime:
        await apply_saved(runtime, planned.plan.id, lambda _: None)

    assert branches_of(company, ada) == [(europe.id,)]


@pytest.mark.long
async def test_nobody_lands_in_another_branch_whose_code_is_the_id_of_one_that_is_gone(company, sqlite_url):
    europe = company.docebo.add_branch("EU", "Europe")
    ada, bob = join(company, "Ada", "EU"), join(company, "Bob", "SLACK")
    settings, rows = settings_for(company.facts(), sqlite_url), {**ON, "ATTRIBUTES": RULES}
    planned = await run_import(settings, dry_run=True, rows=rows)
    company.docebo.add_branch(str(europe.id), "Somewhere else")
    del company.docebo.branches[europe.id]

    async with open_runtime(settings, read_rows(table(rows)), run_id="another") as runtime:
        done = await apply_saved(runtime, planned.plan.id, lambda _: None)

    assert branches_of(company, ada) == []
    assert branches_of(company, bob) == [(42,)]
    assert done.count(outcome=Outcome.SKIPPED) == 1
    with Store.open(sqlite_url) as store, store.reading() as tables:
        told = [entry.error for entry in tables.operations.rows(done.plan.id) if entry.outcome is Outcome.SKIPPED]
    assert f"branch {europe.id} is gone from Docebo since" in told[0]
    again = await run_import(settings, rows=rows)  # it makes the account, and says that the branch is not there
    assert (again.count(Kind.CREATE, outcome=Outcome.APPLIED), branches_of(company, ada)) == (1, [()])


@pytest.mark.long
async def test_where_an_account_was_placed_is_remembered(company, sqlite_url):
    ada = join(company, "Ada", "SLACK")
    settings = settings_for(company.facts(), sqlite_url)
    await run_import(settings, rows={**ON, "ATTRIBUTES": RULES})

    [account] = company.docebo.accounts.by_email(ada)
    with Store.open(sqlite_url) as store, store.reading() as tables:
        query = select(accounts.c.branch_placed).where(accounts.c.user_id == account.user_id)
        assert tables.connection.scalar(query) == 42


@pytest.mark.long
async def test_new_accounts_are_welcomed_only_where_the_settings_say_so(company, sqlite_url, tmp_path):
    join(company, "Ada", "EU")
    await run_import(settings_for(company.facts(), sqlite_url))
    assert company.docebo.notified == 0

    company.reset()
    join(company, "Ada", "EU")
    done = await run_import(settings_for(company.facts(), f"sqlite:///{tmp_path}/2.db"), rows={"WELCOME_MAIL": "true"})
    assert company.docebo.notified == done.count(Kind.CREATE, outcome=Outcome.APPLIED) > 0


async def test_a_saved_plan_sends_no_mail_that_the_settings_of_today_do_not_want(company, sqlite_url):
    ada = join(company, "Ada", "EU")
    settings = settings_for(company.facts(), sqlite_url)
    plan = await run_import(settings, dry_run=True, rows={"WELCOME_MAIL": "true"})

    await apply_by_id(settings, {"WELCOME_MAIL": "false"}, plan.plan.id)

    assert company.docebo.accounts.by_email(ada)
    assert company.docebo.notified == 0


async def import_while(settings, happens):
    """Import by RULES, and let *happens* happen to the run once everything is planned."""
    async with open_runtime(settings, read_rows(table({**ON, "ATTRIBUTES": RULES})), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        happens(runtime)
        await carry_out(runtime, plan_id)
        return finish(runtime, plan_id)


def charts_read(company) -> int:
    return int(company.docebo_gate.counters.calls["GET /manage/v1/orgchart"])


@pytest.fixture
def europe(company, sqlite_url):
    """Europe, to which Ada and Bob are to come, and an installation that has proven how this Docebo answers."""
    europe = company.docebo.add_branch("EU", "Europe")
    company.docebo.add_branch("US", "America")
    for who in (("Ada", "EU"), ("Bob", "EU"), ("Carl", "US")):
        join(company, *who)
    prove(settings_for(company.facts(), sqlite_url))
    return europe


@pytest.mark.long
async def test_a_branch_that_is_called_otherwise_by_the_time_of_the_row_is_named_as_it_is_now(
    company, europe, sqlite_url
):
    settings = settings_for(company.facts(), sqlite_url)

    done = await import_while(settings, lambda _: setattr(europe, "code", "EMEA"))

    assert branches_of(company, "ada@example.com", "bob@example.com") == [(europe.id,), (europe.id,)]
    assert done.count(outcome=Outcome.FAILED) == 0
    assert charts_read(company) == 2


@pytest.mark.long
async def test_who_is_to_come_to_a_branch_that_is_deleted_meanwhile_waits_for_the_next_import(
    company, europe, sqlite_url
):
    settings = settings_for(company.facts(), sqlite_url)

    done = await import_while(settings, lambda _: company.docebo.branches.pop(europe.id))

    assert branches_of(company, "ada@example.com", "bob@example.com", "carl@example.com") == [(europe.id + 1,)]
    assert [done.count(Kind.CREATE, outcome=one) for one in (Outcome.SKIPPED, Outcome.FAILED)] == [2, 0]
    assert charts_read(company) == 2


@pytest.mark.long
async def test_long_after_the_branches_were_read_nobody_comes_to_another_one_of_that_name(company, europe, sqlite_url):
    settings = settings_for(company.facts(), sqlite_url)

    def another_is_called_so(runtime):
        europe.code = "EMEA"
        company.docebo.add_branch("EU", "European Union")
        runtime.org_chart.read_at -= timedelta(minutes=runtime.behaviour.evidence_minutes + 1)

    await import_while(settings, another_is_called_so)

    assert branches_of(company, "ada@example.com", "bob@example.com") == [(europe.id,), (europe.id,)]
    assert charts_read(company) == 2


@pytest.mark.long
async def test_branches_are_not_read_again_where_nobody_is_placed(company, europe, sqlite_url):
    settings = settings_for(company.facts(), sqlite_url)
    await run_import(settings, rows={**ON, "ATTRIBUTES": RULES})
    [user] = [user for user in company.slack if user["profile"].get("email") == "ada@example.com"]
    company.slack.change(user["id"], {"profile": {"last_name": "King"}})

    def much_later(runtime):
        runtime.org_chart.read_at -= timedelta(hours=1)

    done = await import_while(settings, much_later)

    assert done.count(Kind.UPDATE, outcome=Outcome.APPLIED) == 1
    assert charts_read(company) == 2  # once an import


@pytest.mark.parametrize(("becomes", "lands_in"), [("renamed", 1), ("deleted", 0)])
@pytest.mark.variants(1)
async def test_a_run_of_real_time_that_lingers_plans_anew_who_is_refused_for_a_branch_that_it_knows_no_more(
    company, europe, sqlite_url, tmp_path, becomes, lands_in
):
    async with world(company, sqlite_url, tmp_path, ATTRIBUTES=RULES) as here:
        if becomes == "renamed":
            europe.code = "EMEA"
        else:
            del company.docebo.branches[europe.id]
        [ada] = [user["id"] for user in company.slack if user["profile"].get("email") == "ada@example.com"]
        joined = here.event(ada, kind="team_join")
        here.put(joined)
        await here.serve()

        assert here.state(joined) is EventState.APPLIED
    assert branches_of(company, "ada@example.com") == [(europe.id,) * lands_in]
    assert charts_read(company) == 2
