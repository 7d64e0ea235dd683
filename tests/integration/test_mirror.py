"""The mapping mirrored into additional fields of a Docebo, over real HTTP."""

from collections.abc import Iterator
from contextlib import asynccontextmanager

import pytest

from sandbox.docebo.attributes import Field
from sandbox.server import Sandbox
from slack_docebo.domain.matching import Accounts
from slack_docebo.engine.mappings.mapping_file import MappingFile
from slack_docebo.engine.mappings.rebuilding import ask_for_former_accounts, rebuild
from slack_docebo.engine.mappings.resetting import back_up, delete_planned, plan_reset
from slack_docebo.engine.mappings.restoring import restore_file
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.mirror_fields import prepare_mirror
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.store import Store
from tests.importing import ON, mapped, prove, run_import, settings_for

TITLES = "Slack ID, Slack Name, Slack Team"
MIRROR = {"MIRROR_FIELDS": TITLES}
FIELDS = (12, 13, 14)  # the sandbox's, by these titles
BATCH = "POST /manage/v1/user/batch"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=30, rate_limits=False) as running:
        yield running


@pytest.fixture
def fresh(sandbox) -> Sandbox:
    sandbox.reset()
    return sandbox


@pytest.fixture
def settings(fresh, sqlite_url):
    return settings_for(fresh.facts(), sqlite_url)


@asynccontextmanager
async def runtime_for(settings, **rows):
    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="test") as runtime:
        yield runtime


async def reset(settings, slack_ids=()):
    def unseen(_rows: int) -> None:
        pass

    async with runtime_for(settings, **MIRROR) as runtime:
        workspace = await validate(runtime)
        plan_id = plan_reset(runtime, workspace, await read_target(runtime), slack_ids)
        back_up(runtime, workspace, plan_id, slack_ids)
        begin(runtime, plan_id)
        await apply_accounts(runtime, plan_id, unseen)
        delete_planned(runtime, workspace, plan_id)
        write_files(runtime.store, plan_id, settings.report_dir)
        return finish(runtime, plan_id)


async def rebuilt(settings, *, dry_run=False, left_out=0):
    async with runtime_for(settings, **MIRROR) as runtime:
        workspace = await validate(runtime)
        accounts = Accounts(one for one in await read_target(runtime) if one.docebo_id != left_out)
        await ask_for_former_accounts(runtime, accounts, runtime.mirror, workspace.team)
        return rebuild(
            runtime.store,
            runtime.settings.docebo_url,
            accounts,
            mirror=runtime.mirror,
            team=workspace.team,
            now=runtime.now(),
            dry_run=dry_run,
        )


def delete_rows(settings, team: str) -> None:
    with Store.of(settings) as store, store.transaction() as tables:
        tables.mappings().delete(team, list(tables.mappings().slack_ids(team)))


def mirrored(sandbox: Sandbox) -> dict[str, int]:
    """Docebo id by mirrored Slack id."""
    return {a.fields[12]: a.user_id for a in sandbox.docebo.accounts if a.fields.get(12)}


def untouchable(sandbox: Sandbox) -> set[int]:
    return {a.user_id for a in sandbox.docebo.accounts if a.level != "user"}


@pytest.mark.long
async def test_id_name_and_team_are_written_in_the_row_of_the_attributes(fresh, settings):
    plain = await run_import(settings, dry_run=True)
    prove(settings)
    summary = await run_import(settings, rows=MIRROR)
    team = fresh.slack.team.id
    mapping = mapped(settings.database_url.get_secret_value(), team)

    assert mirrored(fresh) == {i: n for i, n in mapping.items() if n not in untouchable(fresh)}
    for slack_id, docebo_id in mirrored(fresh).items():
        account = fresh.docebo.accounts[docebo_id]
        assert [account.fields[i] for i in FIELDS] == [slack_id, fresh.slack.get(slack_id)["name"], team]
    rows = sum(summary.count(kind) for kind in ("create", "update"))
    assert fresh.docebo_gate.counters.calls[BATCH] == -(-summary.count("create") // 100) + -(
        -summary.count("update") // 100
    )
    assert rows >= plain.count("create")


