"""The proxy's configuration: what it wants defined is defined, and a viewer may post to nothing that acts."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "deployments" / "apache"
PROXY = (FOLDER / "prefect.conf").read_text()
DEFINED = set(re.findall(r"^Define (\w+)", (FOLDER / "sign-on.conf").read_text(), re.MULTILINE))
POSTS = [re.compile(pattern) for pattern in re.findall(r'<LocationMatch "(.+)">', PROXY)[:2]]


def test_whatever_the_proxy_wants_defined_is_asked_for():
    assert set(re.findall(r"\$\{(\w+)\}", PROXY)) == DEFINED


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("flow_runs/filter", True),
        ("work_pools/slack-docebo-flows/workers/filter", True),
        ("events/count-by/day", True),
        ("deployments/1/create_flow_run", False),
        ("flow_runs/1/set_state", False),
        ("block_documents/filter", False),
        ("work_pools/slack-docebo-flows/get_scheduled_flow_runs", False),
        ("flow_runs/filter/../1/set_state", False),
        ("work_pools/1/queues/filter/", False),
    ],
)
def test_a_viewer_may_post_to_what_reads(path, may):
    assert any(pattern.search(f"/api/{path}") for pattern in POSTS) == may
