"""The examination of the installation, started in Prefect."""

import pytest

from tasks.status_page import KEY
from tests.e2e.prefect_http import artifacts_of, asked_for_by, finished, set_rows, start


@pytest.fixture
def examined(deployed, at_work):
    """A run of the deployment, and the table it leaves."""

    def examine():
        set_rows(deployed)
        run = finished(deployed, start(deployed, "doctor/is-everything-in-place"))
        [artifact] = artifacts_of(deployed, run["id"])
        return run, artifact["data"]

    return examine


@pytest.mark.long
def test_what_was_found_is_a_table_of_the_run_with_links_to_what_mends_it(deployed, examined):
    run, found = examined()

    assert run["state_type"] == "COMPLETED", run["state"]
    assert "| fail |" not in found
    assert " at work |" in found
    assert "is a superadmin |" in found
    for what in ("Change the settings", "Send a test message", "Look again"):
        assert asked_for_by(deployed, found, what) is not None


def test_a_check_that_fails_makes_the_run_fail_in_one_line_and_the_table_says_what_to_do(deployed, examined, company):
    scopes, company.slack.scopes = company.slack.scopes, frozenset({"users:read"})
    try:
        run, found = examined()
    finally:
        company.slack.scopes = scopes

    assert (run["state_type"], run["state_name"]) == ("FAILED", "Failed")
    assert run["state"]["message"] == (
        "Look at what the run has left to read: 1 of 27 checks failed: Slack; the run's table says what to do"
    )
    assert (
        "| Slack | fail | Slack's bot token lacks users:read.email: add it to the app and install it again |" in found
    )
    [page] = deployed.post("artifacts/filter", json={"artifacts": {"key": {"any_": [KEY]}}}).json()
    assert "Slack did not take our token, or did not answer, at " in page["data"]
