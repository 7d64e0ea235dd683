import pytest

from slack_docebo.domain.guards import Limit
from slack_docebo.domain.planning import Kind, Leavers
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import documented_rows, read_rows, read_written, rows_from_csv, table

REQUIRED = {
    "NOTIFICATION_MAIL_ID": "it@example.com",
    "PROVISION_SLACK_USER_DATA": "true",
    "MAP_SLACK_USER_DATA": "true",
}


@pytest.mark.parametrize(
    ("value", "on"), [("true", True), ("TRUE ", True), (True, True), ("yes", False), ("", False), ("1", False)]
)
def test_only_true_switches_provisioning_and_mapping_on(value, on):
    settings = read_rows(table({**REQUIRED, "PROVISION_SLACK_USER_DATA": value, "MAP_SLACK_USER_DATA": value}))

    assert (settings.policy("T1").provision, settings.policy("T1").map) == (on, on)


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_missing_row_is_named(missing):
    rows = table({key: value for key, value in REQUIRED.items() if key != missing})

    with pytest.raises(ConfigurationError, match=rf"row SLACK \| {missing} is missing"):
        read_rows(rows)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (
            "PROVISION",
            "true",
            r"row SLACK \| PROVISION is unknown: allowed keys are NOTIFICATION_MAIL_ID, PROVISION_SL",
        ),
        ("\ud83d", "true", r"row SLACK \| \? is unknown"),
        ("SCOPE_GUESTS", "some", r"row SLACK \| SCOPE_GUESTS: .*'none', 'multi-channel' or 'all'"),
        ("SCOPE_INVITED", "perhaps", r"row SLACK \| SCOPE_INVITED: write true or false"),
        ("LEAVERS", "delete", r"row SLACK \| LEAVERS: .*'keep', 'unmap' or 'deactivate'"),
        ("ATTRIBUTES", "email = boss", r"row SLACK \| ATTRIBUTES: unknown source 'boss'"),
        ("LIMIT_UPDATES", "few", r"row SLACK \| LIMIT_UPDATES: 'few' is not a limit"),
        ("DESTINATION_BRANCH", "Sales", r"row SLACK \| DESTINATION_BRANCH: .*integer"),
        ("SOURCE_MAY_SHRINK", "120", r"row SLACK \| SOURCE_MAY_SHRINK: write a percentage from 0 to 100"),
        ("LIMIT_UPDATES", "9" * 400 + "%", r"row SLACK \| LIMIT_UPDATES: .* is not a limit"),
        ("LIMIT_MINIMUM_SAMPLE", "9" * 400, r"row SLACK \| LIMIT_MINIMUM_SAMPLE: .*less than or equal to 1000000000"),
        ("DESTINATION_BRANCH", "9" * 40, r"row SLACK \| DESTINATION_BRANCH: .*less than or equal to 9{18}"),
        ("ATTRIBUTES", f"field_{'9' * 40} = title", r"row SLACK \| ATTRIBUTES: unknown target"),
        ("REALTIME_RETRY_DELAYS", "30, 999999999999", r"row SLACK \| REALTIME_RETRY_DELAYS: write at most a year"),
        ("INBOX_KEEP_DAYS", "999999999", r"row SLACK \| INBOX_KEEP_DAYS: .*less than or equal to 36600"),
        ("NOTIFICATION_MAIL_ID", "me", r"row SLACK \| NOTIFICATION_MAIL_ID: write an e-mail address"),
    ],
)
def test_a_wrong_row_is_named_with_what_is_allowed(key, value, told):
    with pytest.raises(ConfigurationError, match=told):
        read_rows(table({**REQUIRED, key: value}))


def test_every_wrong_row_is_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        read_rows([*table({**REQUIRED, "LEAVERS": "x", "MATCH_BY": "y"}), "nonsense", *table({"LEAVERS": "keep"})])

    assert all(part in str(caught.value) for part in ("LEAVERS:", "MATCH_BY:", "row 6 should have", "LEAVERS is there"))


@pytest.mark.parametrize("rows", [None, {}, "true", 7])
def test_something_that_is_no_table_is_refused(rows):
    with pytest.raises(ConfigurationError, match="should be a JSON list of rows"):
        read_rows(rows)


def test_rows_of_other_integrations_are_passed_over():
    rows = [*table(REQUIRED), {"integration": "SALESFORCE", "key": "ANYTHING", "value": "x"}]

    assert read_rows(rows) == read_rows(table(REQUIRED))


def test_the_retired_products_export_can_be_loaded():
    exported = "\ufeffIntegration,Key,Value\r\n" + "".join(
        f"SLACK,{key},{value}\r\n" for key, value in REQUIRED.items()
    )

    assert read_rows(rows_from_csv(exported)) == read_rows(table(REQUIRED))


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "Integration,Key,Value\n"])
def test_another_csv_file_is_refused(text):
    with pytest.raises(ConfigurationError, match="columns Integration, Key and Value"):
        rows_from_csv(text)


def test_a_cell_that_csv_does_not_hold_is_told():
    with pytest.raises(ConfigurationError, match="not CSV"):
        rows_from_csv(f"Integration,Key,Value\nSLACK,LEAVERS,{'a' * 200_000}\n")


def test_the_documented_defaults_are_the_defaults():
    written = {key: default for key, default, _ in documented_rows() if key not in REQUIRED}

    assert read_rows(table({**REQUIRED, **written})) == read_rows(table(REQUIRED))


def test_the_rows_reach_the_rules():
    settings = read_rows(
        table({**REQUIRED, "LEAVERS": "Deactivate", "SCOPE_EXCLUDE": "*@x.org, U7", "LIMIT_DEACTIVATIONS": "5, 1%"})
    )

    assert settings.policy("T1").leavers is Leavers.DEACTIVATE
    assert settings.policy("T1").scope.exclude == ("*@x.org", "U7")
    assert settings.limits[Kind.DEACTIVATE] == Limit(5, 1)


def test_a_plan_can_remember_the_settings_it_was_made_with():
    rows = {**REQUIRED, "ATTRIBUTES": "first_name, field_3 = title clear", "LIMIT_UPDATES": "5, 1%", "LEAVERS": "unmap"}
    settings = read_rows(table({**rows, "NOTIFICATION_MAIL_ID": ""}))

    assert read_written(settings.written) == settings
