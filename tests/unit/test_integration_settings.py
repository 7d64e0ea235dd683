import pytest

from slack_docebo.domain.guards import Limit
from slack_docebo.domain.operations import Kind
from slack_docebo.domain.policy import Leavers
from slack_docebo.errors import ConfigurationError
from slack_docebo.given_files import read_given_text
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


@pytest.mark.parametrize(
    ("value", "remarks"),
    [
        ("true", ()),
        ("False", ()),
        ("", ()),
        ("WAHR", ("MAP_SLACK_USER_DATA says 'WAHR' and is off: only true switches it on",)),
        ("ture", ("MAP_SLACK_USER_DATA says 'ture' and is off: only true switches it on",)),
    ],
)
def test_a_switch_that_is_perhaps_meant_to_be_on_is_named(value, remarks):
    assert read_rows(table({**REQUIRED, "MAP_SLACK_USER_DATA": value})).remarks == remarks


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
        ("RECONCILE_AT", "2.30", r"row SLACK \| RECONCILE_AT: write a time of day like 02:30"),
        ("RECONCILE_AT", "24:00", r"row SLACK \| RECONCILE_AT: write a time of day like 02:30"),
        ("TIME_ZONE", "Rome", r"row SLACK \| TIME_ZONE: write the name of a time zone like Europe/Rome"),
        *(
            ("TIME_ZONE", zone, r"row SLACK \| TIME_ZONE: write the name")
            for zone in ("localtime", "posix/Europe/Rome")
        ),
        ("TIME_ZONE", "", r"row SLACK \| TIME_ZONE: write the name of a time zone"),
        ("TIME_ZONE", "../etc/passwd", r"row SLACK \| TIME_ZONE: write the name of a time zone"),
        ("FREEZE", "Christmas", r"row SLACK \| FREEZE: entry 1: no range of days"),
        ("SCOPE_INVITED", "perhaps", r"row SLACK \| SCOPE_INVITED: write true or false"),
        ("LEAVERS", "delete", r"row SLACK \| LEAVERS: .*'keep', 'unmap', 'deactivate' or 'expire'"),
        ("ATTRIBUTES", "email = boss", r"row SLACK \| ATTRIBUTES: rule 1: unknown source"),
        ("LIMIT_UPDATES", "few", r"row SLACK \| LIMIT_UPDATES: write a count"),
        ("DESTINATION_BRANCH", "Sales", r"row SLACK \| DESTINATION_BRANCH: write a whole number"),
        *(
            ("MAX_ACCOUNTS", thousand, r"row SLACK \| MAX_ACCOUNTS: write a whole number, of digits alone")
            for thousand in ("1,000", "1.000")
        ),
        ("SOURCE_MAY_SHRINK", "120", r"row SLACK \| SOURCE_MAY_SHRINK: write a percentage from 0 to 100"),
        ("LIMIT_UPDATES", "9" * 400 + "%", r"row SLACK \| LIMIT_UPDATES: write a count"),
        ("LIMIT_MINIMUM_SAMPLE", "9" * 400, r"row SLACK \| LIMIT_MINIMUM_SAMPLE: .*less than or equal to 1000000000"),
        ("DESTINATION_BRANCH", "9" * 40, r"row SLACK \| DESTINATION_BRANCH: .*less than or equal to 9{18}"),
        ("ATTRIBUTES", f"field_{'9' * 40} = title", r"row SLACK \| ATTRIBUTES: rule 1: unknown target"),
        ("REALTIME_RETRY_DELAYS", "30, 999999999999", r"row SLACK \| REALTIME_RETRY_DELAYS: write at most a year"),
        ("JOURNAL_KEEP_DAYS", "999999999", r"row SLACK \| JOURNAL_KEEP_DAYS: .*less than or equal to 36600"),
        ("INBOX_KEEP_DAYS", "999999999", r"row SLACK \| INBOX_KEEP_DAYS: .*less than or equal to 36600"),
        *(
            ("NOTIFICATION_MAIL_ID", nowhere, r"row SLACK \| NOTIFICATION_MAIL_ID: write an e-mail address")
            for nowhere in ("me", "me@", "mé@example.com", "a b@example.com", "it@example.com, me")
        ),
        (
            "PROTECTED_ACCOUNTS",
            "“ceo@example.com”",
            r"PROTECTED_ACCOUNTS: entry 1 is no pattern, for '“' is in it: .*without quotes",
        ),
        (
            "PROTECTED_ACCOUNTS",
            "\uff0a@example.com",
            r"PROTECTED_ACCOUNTS: .* fits nobody: its '\uff0a' is of full width",
        ),
        ("SCOPE_EXCLUDE", "a@b.com\uff0cc@d.com", r"SCOPE_EXCLUDE: .* fits nobody: its '\uff0c' is of full width"),
        *(
            (
                "SCOPE_EXCLUDE",
                nobody,
                r"SCOPE_EXCLUDE: entry 1 fits nobody: write .*, or \*@example.com for everybody there",
            )
            for nobody in ("@example.com", "mailto:ann@example.com")
        ),
        ("SCOPE_EMAIL_DOMAINS", "example,com", r"SCOPE_EMAIL_DOMAINS: entry 1 is no e-mail domain"),
        ("SCOPE_EMAIL_DOMAINS", "\uff45xample.com", r"SCOPE_EMAIL_DOMAINS: .* its '\uff45' is of full width"),
        (
            "PROTECTED_ACCOUNTS",
            "ce\u200bo",
            r"row SLACK \| PROTECTED_ACCOUNTS: entry 1 is no pattern, for '\\u200b' is",
        ),
    ],
)
def test_a_wrong_row_is_named_with_what_is_allowed(key, value, told):
    with pytest.raises(ConfigurationError, match=told):
        read_rows(table({**REQUIRED, key: value}))


