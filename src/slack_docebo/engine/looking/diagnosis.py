"""The diagnosis of an installation: a finding for each check, without the secrets of this process."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from slack_docebo.domain.texts import markdown
from slack_docebo.redaction import redacted


class Level(StrEnum):
    """How bad a finding is, the best first."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; *message* says what to do, unless the level is OK."""

    check: str
    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings of all checks."""

    findings: Sequence[Finding]

    @property
    def failed(self) -> list[str]:
        """The names of the checks that found what keeps a run from working."""
        return [finding.check for finding in self.findings if finding.level is Level.FAIL]

    @property
    def line(self) -> str:
        """The diagnosis in one line, for the state of a run."""
        if self.failed:
            checks = f"{len(self.failed)} of {len(self.findings)} checks"
            return f"{checks} failed: {', '.join(self.failed)}; the run's table says what to do"
        warnings = sum(finding.level is Level.WARN for finding in self.findings)
        return f"nothing is in the way of a run; {warnings} of {len(self.findings)} checks found what is worth knowing"

    def markdown(self) -> str:
        """The findings as a table in Markdown, the worst first."""
        worst_first = sorted(self.findings, key=lambda found: list(Level).index(found.level), reverse=True)
        cells = ([found.check, found.level, markdown(found.message)] for found in worst_first)
        return "\n".join(["| check | | |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in cells)])


def ok(check: str, message: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Level.OK, redacted(message))


def warn(check: str, message: str) -> Finding:
    """Return a finding that hinders no run but that an administrator should know."""
    return Finding(check, Level.WARN, redacted(message))


def fail(check: str, message: str) -> Finding:
    """Return a finding of something that keeps a run from working."""
    return Finding(check, Level.FAIL, redacted(message))
