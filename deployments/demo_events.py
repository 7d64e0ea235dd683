"""The demo's second half: people change in Slack, and it prints how long each change took to Docebo."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deployments.local import ROOT, free_port, process, wait_until_listening, worker

DEPLOYMENT = "realtime-sync/slack-events"
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05

Account = dict[str, Any]


class Companies:
    """The sandbox's Slack and Docebo, read and changed as their users do."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._slack = httpx.Client(base_url=facts["slack_control_url"])
        self._docebo = httpx.Client(base_url=facts["docebo_control_url"])

    def deliver_events_to(self, url: str) -> None:
        self._slack.put("events", json={"request_url": url}).raise_for_status()

    def ordinary_people(self) -> list[Account]:
        """Return Slack's full members who have an ordinary account."""
        accounts = {account["username"] for account in self._accounts() if account["level"] == "user"}
        unusual = ("deleted", "is_bot", "is_restricted", "is_invited_user", "is_stranger")
        return [
            user
            for user in (json.loads(line) for line in self._slack.get("users").text.splitlines())
            if user["profile"].get("email") in accounts and not any(user.get(name) for name in unusual)
        ]

    def hire(self, first: str, last: str, email: str) -> None:
        self._slack.post("users", json={"first_name": first, "last_name": last, "email": email}).raise_for_status()

    def rename(self, user: Account, last: str) -> None:
        self._slack.patch(f"users/{user['id']}", json={"profile": {"last_name": last}}).raise_for_status()

    def deactivate(self, user: Account) -> None:
        self._slack.post(f"users/{user['id']}/deactivate").raise_for_status()

    def seconds_until(self, email: str, shows: Callable[[Account], bool]) -> float:
        """Wait until the account of *email* shows what it should, and return how long that took."""
        begun = time.monotonic()
        while not any(account["username"] == email and shows(account) for account in self._accounts()):
            if time.monotonic() - begun > PATIENCE_SECONDS:
                raise RuntimeError(f"nothing arrived in Docebo within {PATIENCE_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)  # nothing tells when Docebo has it
        return time.monotonic() - begun

    def placed(self) -> str:
        """Say how many accounts are in branches below the root, and how many have a manager."""
        accounts = self._accounts()
        branches = [branch for account in accounts for branch in account["branches"] if branch]
        managed = sum(bool(account["managers"]) for account in accounts)
        return f"{len(branches)} accounts in {len(set(branches))} branches, by department; {managed} with a manager"

    def _accounts(self) -> list[Account]:
        return [json.loads(line) for line in self._docebo.get("users").text.splitlines()]


def show_events(facts: Mapping[str, Any], folder: Path) -> None:
    """Start webhook and worker, change people in Slack, and print how long each change took to arrive."""
    deploy = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--name", DEPLOYMENT]
    subprocess.run(deploy, cwd=ROOT, check=True, capture_output=True)
    companies = Companies(facts)
    print(f"By now Docebo has {companies.placed()}.", flush=True)
    renamed, leaver = companies.ordinary_people()[:2]
    with worker(folder, env={}), _webhook(facts, folder) as address:
        companies.deliver_events_to(f"{address}/slack/events")
        companies.hire("Ada", "Lovelace", "ada.lovelace@example.com")
        seconds = companies.seconds_until("ada.lovelace@example.com", lambda _account: True)
        print(
            f"Ada Lovelace joins Slack: has an account after {seconds:.1f} s, for the worker has just been started,"
            " and starts a run",
            flush=True,
        )
        companies.rename(renamed, "King")
        seconds = companies.seconds_until(renamed["profile"]["email"], lambda account: account["lastname"] == "King")
        print(f"{renamed['id']} is now called King: in Docebo after {seconds:.1f} s, for the run lingers", flush=True)
        companies.deactivate(leaver)
        seconds = companies.seconds_until(leaver["profile"]["email"], lambda account: not account["active"])
        print(f"{leaver['id']} leaves Slack: deactivated in Docebo after {seconds:.1f} s", flush=True)


@contextmanager
def _webhook(facts: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Run the webhook on a free port and yield its address once it listens."""
    port = free_port()
    settings = {"SLACK_SIGNING_SECRET": facts["slack_signing_secret"], "WEBHOOK_PORT": str(port)}
    log = folder / "webhook.log"
    with process([sys.executable, "-m", "deployments.webhook"], log=log, env=settings) as child:
        wait_until_listening(port, child, log)
        yield f"http://127.0.0.1:{port}"
