"""What does not fit together, found over real HTTP on both sides."""

import csv
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.files import orphan_file, orphans_shown
from slack_docebo.engine.reporting.orphans import Orphan, OrphanKind, find_orphans
from slack_docebo.errors import IncompleteRead
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.store import Store
from tests.importing import ON, mapped, run_import, settings_for


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=120, rate_limits=False) as running:
        yield running


@pytest.fixture
def fresh(sandbox) -> Sandbox:
    sandbox.reset()
    return sandbox


@pytest.fixture
def settings(fresh, sqlite_url):
    return settings_for(fresh.facts(), sqlite_url)


async def orphans(settings) -> dict[tuple[OrphanKind, str, tuple[int, ...]], str]:
    async with open_runtime(settings, read_rows(table(ON)), run_id="test") as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
            accounts = await read_target(runtime)
            found: list[Orphan] = list(
                find_orphans(
                    runtime.store, runtime.settings.docebo_url, workspace.team, people=people, accounts=accounts
                )
            )
    return {(orphan.kind, orphan.slack_id, orphan.docebo_ids): orphan.why for orphan in found}


@pytest.fixture
async def before(fresh, settings):
    """What the sandbox has from the start, after an import."""
    await run_import(settings)
    return await orphans(settings)


def new(before, after):
    return {key: why for key, why in after.items() if key not in before}


def a_mapped_member(sandbox, settings) -> tuple[str, int]:
    mapping = mapped(settings.database_url.get_secret_value(), sandbox.slack.team.id)
    return next(
        (i, n)
        for i, n in sorted(mapping.items())
        if sandbox.docebo.accounts[n].level == "user" and sandbox.slack.get(i)
    )


async def test_a_customer_is_an_account_without_slack_user(fresh, before):
    customer = fresh.docebo.accounts.by_email("customer0@customers.example")[0].user_id

    assert before[OrphanKind.ACCOUNT, "", (customer,)] == "nobody in Slack bears its e-mail address"


@pytest.mark.long
async def test_administrators_and_inactive_accounts_are_marked(before):
    assert any("(administrator)" in why for (kind, _, _), why in before.items() if kind is OrphanKind.ACCOUNT)


@pytest.mark.long
async def test_two_accounts_with_the_same_address_are_several_for_one_person(before):
    several = [ids for kind, _, ids in before if kind is OrphanKind.SEVERAL_ACCOUNTS]

    assert several
    assert all(len(ids) > 1 for ids in several)


@pytest.mark.long
async def test_a_deleted_account_leaves_a_mapping_behind(fresh, settings, before):
    slack_id, docebo_id = a_mapped_member(fresh, settings)
    fresh.docebo.delete(docebo_id)

    assert new(before, await orphans(settings)) == {
        (OrphanKind.MAPPING_WITHOUT_ACCOUNT, slack_id, (docebo_id,)): "the account is gone from Docebo"
    }


@pytest.mark.long
async def test_a_person_who_left_slack_leaves_account_and_mapping_behind(fresh, settings, before):
    slack_id, docebo_id = a_mapped_member(fresh, settings)
    fresh.slack.deactivate(slack_id)

    assert new(before, await orphans(settings)) == {
        (OrphanKind.MAPPING_WITHOUT_USER, slack_id, (docebo_id,)): "deactivated in Slack",
        (OrphanKind.ACCOUNT, slack_id, (docebo_id,)): "the person has left Slack",
    }


@pytest.mark.long
async def test_nothing_is_concluded_from_a_short_read(fresh, settings, before):
    fresh.slack_gate.faults.add("users.list", "shrinking", share=0.5)
    with pytest.raises(IncompleteRead):
        await orphans(settings)


@pytest.mark.long
async def test_a_mapped_account_is_nobodys_orphan(fresh, settings, before):
    mapping = mapped(settings.database_url.get_secret_value(), fresh.slack.team.id)
    lonely = {n for kind, _, ids in before if kind is OrphanKind.ACCOUNT for n in ids}

    assert not lonely & set(mapping.values())


@pytest.mark.long
async def test_an_import_reports_the_same_at_no_extra_call(fresh, settings, before):
    slack_id, docebo_id = a_mapped_member(fresh, settings)
    fresh.docebo.delete(docebo_id)
    fresh.slack.deactivate(slack_id)
    fresh.docebo_gate.reset()
    expected = await orphans(settings)
    looking = fresh.docebo_gate.counters.calls.copy()
    fresh.docebo_gate.reset()

    summary = await run_import(settings, dry_run=True)

    assert fresh.docebo_gate.counters.calls == looking
    counts = Counter(kind for kind, _, _ in expected)
    assert counts[OrphanKind.MAPPING_WITHOUT_ACCOUNT] == counts[OrphanKind.MAPPING_WITHOUT_USER] == 1
    assert all(f"| {kind} | {counts[kind]} |" in summary.markdown() for kind in OrphanKind)
    file = orphan_file(settings.report_dir, summary.plan.id)
    assert file.name in summary.markdown()
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open(newline="") as lines:
        listed = {
            (OrphanKind(row["finding"]), row["slack_id"], tuple(map(int, row["user_id"].split()))): row["why"]
            for row in csv.DictReader(lines)
        }
    assert listed == expected
    with Store.of(settings) as store:
        shown = orphans_shown(store, settings.report_dir, summary.plan.id, PeopleShown.IDS)
    assert [(row["finding"], row["Docebo user"], row["why"]) for row in shown] == [
        (kind, " ".join(map(str, ids)), why) for (kind, _, ids), why in listed.items()
    ]
    assert shown[-1]["finding"] == OrphanKind.ACCOUNT  # which most are, and most of those are right so


async def test_with_names_an_orphan_is_known_by_what_its_account_shows_or_by_the_handle(fresh, settings):
    names = {**ON, "PEOPLE_SHOWN": "names"}
    await run_import(settings, rows=names)
    slack_id, docebo_id = a_mapped_member(fresh, settings)
    handle = fresh.slack.get(slack_id)["name"]
    fresh.docebo.delete(docebo_id)
    customer = fresh.docebo.accounts.by_email("customer0@customers.example")[0]

    by_name = await run_import(settings, rows=names, dry_run=True)
    by_id = await run_import(settings, dry_run=True)

    with Store.of(settings) as store:
        shown = {
            row["finding"]: row
            for row in orphans_shown(store, settings.report_dir, by_name.plan.id, PeopleShown.NAMES)
            if row["Docebo user"] in {str(docebo_id), str(customer.user_id)}
        }
        assert "known as" not in orphans_shown(store, settings.report_dir, by_name.plan.id, PeopleShown.IDS)[0]
    assert shown[OrphanKind.MAPPING_WITHOUT_ACCOUNT]["known as"] == handle
    known = shown[OrphanKind.ACCOUNT]["known as"]
    assert known.startswith(f"{customer.firstname} {customer.lastname}, customer0@customers.example")
    assert "customer0@" in orphan_file(settings.report_dir, by_name.plan.id).read_text()
    assert "customer0@" not in orphan_file(settings.report_dir, by_id.plan.id).read_text()


@pytest.mark.long
async def test_an_import_that_read_docebo_only_in_part_says_nothing_about_orphans(fresh, settings, before):
    summary = await run_import(settings, dry_run=True, verify_target=False)

    assert "orphans" not in summary.markdown()
    assert not orphan_file(settings.report_dir, summary.plan.id).exists()
