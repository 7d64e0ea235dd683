"""What a run says whose form does not fit, and one whose process did not end by itself."""

import json
import logging
import re

import pytest
from prefect.utilities.schema_tools.validation import build_error_obj, validate

from deployments.crashes import how_it_ended
from deployments.our_flows import FLOWS
from deployments.wrong_form import misfits


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"plan_id": "k8tfq19f"}, []),
        ({"plan_id": "../x"}, ["Saved plan has to be an id like k8tfq19f, or nothing"]),
        ({"plan_id": "a" * 9}, ["Saved plan has to be an id like k8tfq19f, or nothing"]),
        (
            {"plan_id": "a", "slack_ids": ["U1", "ada@example.com"]},
            [
                "Only these Slack users, number 2 has to be a Slack id, like U024BE7LH, or several with blanks or commas between"
            ],
        ),
        (
            {"plan_id": "a", "first": -1, "dry_run": "perhaps"},
            [
                "Only the first so many people has to be greater than or equal to 0",
                "Dry run has to be a valid boolean, unable to interpret input",
            ],
        ),
    ],
)
def test_what_does_not_fit_is_told_by_the_names_of_the_fields_and_repeats_nothing(given, told, caplog):
    with caplog.at_level(logging.DEBUG):
        found = misfits(FLOWS["apply-plan"], given)

    assert found == told
    assert "ada@example.com" not in caplog.text


@pytest.mark.parametrize("reference", [{"$ref": 5}, [{"$ref": {"block_document_id": "x"}}], {"a": [{"$ref": "x"}]}])
def test_a_reference_is_refused_and_no_block_is_looked_for(reference):
    assert misfits(FLOWS["explain-user"], {"who": reference}) == [
        "Slack id or docebo:ID holds a reference ($ref), which no form takes"
    ]


def test_a_field_that_is_left_empty_is_named():
    assert misfits(FLOWS["explain-user"], {}) == ["Slack id or docebo:ID has to be filled in"]


def test_the_form_says_in_words_what_it_expects():
    schema = FLOWS["apply-plan"].parameters.model_dump_for_openapi()

    told = build_error_obj(validate({"plan_id": "../x", "slack_ids": ["U1", "ada"]}, schema))

    assert told["errors"] == [
        {"property": "plan_id", "errors": ["'an id like k8tfq19f, or nothing' was expected"]},
        {
            "property": "slack_ids",
            "errors": [
                {
                    "index": 1,
                    "errors": ["'a Slack id, like U024BE7LH, or several with blanks or commas between' was expected"],
                }
            ],
        },
    ]


@pytest.mark.parametrize("pasted", ["U1 U2", "U1,U2", " U1;\tU2\n", "\u200bU1\u2060, \u200bU2\ufeff\n"])
def test_ids_may_be_pasted_into_one_field_of_a_list(pasted):
    flow, given = FLOWS["apply-plan"], {"plan_id": "k8tfq19f", "slack_ids": [pasted, "U3"]}

    assert build_error_obj(validate(given, flow.parameters.model_dump_for_openapi()))["valid"]
    assert flow.validate_parameters(given)["slack_ids"] == ["U1", "U2", "U3"]


@pytest.mark.parametrize("blank", ["", " ", ",", "\u200b", "U1\u200bU2"])
def test_a_field_without_an_id_is_not_taken_for_everybody(blank):
    assert misfits(FLOWS["reset-mappings"], {"slack_ids": [blank]})


@pytest.mark.parametrize("field", ["slack_ids", "emails"])
@pytest.mark.parametrize("blank", ["", " ", ",", "\u200b"])
def test_a_field_without_a_person_is_not_taken_for_whoever_s_events_wait(field, blank):
    assert misfits(FLOWS["realtime-sync"], {field: [blank]})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"dry_run": True}, "a dry run is of people who are named"),
        ({"dry_run": True, "let_through": "k8tfq19f"}, "a dry run is of people who are named"),
        ({"slack_ids": ["U1"], "let_through": "k8tfq19f"}, "one of both"),
    ],
)
async def test_a_form_of_which_a_part_would_be_passed_over_does_nothing(given, told):
    state = await FLOWS["realtime-sync"].fn(**given)

    assert (state.is_failed(), told in state.message) == (True, True)


@pytest.mark.parametrize(
    ("flow", "field", "given"),
    [
        ("apply-plan", "plan_id", "k8tfq19f"),
        ("undo", "of", "k8tfq19f"),
        ("explain-user", "who", "docebo:10018"),
        ("personal-data", "slack_id", "U1"),
        ("try-attributes", "who", ""),
    ],
)
def test_blanks_that_came_along_with_an_id_are_left_out(flow, field, given):
    pasted = {field: f" \u200b{given}\ufeff\n"}

    assert build_error_obj(validate(pasted, FLOWS[flow].parameters.model_dump_for_openapi()))["valid"]
    assert FLOWS[flow].validate_parameters(pasted)[field] == given


def test_events_may_be_pasted_into_one_field_of_a_list():
    assert FLOWS["parked-events"].validate_parameters({"event_ids": ["Ev1, Ev2"]})["event_ids"] == ["Ev1", "Ev2"]
    assert misfits(FLOWS["parked-events"], {"event_ids": [""]})


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_no_form_shows_a_pattern_in_place_of_words(flow):
    assert not re.search(
        r'"pattern": "[^"]', json.dumps(flow.parameters.model_dump_for_openapi()).replace('"if": {"pattern"', "")
    )


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (None, "could not be started"),
        (-9, "short of memory"),
        (-11, "by SIGSEGV"),
        (143, "told to end from outside"),
        (3, "exit code 3"),
    ],
)
def test_how_a_process_ended_is_told_in_words(exit_code, words):
    assert words in how_it_ended(exit_code)