@pytest.mark.parametrize(
    "pasted",
    ["a@x.com\tb@x.com", "a@x.com\r\nb@x.com\r\n", "\ufeffa@x.com;\u200bb@x.com\u200b", '["a@x.com", "b@x.com"]'],
)
def test_a_list_may_be_pasted_from_a_spreadsheet_or_a_page(pasted):
    lists = read_rows(table({**REQUIRED, "SCOPE_EXCLUDE": pasted, "NOTIFICATION_MAIL_ID": pasted}))

    assert (lists.scope_exclude, lists.notification_mail_id) == (("a@x.com", "b@x.com"), "a@x.com, b@x.com")


def test_whoever_gets_mail_may_be_named_beside_the_address():
    settings = read_rows(table({**REQUIRED, "NOTIFICATION_MAIL_ID": "Learning <lms@example.com>; it@example.com"}))

    assert settings.notification_mail_id == "lms@example.com, it@example.com"


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


@pytest.mark.parametrize(
    "exported",
    [
        "\ufeffIntegration;Key;Value\r\nSLACK;LEAVERS;unmap\r\n;;\r\n",
        "sep=;\nIntegration;Key;Value\nSLACK;LEAVERS;unmap\n",
        "Integration\tKey\tValue\nSLACK\tLEAVERS\tunmap\n\n",
        'Key,Value,Integration\n"LEAVERS",unmap,SLACK\n',
    ],
)
def test_a_table_saved_by_any_spreadsheet_can_be_loaded(exported):
    assert read_rows([*table(REQUIRED), *rows_from_csv(exported)]).leavers is Leavers.UNMAP


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_may_be_saved_as_unicode_text(encoding, tmp_path):
    file = tmp_path / "settings.csv"
    file.write_text("Integration\tKey\tValue\nSLACK\tLEAVERS\tunmap\n", encoding=encoding)
    assert rows_from_csv(read_given_text(file, largest=1000))[0]["key"] == "LEAVERS"


def test_a_value_with_an_unquoted_comma_is_refused_with_its_line():
    text = "Integration,Key,Value\nSLACK,LEAVERS,keep\nSLACK,LIMIT_DEACTIVATIONS,10, 1%\n"
    with pytest.raises(
        ConfigurationError, match=r"line 3: 4 cells, the first line has 3; put a value .* double quotes"
    ):
        rows_from_csv(text)


