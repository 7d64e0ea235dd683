"""`slack-docebo attributes`: the attribute mapping tried out."""

import asyncio
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from slack_docebo.cli.exit_codes import DONE, FAILED
from slack_docebo.cli.output import Json, say, show_json, show_rows
from slack_docebo.cli.session import open_session
from slack_docebo.engine.looking.explaining import Compared, explain
from slack_docebo.engine.looking.trying import Tried, try_rules

app = App(name="attributes")

Person = Annotated[
    str, Parameter(help="E-mail address, Slack id (U...) or docebo:ID. Left out: a sample of twenty people.")
]
Rules = Annotated[str, Parameter(help="Try these rules, written as in ATTRIBUTES, instead of the saved ones.")]


@app.command(name="try")
def try_(person: Person = "", /, *, rules: Rules = "", json: Json = False) -> int:
    """Show what the rules of ATTRIBUTES, or others, make of one person or of a sample: what each reads and gives.

    Where there is nobody, the exit code is 1. Nothing is written and nothing is saved. The values are shown here, on the
    terminal, and nowhere else.
    """
    tried = asyncio.run(_try(person, rules))
    code = DONE if tried else FAILED
    if json:
        show_json([asdict(one) for one in tried])
        return code
    for one in tried:
        say(f"{one.slack_id}:")
        show_rows([_row(compared) for compared in one.attributes], json=False, empty="There are no rules.")
    if not tried:
        say("Nobody is in scope." if not person else "Slack shows nobody with that id or address.")
    return code


async def _try(person: str, rules: str) -> list[Tried]:
    async with open_session(rules=rules) as runtime:
        if not person:
            return await try_rules(runtime)
        found = await explain(runtime, person)
        return [Tried(found.slack_id, found.attributes)] if found.user else []


def _row(compared: Compared) -> dict[str, str | None]:
    return {
        "rule": compared.rule,
        "reads": compared.reads,
        "gives": compared.source,
        "Docebo": compared.target,
        "note": compared.note,
    }
