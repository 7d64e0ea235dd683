import pytest

from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.people import SourceUser
from slack_docebo.integration_settings import read_written

OFF = {"PROVISION_SLACK_USER_DATA": "", "MAP_SLACK_USER_DATA": ""}
OFFICES = {"offices": LookupTable.of("offices", [("Rome", "RM"), ("*", "REST")], heading="office")}
AS_A_FORMULA, IN_AN_EXPRESSION = "last_name = table(offices, title)", "last_name = upper(table(offices, lower(title)))"


def remarks(rules: str, *titles: str) -> list[str]:
    found = read_written({**OFF, "ATTRIBUTES": rules}).with_tables(OFFICES).unused_tables()
    found.see(SourceUser(slack_id=f"U{number}", team="T1", title=title) for number, title in enumerate(titles))
    return found.remarks


@pytest.mark.parametrize("rules", [AS_A_FORMULA, IN_AN_EXPRESSION])
def test_a_table_of_which_no_row_fits_anybody_is_named(rules):
    [told] = remarks(rules, "Milan", "", "Turin")

    assert told.startswith("table offices: none of its rows fits what anybody in scope has in Slack")


@pytest.mark.parametrize("rules", [AS_A_FORMULA, IN_AN_EXPRESSION])
@pytest.mark.parametrize("titles", [["Milan", "rome"], ["", ""], []])
def test_a_table_that_fits_somebody_or_was_asked_for_nothing_is_no_remark(rules, titles):
    assert remarks(rules, *titles) == []


def test_rules_without_a_table_are_no_remark():
    assert remarks("last_name", "Milan") == []
