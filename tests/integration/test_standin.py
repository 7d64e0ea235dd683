"""A Docebo that nobody of us has seen is served from the first dry run to a run that has nothing to do."""

from typing import Any

from deployments.local import connection_settings
from sandbox.server import Sandbox
from slack_docebo.domain.dialect import LANGUAGE_FORM, ROWS_PER_CALL, UNKNOWN_OPTIONS
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.looking.diagnosis import Level
from slack_docebo.engine.looking.doctor import examine
from slack_docebo.settings import EVERYTHING, variables
from slack_docebo.storage.store import Store
from tests.importing import run_import, settings_for
from tests.standin.docebo import CLIENT_ID, CLIENT_SECRET, GRADE, MOST_ROWS, NAMES, Tenant, serving

ROWS = {
    "ATTRIBUTES": f"email, first_name, last_name, language, time_zone, field_{GRADE} = title",
    "LEAVERS": "deactivate",
    "LIMIT_DEACTIVATIONS": "none",
}


async def test_a_tenant_unlike_any_other_is_served_without_a_setting(sqlite_url, monkeypatch):
    monkeypatch.setattr("slack_docebo.clients.retries._MINUTE", lambda _: 0.0)
    tenant = Tenant()
    with Sandbox(users=170, docebo_users=0, rate_limits=False) as slack, serving(tenant) as url:
        ada = slack.slack.add("Ada", "Lovelace", "ada@example.com")
        slack.slack.change(ada["id"], {"profile": {"title": "senior"}, "locale": "de-DE"})
        known = tenant.join(username="grace", email="grace@example.com", firstname="Grazia", lastname="Hopper")
        grace = slack.slack.add("Grace", "Hopper", "grace@example.com")
        settings = settings_for(facts(slack, url), sqlite_url)

        planned = await run_import(settings, rows=ROWS, dry_run=True)
        assert tenant.batches == []
        done = await run_import(settings, rows=ROWS)
        assert done.count(Kind.CREATE, outcome=Outcome.APPLIED) == planned.count(Kind.CREATE) > 100
        assert done.count(outcome=Outcome.FAILED) == 0
        again = await run_import(settings, rows=ROWS)
        assert again.count(outcome=Outcome.APPLIED) == again.count(outcome=Outcome.FAILED) == 0
        slack.slack.change(grace["id"], {"deleted": True})
        left = await run_import(settings, rows=ROWS)
        assert left.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1
        last = await run_import(settings, rows=ROWS)
        assert last.count(outcome=Outcome.APPLIED) == last.count(outcome=Outcome.FAILED) == 0

    made = tenant.people[tenant.named("ada@example.com") or 0]
    assert (made["language"], made[f"field_{GRADE}"], made["lastname"]) == (NAMES["de"], "502", "Lovelace")
    assert (tenant.people[known]["firstname"], tenant.people[known]["active"]) == ("Grace", False)
    assert max(tenant.batches) <= MOST_ROWS
    with Store.open(sqlite_url) as store, store.reading() as tables:
        learned = {name: answer.value for name, answer in tables.dialect(url).all().items()}
    assert int(learned[ROWS_PER_CALL.name]) in range(25, MOST_ROWS + 1)
    assert learned[LANGUAGE_FORM.name] == "name"
    assert learned[UNKNOWN_OPTIONS.name] == "powerUser_option, provisioned_by"


async def test_doctor_names_what_the_tenant_does_not_describe(sqlite_url, monkeypatch, tmp_path):
    tenant = Tenant()
    with serving(tenant) as url, Sandbox(users=1, docebo_users=0, rate_limits=False) as slack:
        monkeypatch.chdir(tmp_path)  # no .env there
        for name in variables(*EVERYTHING):
            monkeypatch.delenv(name, raising=False)
        settings = connection_settings(facts(slack, url), tmp_path) | {"DATABASE_URL": sqlite_url}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        found = {finding.check: finding async for finding in examine()}

    assert found["Docebo"].level is Level.OK
    assert "does not list powerUser_option, provisioned_by" in found["Docebo's description"].message
    assert tenant.batches == []


def facts(slack: Sandbox, url: str) -> dict[str, Any]:
    return {**slack.facts(), "docebo_url": url, "docebo_client_id": CLIENT_ID, "docebo_client_secret": CLIENT_SECRET}
