"""`slack-docebo decide`: what somebody decides about single people, and every run respects."""

import asyncio
from contextlib import nullcontext
from typing import Annotated

from cyclopts import App, Parameter

from slack_docebo.cli.output import Json, note, show_json, show_rows
from slack_docebo.cli.session import open_changing_session, open_session
from slack_docebo.engine.mappings.deciding import DecisionAction, DecisionRequest, decide, decision_rows
from slack_docebo.engine.reading.connection import validate
from slack_docebo.storage.gate import import_lock

app = App(name="decide")

Why = Annotated[str, Parameter(help="Kept with the decision.")]
By = Annotated[str, Parameter(help="Who you are, as you say it; kept with the decision.")]
OnlyLeaveSo = Annotated[bool, Parameter(negative="", help="Only what was acknowledged; never and link stay.")]
AllWhoWait = Annotated[int, Parameter(help="Instead of ids: everybody who waits for a decision, as many as this says.")]


@app.command(name="list")
def list_(*, json: Json = False) -> None:
    """List what was decided, about whom, why and by whom."""
    _do(DecisionRequest(DecisionAction.SHOW), json=json)


@app.command
def never(*slack_ids: str, why: Why, by: By, json: Json = False) -> None:
    """Let no run touch these people's accounts and mappings any more."""
    _do(DecisionRequest(DecisionAction.NEVER, slack_ids, why=why, by=by), json=json)


@app.command
def leave_so(*slack_ids: str, all_who_wait: AllWhoWait = 0, why: Why, by: By, json: Json = False) -> None:
    """Acknowledge that these people wait for a decision, or have failed in the last import: no news until that changes.

    Who waits is left alone as now. What has failed is tried as before, in each run.
    """
    request = DecisionRequest(
        DecisionAction.LEAVE_SO, slack_ids, all_who_wait=all_who_wait > 0, confirm=all_who_wait, why=why, by=by
    )
    _do(request, json=json)


@app.command
def link(slack_id: str, docebo_id: int, *, why: Why, by: By, json: Json = False) -> None:
    """Say that this Slack user is that Docebo user."""
    _do(DecisionRequest(DecisionAction.LINK, (slack_id,), docebo_id=docebo_id, why=why, by=by), json=json)


@app.command
def not_made(*slack_ids: str, why: Why, by: By, json: Json = False) -> None:
    """Say that no account was made for these people, of whom that is not known: the next run makes one."""
    _do(DecisionRequest(DecisionAction.NOT_MADE, slack_ids, why=why, by=by), json=json)


@app.command
def take_back(*slack_ids: str, only_leave_so: OnlyLeaveSo = False, json: Json = False) -> None:
    """Take back what was decided about these people; a mapping stays."""
    action = DecisionAction.NO_LONGER_SO if only_leave_so else DecisionAction.TAKE_BACK
    _do(DecisionRequest(action, slack_ids), json=json)


def _do(request: DecisionRequest, *, json: bool) -> None:
    asyncio.run(_decide(request, json=json))


async def _decide(request: DecisionRequest, *, json: bool) -> None:
    """Do what is asked for while no import is at work, which would write what it has planned before; show all decisions."""
    shows = request.action is DecisionAction.SHOW
    async with open_session() if shows else open_changing_session() as runtime:
        place = import_lock(runtime.store, runtime.settings.docebo_url, holder="slack-docebo decide")
        with nullcontext() if shows else place:
            workspace = await validate(runtime)
            told = await decide(runtime, workspace, request)
            rows = decision_rows(runtime.store, workspace)
    if json:
        show_json({"told": told, "decisions": rows})
        return
    if request.action is not DecisionAction.SHOW:
        note(told)
    show_rows(rows, json=False, empty="Nothing was decided about anybody.")
