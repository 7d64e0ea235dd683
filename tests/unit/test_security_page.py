"""The table of docs/security.md says which process has which secret, as the code does."""

import re
from pathlib import Path

from slack_docebo.settings import EVERYTHING, RUN, SocketModeSettings, WebhookSettings, secrets_of

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
READERS = {"runs": RUN, "webhook": (WebhookSettings,), "Socket Mode": (SocketModeSettings,)}


def test_the_page_says_which_process_has_which_secret():
    section = PAGE.split("### Secrets: which process has which\n")[1].split("\n### ")[0]
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if "|" in line]
    said = {
        who: {name for names, *cells in rows for name in re.findall(r"`(\w+)`", names) if cells[column] == "yes"}
        for column, who in enumerate(head[1:])
    }

    ours = set(secrets_of(*EVERYTHING))
    assert {who: said[who] for who in READERS} == {who: set(secrets_of(*kinds)) for who, kinds in READERS.items()}
    assert said["Prefect's server"] & ours == set()
    assert {name for names, *_ in rows for name in re.findall(r"`(\w+)`", names)} >= ours
