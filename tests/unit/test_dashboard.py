"""Every query of the dashboard and of the alerts is held against what the webhook exposes from its first moment on."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deployments import connections
from slack_docebo.storage.events import MEMBERS_CHANGED
from slack_docebo.webhook.figures import Figures
from slack_docebo.webhook.intake import ABOUT_PEOPLE
from slack_docebo.webhook.metrics import Metrics

GRAFANA = Path(__file__).parents[2] / "deployments" / "grafana"
RULES = yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"][0]["rules"]
QUERIES = {
    **{
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in json.loads((GRAFANA / "webhook.json").read_text())["panels"]
        for target in panel["targets"]
    },
    **{rule["alert"]: rule["expr"] for rule in RULES},
}
SERIES = re.compile(r"(slack_docebo_\w+|process_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)="([^"]*)"')
BY = re.compile(r"\bby \(([^)]*)\)")


@pytest.fixture(scope="module")
def exposed():
    metrics = Metrics()
    metrics.observe_runs(Figures())
    families = text_string_to_metric_families(metrics.page().decode())
    return [sample for family in families for sample in family.samples]


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_finds_what_it_asks_for_before_anything_has_happened(query, exposed):
    asked = SERIES.findall(query)
    labels = {label.strip() for group in BY.findall(query) for label in group.split(",")} - {"le"}

    assert asked
    for name, matchers in asked:
        wanted = dict(MATCHER.findall(matchers))
        found = [sample for sample in exposed if sample.name == name and wanted.items() <= sample.labels.items()]
        assert found, f"nothing is exposed as {name}{{{matchers}}}"
        assert labels <= found[0].labels.keys()


def test_how_long_events_took_is_a_histogram_of_those_of_the_last_day():
    metrics = Metrics()
    metrics.observe_runs(Figures(seconds=[0.4, 0.5, 7.0]))
    metrics.observe_runs(Figures(seconds=[0.5, 7.0]))  # the first is a day old by now

    page = metrics.page().decode()

    took = re.findall(r'^slack_docebo_event_to_account_seconds_bucket{le="([^"]+)"} (\S+)$', page, re.MULTILINE)
    assert [(le, count) for le, count in took if le in {"0.25", "0.5", "5.0", "10.0", "+Inf"}] == [
        ("0.25", "0.0"),
        ("0.5", "1.0"),
        ("5.0", "1.0"),
        ("10.0", "2.0"),
        ("+Inf", "2.0"),
    ]


def test_each_kind_of_event_is_counted_from_the_start(exposed):
    stored = {one.labels["kind"] for one in exposed if one.name == "slack_docebo_webhook_events_stored_total"}

    assert stored == {*ABOUT_PEOPLE, MEMBERS_CHANGED}


def test_each_reason_to_close_a_connection_is_counted_from_the_start(exposed):
    closed = {one.labels["reason"] for one in exposed if one.name == "slack_docebo_webhook_connections_closed_total"}

    assert closed == set(re.findall(r'"(too [a-z ]+)"', Path(connections.__file__).read_text()))


def test_what_somebody_wants_so_is_no_alarm():
    """Neither that events stay parked nor that nothing is written on days of FREEZE."""
    asked = {rule["alert"]: {(name, matcher) for name, matcher in SERIES.findall(rule["expr"])} for rule in RULES}
    frozen = ("slack_docebo_last_timestamp_seconds", 'what="freeze"')

    assert not any(("slack_docebo_inbox_parked", "") in series for series in asked.values())
    assert frozen in asked["SlackDoceboNoImport"] & asked["SlackDoceboEventsWait"]


@pytest.mark.parametrize("what", ["import", "sweep"])
def test_what_has_never_been_is_an_alarm_too(what):
    never = f'slack_docebo_last_timestamp_seconds{{what="{what}"}} == 0'
    assert [rule["alert"] for rule in RULES if rule["expr"].startswith(never)]


def test_a_wrong_signing_secret_is_an_alarm_however_few_events_come():
    rules = [rule for rule in RULES if "refused_in_a_row" in rule["expr"]]

    assert [rule["expr"].partition(">=")[0].strip() for rule in rules] == ["slack_docebo_webhook_refused_in_a_row"]


def test_what_strangers_send_between_two_events_of_slacks_is_no_alarm():
    """Else they could let a mail go out for each event."""
    (rule,) = (rule for rule in RULES if "refused_in_a_row" in rule["expr"])

    assert rule["for"] == "15m"


def test_every_alert_says_what_is_wrong_and_what_to_do():
    assert all(rule["annotations"].keys() == {"summary", "action"} for rule in RULES)
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
