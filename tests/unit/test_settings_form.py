import json

import pytest

from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import IntegrationSettings, documented_rows, read_rows, rows_by_key, table
from slack_docebo.settings_form import GROUPS, SettingsForm, changes, filled, filled_up, proposed_rows, revision
from tasks.change_settings import Proposal

DEFAULTS = {key: default for key, default, _ in documented_rows()}


def form_of(rows, **values):
    """The form as it is filled from *rows*, sent by a browser with *values* in it."""
    shown = json.loads(json.dumps(filled(rows)))
    for group in shown.values():
        group |= {name: value for name, value in values.items() if name in group}
    return SettingsForm.model_validate(shown)


def proposed(rows, **values):
    return proposed_rows(rows, form_of(rows, **values))


def test_each_setting_is_in_one_group_with_a_title_and_help():
    fields = [name for group in GROUPS for name in group.fields]
    schema = SettingsForm.model_json_schema()
    shown = [field for group in schema["$defs"].values() for field in group["properties"].values()]

    assert sorted(fields) == sorted(IntegrationSettings.model_fields)
    assert len({field["title"] for field in shown}) == len(fields)
    assert all(field["description"] for field in shown)
    assert not [field["title"] for field in shown if field.get("type") == "boolean" and "true:" in field["description"]]


def test_a_form_that_nobody_changed_changes_nothing():
    rows = table(DEFAULTS)

    assert proposed(rows) == rows
    assert changes(rows, proposed(rows)) == []


def test_a_row_that_is_missing_is_filled_up_and_is_no_change():
    rows = table({"NOTIFICATION_MAIL_ID": "", "PROVISION_SLACK_USER_DATA": "true", "MAP_SLACK_USER_DATA": "true"})

    assert rows_by_key(proposed(rows)).keys() == DEFAULTS.keys()
    assert changes(rows, proposed(rows)) == []


def test_what_means_the_same_stays_as_it_is_written_and_rows_of_others_stay():
    other = {"integration": "OTHER", "key": "SCOPE_GUESTS", "value": "whatever"}
    rows = [*table({**DEFAULTS, "SCOPE_EMAIL_DOMAINS": "@b.example; a.example", "LEAVERS": "KEEP"}), other]
    after = proposed(rows, scope_guests="all")

    assert changes(rows, after) == [("SCOPE_GUESTS", "none", "all")]
    assert rows_by_key(after)["SCOPE_EMAIL_DOMAINS"] == "@b.example; a.example"
    assert other in after


def test_what_is_typed_is_saved_in_its_normal_form():
    rows = table(DEFAULTS)
    after = proposed(
        rows, scope_email_domains='["@B.example"]\n', limit_creations="5% ; 20", protected_accounts="a@b.example;c*"
    )

    assert changes(rows, after) == [
        ("SCOPE_EMAIL_DOMAINS", "", "b.example"),
        ("PROTECTED_ACCOUNTS", "service.connect", "a@b.example, c*"),
        ("LIMIT_CREATIONS", "none", "20, 5%"),
    ]


def test_a_row_that_is_wrong_or_unknown_is_mended_and_shown_as_a_change():
    rows = table({**DEFAULTS, "SCOPE_GUESTS": "some", "SCOPE_GESTS": "all"})
    after = proposed(rows)

    assert changes(rows, after) == [("SCOPE_GUESTS", "some", "none"), ("SCOPE_GESTS", "all", "")]
    assert read_rows(after)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scope_email_domains", "*.example.com, b example"),
        ("limit_deactivations", "many"),
        ("destination_branch", "-1"),
        ("scope_exclude", "'ann@example.com'"),
        ("realtime_retry_delays", "soon"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_row(field, value):
    with pytest.raises(ConfigurationError, match=rf"row SLACK \| {field.upper()}"):
        proposed(table(DEFAULTS), **{field: value})


def test_a_table_that_is_loaded_keeps_what_it_does_not_name_and_is_filled_up():
    present = [*table({"LEAVERS": "unmap", "SCOPE_GUESTS": "all"}), {"integration": "OTHER", "key": "K", "value": 1}]
    loaded = table({"NOTIFICATION_MAIL_ID": "it@example.com", "SCOPE_GUESTS": "none"})

    found = filled_up(present, loaded)

    assert rows_by_key(found) == {
        **DEFAULTS,
        "LEAVERS": "unmap",
        "NOTIFICATION_MAIL_ID": "it@example.com",
        "SCOPE_GUESTS": "none",
    }
    assert present[-1] in found
    assert filled_up(found, loaded) == found


def test_a_table_that_prefect_would_not_hold_is_without_its_defaults_or_refused():
    entries = [f"person{number:03}@example.com" for number in range(140)]
    long = proposed(table(DEFAULTS), scope_exclude=", ".join(entries))

    assert read_rows(long).scope_exclude == tuple(entries)
    assert set(rows_by_key(long)) == {
        "SCOPE_EXCLUDE",
        "NOTIFICATION_MAIL_ID",
        "PROVISION_SLACK_USER_DATA",
        "MAP_SLACK_USER_DATA",
    }
    with pytest.raises(ConfigurationError, match=r"and a Variable of Prefect holds 5,000"):
        proposed(table(DEFAULTS), scope_exclude=", ".join(entries), scope_include=", ".join(entries))


def test_a_table_that_is_none_shows_the_defaults():
    assert filled(None) == filled(table(DEFAULTS)) == filled([{"integration": "SLACK"}, 3])


def test_another_table_has_another_revision():
    rows = table(DEFAULTS)

    assert revision(rows) == revision(json.loads(json.dumps(rows)))
    assert (
        len({revision(rows), revision(None), revision(rows[1:]), revision(table({**DEFAULTS, "LEAVERS": "unmap"}))})
        == 4
    )


def test_a_switch_that_is_off_for_what_it_says_is_named_where_other_settings_are_checked_and_saved():
    rows = table({**DEFAULTS, "MAP_SLACK_USER_DATA": "WAHR"})
    settings = read_rows(proposed(rows, scope_guests="all"))
    proposal = Proposal([], settings, changes=[], before={}, rules_before=(), save=Step("Save", "settings"))

    assert proposal.perhaps_not_meant == "; MAP_SLACK_USER_DATA says 'WAHR' and is off: only true switches it on"
