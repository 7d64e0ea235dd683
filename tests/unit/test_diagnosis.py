"""A diagnosis as somebody reads it."""

import re

from slack_docebo.engine.looking.diagnosis import Diagnosis, fail, ok, warn


def test_what_needs_somebody_stands_above_what_is_well_and_else_in_the_order_of_the_checks():
    found = [
        ok("files", "fine"),
        warn("budget", "few"),
        fail("Slack", "no"),
        ok("levels", "fine"),
        fail("Docebo", "no"),
    ]

    rows = re.findall(r"^\| ([\w ]+) \| (ok|warn|fail) ", Diagnosis(found).markdown(), re.MULTILINE)

    assert [check for check, _ in rows] == ["Slack", "Docebo", "budget", "files", "levels"]
