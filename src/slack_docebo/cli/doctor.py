"""`slack-docebo doctor`: what an installation lacks, and what to do about it."""

import asyncio
import sys
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from slack_docebo.cli.output import Json, show_json
from slack_docebo.domain.texts import line
from slack_docebo.engine.looking.diagnosis import Diagnosis, Finding, Level
from slack_docebo.engine.looking.doctor import examine

STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def doctor(*, json: Json = False) -> None:
    """Print each finding when it is made; end with exit code 1 if something is in the way of a run."""
    findings = asyncio.run(_examine(show=not json))
    if json:
        show_json([asdict(finding) for finding in findings])
    sys.exit(bool(Diagnosis(findings).failed))


async def _examine(*, show: bool) -> list[Finding]:
    console = Console(soft_wrap=True)
    findings = []
    async for finding in examine():
        findings.append(finding)
        if show:
            level = Text(f"{finding.level:<5}", style=STYLES[finding.level])
            console.print(level.append(line(f"{finding.check}: {finding.message}"), style="default"))
    return findings
