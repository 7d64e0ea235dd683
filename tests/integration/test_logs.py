import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import logging
from deployments.logs import configure_logs
configure_logs("text"); configure_logs({format!r})
logging.getLogger("slack_docebo.webhook").warning("asked for run %s", "123", extra={{"event_id": "Ev1"}})
"""


def written(log_format: str) -> str:
    program = [sys.executable, "-c", PROGRAM.format(format=log_format)]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stderr


def test_logs_are_one_json_object_a_line_on_request():
    (line,) = written("json").splitlines()

    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"], said["event_id"]) == (
        "WARNING",
        "slack_docebo.webhook",
        "asked for run 123",
        "Ev1",
    )


def test_logs_are_for_people_otherwise():
    (line,) = written("text").splitlines()

    assert line.endswith("WARNING slack_docebo.webhook: asked for run 123")
