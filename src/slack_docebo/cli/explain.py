"""`slack-docebo explain`: what Slack, Docebo and the journal say of one person."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter

from slack_docebo.cli.exit_codes import DONE, FAILED
from slack_docebo.cli.output import Json, say, show_json, show_rows
from slack_docebo.cli.session import open_session
from slack_docebo.domain.moments import in_utc
from slack_docebo.engine.looking.explaining import Compared, Explanation
from slack_docebo.engine.looking.explaining import explain as explain_person

Who = Annotated[str, Parameter(help="E-mail address, Slack id (U...) or docebo:ID.")]


def explain(who: Who, /, *, json: Json = False) -> int:
    """Print what is known of one person, with the values of attributes, and return the exit code: FAILED for nobody."""
    found = asyncio.run(_explain(who))
    code = DONE if found.is_about_somebody else FAILED
    if json:
        show_json(_as_json(found))
        return code
    for question, answer in found.lines:
        say(f"{question + ':':<15} {answer}")
    attributes = [
        {
            "rule": compared.rule,
            "reads": compared.reads,
            "gives": compared.source,
            "Docebo": compared.target,
            "": _compared(compared),
            "note": compared.note,
        }
        for compared in found.attributes
    ]
    show_rows(attributes, json=False, empty="Nothing to compare.")
    show_rows(_history(found), json=False, empty="No run has dealt with this person before.")
    return code


async def _explain(who: str) -> Explanation:
    async with open_session() as runtime:
        return await explain_person(runtime, who)


def _compared(compared: Compared) -> str:
    if compared.target is None:
        return "no account"
    return "same" if compared.same else "differs"


def _history(found: Explanation) -> list[dict[str, Any]]:
    return [
        {
            "when": in_utc(entry.done_at or plan.created_at),
            "plan": plan.id,
            "kind": plan.kind,
            "operation": entry.operation.kind,
            "attributes": ", ".join(entry.operation.changes),
            "outcome": entry.outcome,
            "why": entry.error or entry.operation.reason,
        }
        for plan, entry in found.history
    ]


def _as_json(found: Explanation) -> dict[str, Any]:
    return {
        "slack_id": found.slack_id,
        "slack_user": asdict(found.user) if found.user else None,
        "out_of_scope": found.out_of_scope,
        "mapping": asdict(found.mapping) if found.mapping else None,
        "account": asdict(found.account) if found.account else None,
        "matched_by": found.match.by,
        "problem": found.match.problem,
        "attributes": [asdict(compared) for compared in found.attributes],
        "operation": asdict(found.operation) if found.operation else None,
        "history": _history(found),
        "left_alone": [
            {
                "since": period.since.isoformat(timespec="seconds"),
                "until": period.until and period.until.isoformat(timespec="seconds"),
                "why": period.standing.reason,
                "docebo_id": period.standing.docebo_id,
                "plan": period.plan_id,
            }
            for period in found.left_alone
        ],
        "last_look": found.last_look and found.last_look.isoformat(timespec="seconds"),
        "notes": found.notes,
    }