@pytest.mark.parametrize(
    "written", [["ceo@*", "board@*"], '["ceo@*", "board@*"]', "ceo@*; board@*", "ceo@*,\n board@*;", "ceo@*\r\nboard@*"]
)
@pytest.mark.parametrize("key", ["SCOPE_EXCLUDE", "SCOPE_INCLUDE", "PROTECTED_ACCOUNTS"])
def test_a_list_may_be_written_in_any_usual_way(key, written):
    settings = read_rows([*table(REQUIRED), {"integration": "SLACK", "key": key, "value": written}])
    assert getattr(settings, key.lower()) == ("ceo@*", "board@*")


@pytest.mark.parametrize("key", ["SCOPE_EXCLUDE", "SCOPE_INCLUDE", "PROTECTED_ACCOUNTS"])
@pytest.mark.parametrize("written", ["ceo@* board@*", '"ceo@*"', "['ceo@*']", {"a": 1}, [["ceo@*"]], "ceo@*|board@*"])
def test_what_can_be_no_pattern_is_refused_with_the_row(key, written):
    with pytest.raises(ConfigurationError, match=f"row SLACK . {key}: "):
        read_rows([*table(REQUIRED), {"integration": "SLACK", "key": key, "value": written}])


@pytest.mark.parametrize("key", ["SCOPE_EXCLUDE", "SCOPE_INCLUDE", "PROTECTED_ACCOUNTS"])
@pytest.mark.parametrize("wrong", ['"', "\uff20", " "])
def test_a_wrong_entry_is_told_by_its_place_for_it_may_be_the_address_of_somebody(key, wrong):
    written = f"*@example.com, ceo{wrong}@example.com"
    with pytest.raises(ConfigurationError, match=f"{key}: entry 2 ") as refused:
        read_rows(table({**REQUIRED, key: written}))
    assert "ceo" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "written"), [("SCOPE_EMAIL_DOMAINS", "ceo@acme.com"), ("SCOPE_USERGROUPS", "ceo acme")]
)
def test_what_is_no_domain_and_no_group_is_told_by_its_place(key, written):
    with pytest.raises(ConfigurationError, match=f"{key}: entry 1 is no ") as refused:
        read_rows(table({**REQUIRED, key: written}))
    assert "ceo" not in str(refused.value)


def test_a_domain_may_have_its_at_sign():
    rows = table({**REQUIRED, "SCOPE_EMAIL_DOMAINS": "@Example.com; bücher.example"})
    assert read_rows(rows).scope_email_domains == ("example.com", "bücher.example")


@pytest.mark.parametrize("written", ["*.example.com", "ann@example.com", "example com", "https://example.com"])
def test_what_can_be_no_domain_is_refused(written):
    with pytest.raises(ConfigurationError, match=r"SCOPE_EMAIL_DOMAINS: .*is no e-mail domain"):
        read_rows(table({**REQUIRED, "SCOPE_EMAIL_DOMAINS": written}))


def test_a_title_may_hold_a_comma_in_a_json_list():
    titles = ["Slack ID", "Slack name, as shown", "Slack team"]
    rows = [*table({**REQUIRED, "NOTIFICATION_MAIL_ID": ""})]
    settings = read_rows([*rows, {"integration": "SLACK", "key": "MIRROR_FIELDS", "value": titles}])
    assert settings.mirror_fields == tuple(titles)
    assert read_written(settings.written) == settings


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "Integration,Key,Value\n"])
def test_another_csv_file_is_refused(text):
    with pytest.raises(ConfigurationError, match="columns Integration, Key and Value"):
        rows_from_csv(text)


def test_a_column_that_stands_twice_is_told():
    with pytest.raises(ConfigurationError, match="more than one column value: keep"):
        rows_from_csv("Integration,Key,Value,value\nSLACK,LEAVERS,deactivate,keep\n")


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
