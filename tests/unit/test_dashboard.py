import json
import re
from pathlib import Path

from slack_docebo.webhook.metrics import Metrics

DASHBOARD = Path(__file__).parents[2] / "deployments" / "grafana" / "webhook.json"


def test_the_dashboard_shows_only_what_the_webhook_counts():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = {name for panel in panels for name in re.findall(r"slack_docebo_\w+", panel["targets"][0]["expr"])}
    page = Metrics().page().decode()
    counted = set(re.findall(r"^# HELP (slack_docebo_\w+)", page, re.MULTILINE))

    assert {name for name in shown if name.removesuffix("_bucket") not in counted} == set()