@pytest.mark.long
async def test_once_mirrored_nothing_is_written_again(fresh, settings):
    await run_import(settings, rows=MIRROR)
    again = await run_import(settings, rows=MIRROR)

    assert again.count() == again.count("leave")


@pytest.mark.long
async def test_administrators_and_protected_accounts_are_not_written_to(fresh, settings):
    somebody = next(a for a in fresh.docebo.accounts if a.level == "user" and fresh.slack.by_email(a.email))
    await run_import(settings, rows={**MIRROR, "PROTECTED_ACCOUNTS": str(somebody.user_id)})

    for docebo_id in {*untouchable(fresh), somebody.user_id}:
        assert not set(FIELDS) & fresh.docebo.accounts[docebo_id].fields.keys()


async def test_without_mapping_there_is_nothing_to_mirror(fresh, settings):
    await run_import(settings, rows={**MIRROR, "MAP_SLACK_USER_DATA": "false"})

    assert mirrored(fresh) == {}


@pytest.mark.long
async def test_the_table_is_rebuilt_from_the_mirror(fresh, settings):
    await run_import(settings, rows=MIRROR)
    before = mapped(settings.database_url.get_secret_value(), fresh.slack.team.id)
    delete_rows(settings, fresh.slack.team.id)
    planned = await rebuilt(settings, dry_run=True)
    assert mapped(settings.database_url.get_secret_value(), fresh.slack.team.id) == {}
    taken = await rebuilt(settings)

    after = mapped(settings.database_url.get_secret_value(), fresh.slack.team.id)
    assert after == {i: n for i, n in before.items() if n not in untouchable(fresh)}
    assert planned.changed == taken.changed == len(after)
    assert (await rebuilt(settings)).changed == 0


@pytest.mark.long
async def test_accounts_that_name_the_same_person_are_left_out_and_said(fresh, settings):
    await run_import(settings, rows=MIRROR)
    delete_rows(settings, fresh.slack.team.id)
    (slack_id, one), (_, other) = sorted(mirrored(fresh).items())[:2]
    fresh.docebo.edit(other, {"fields": {12: slack_id}})
    taken = await rebuilt(settings)

    assert {row.line for row in taken.refused} == {one, other}
    assert slack_id not in mapped(settings.database_url.get_secret_value(), fresh.slack.team.id)
    assert taken.changed == len(mirrored(fresh)) - 1


@pytest.mark.variants(1)
@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_copy_of_an_account_gets_the_mapping_only_when_the_account_is_gone(fresh, settings, is_gone):
    await run_import(settings, rows=MIRROR)
    slack_id, one = min(mirrored(fresh).items())
    copy = fresh.docebo.accounts.add("copy", fields=dict(fresh.docebo.accounts[one].fields)).user_id
    if is_gone:
        fresh.docebo.delete(one)

    taken = await rebuilt(settings, left_out=one)

    mapping = mapped(settings.database_url.get_secret_value(), fresh.slack.team.id)
    assert (mapping[slack_id], [row.line for row in taken.refused]) == ((copy, []) if is_gone else (one, [copy]))


async def test_who_names_somebody_else_in_the_mirrored_field_does_not_get_that_persons_mapping_believed(
    fresh, settings
):
    await run_import(settings, rows=MIRROR)
    url, team = settings.database_url.get_secret_value(), fresh.slack.team.id
    unmirrored = next(one for one in mapped(url, team) if one not in mirrored(fresh))  # an administrator
    thief = fresh.docebo.accounts[min(mirrored(fresh).values())]
    thief.fields[FIELDS[0]] = unmirrored
    bore = thief.username, thief.email, thief.lastname
    with Store.open(url) as store, store.transaction() as tables:
        mappings = tables.mappings(settings.docebo_url)
        mappings.delete(team, list(mappings.slack_ids(team)))

    await rebuilt(settings)
    assert mapped(url, team)[unmirrored] == thief.user_id
    await run_import(settings, rows=MIRROR)

    assert (thief.username, thief.email, thief.lastname) == bore


