"""The token becomes that of another workspace after it was checked: none of our people is gone by that."""

from collections.abc import Iterator

import pytest

from sandbox.server import Sandbox
from slack_docebo.errors import IncompleteRead
from tests.between import Call, between, in_json
from tests.importing import ON, mapped, run_import, settings_for

ROWS = {**ON, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none"}
OTHER = {"team_id": "T0OTHER"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        for name in ("ada", "bob", "eva"):
            running.slack.add(name.title(), "Lovelace", f"{name}@example.com")
        yield running


async def test_a_list_of_another_workspace_makes_nobody_a_leaver(sandbox, sqlite_url):
    others = [f"U0OTHER{number}" for number in range(9)]
    is_exchanged: list[bool] = []

    def of_the_other(call: Call):
        if not is_exchanged:
            return None
        if "users.list" in call.path:
            members = [
                {"id": one, **OTHER, "deleted": False, "profile": {**OTHER, "email": f"{one}@other.org"}}
                for one in others
            ]
            return in_json({"ok": True, "members": members, "response_metadata": {"next_cursor": ""}})
        if "users.info" in call.path:
            known = [one for one in others if f"user={one}" in call.path]
            user = {"ok": True, "user": {"id": known[0], **OTHER, "deleted": False}} if known else None
            return in_json(user or {"ok": False, "error": "user_not_found"})
        return None

    with between(sandbox.slack_url, of_the_other) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
        await run_import(settings, rows=ROWS)
        accounts = mapped(sqlite_url, sandbox.slack.team.id)
        is_exchanged.append(True)

        with pytest.raises(IncompleteRead, match=r"nobody in Slack's list is a member of workspace .* SLACK_BOT_TOKEN"):
            await run_import(settings, rows=ROWS)

    assert len(accounts) >= 3
    assert all(sandbox.docebo.accounts.get(docebo_id).active for docebo_id in accounts.values())
    assert mapped(sqlite_url, sandbox.slack.team.id) == accounts