async def test_a_reset_empties_the_mirror_and_keeps_the_accounts(fresh, settings):
    await run_import(settings, rows=MIRROR)
    accounts, filled = len(fresh.docebo.accounts), len(mirrored(fresh))
    fresh.docebo_gate.counters.reset()
    summary = await reset(settings)

    assert (summary.count("update", outcome="applied"), len(fresh.docebo.accounts)) == (filled, accounts)
    assert mirrored(fresh) == {}
    assert mapped(settings.database_url.get_secret_value(), fresh.slack.team.id) == {}
    assert fresh.docebo_gate.counters.calls[BATCH] == 2  # the first alone, then the others
    assert not fresh.docebo_gate.counters.violations


@pytest.mark.long
async def test_after_a_restore_the_next_import_fills_the_mirror_again(fresh, settings):
    await run_import(settings, rows=MIRROR)
    before, table_before = mirrored(fresh), mapped(settings.database_url.get_secret_value(), fresh.slack.team.id)
    summary = await reset(settings)
    backup = MappingFile(settings.report_dir / f"mappings-{summary.plan.id}.csv", team=fresh.slack.team.id)
    with Store.of(settings) as store:
        restore_file(store, "", backup, dry_run=False)
    await run_import(settings, rows=MIRROR)

    assert mirrored(fresh) == before
    assert mapped(settings.database_url.get_secret_value(), fresh.slack.team.id) == table_before
    last = await run_import(settings, rows=MIRROR)
    assert last.count() == last.count("leave")


@pytest.mark.long
async def test_a_reset_of_one_person_leaves_the_others_mirrored(fresh, settings):
    await run_import(settings, rows=MIRROR)
    before = mirrored(fresh)
    chosen = min(before)
    await reset(settings, [chosen])

    assert mirrored(fresh) == {i: n for i, n in before.items() if i != chosen}
    assert chosen not in mapped(settings.database_url.get_secret_value(), fresh.slack.team.id)


@pytest.mark.long
async def test_missing_fields_are_made_on_request_only(fresh, settings):
    titles = {"MIRROR_FIELDS": "Slack ID, Chat name, Chat team"}
    with pytest.raises(
        ConfigurationError,
        match=r"no additional field Chat name, Chat team: make it there as a text field, by the form",
    ):
        await run_import(settings, rows=titles)
    async with runtime_for(settings, **titles) as runtime:
        first = await prepare_mirror(runtime.docebo.fields, runtime.behaviour.mirror_fields)
        second = await prepare_mirror(runtime.docebo.fields, runtime.behaviour.mirror_fields)

    assert [(title, made) for title, _, made in first] == [
        ("Slack ID", False),
        ("Chat name", True),
        ("Chat team", True),
    ]
    assert second == [(title, field_id, False) for title, field_id, _ in first]
    await run_import(settings, rows=titles)
    assert mirrored(fresh)


@pytest.mark.parametrize(
    ("extra", "titles", "words"),
    [
        pytest.param(
            Field(90, "slack id"), TITLES, r"several additional fields are called Slack ID \(12, 90\)", id="two"
        ),
        pytest.param(None, "Slack ID, Slack name, Department", "Department is a dropdown, it should be", id="dropdown"),
    ],
)
async def test_fields_that_will_not_do_are_refused(fresh, settings, extra, titles, words):
    if extra:
        fresh.docebo.fields[extra.id] = extra
    with pytest.raises(ConfigurationError, match=words):
        await run_import(settings, rows={"MIRROR_FIELDS": titles})


async def test_a_field_is_not_mirrored_and_written_by_another_rule(fresh, settings):
    with pytest.raises(ConfigurationError, match="field_12 is one of MIRROR_FIELDS and the target of another rule"):
        await run_import(settings, rows={**MIRROR, "ATTRIBUTES": "first_name, field_12 = title"})


@pytest.mark.long
async def test_settings_read_back_from_a_plan_mirror_once(fresh, settings):
    summary = await run_import(settings, dry_run=True, rows=MIRROR)
    again = await run_import(settings, dry_run=True, rows=dict(summary.plan.settings))

    assert again.plan.settings == summary.plan.settings


@pytest.mark.parametrize("titles", ["Slack ID", "a, b, B", "a, b, c, d"])
def test_the_setting_names_three_titles(titles):
    with pytest.raises(ConfigurationError, match="write the titles of three additional fields"):
        read_rows(table({**ON, "MIRROR_FIELDS": titles}))
