"""A diagnosis of an installation: what each check found; no secret of this process is shown in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from slack_docebo.domain.texts import markdown
from slack_docebo.redaction import redacted


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; *message* says what to do unless all is well."""

    check: str
    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was found."""

    findings: Sequence[Finding]

    @property
    def failed(self) -> list[str]:
        """The checks that found something in the way of a run."""
        return [finding.check for finding in self.findings if finding.level is Level.FAIL]

    @property
    def line(self) -> str:
        """One line for states."""
        if self.failed:
            checks = f"{len(self.failed)} of {len(self.findings)} checks"
            return f"{checks} failed: {', '.join(self.failed)}; the run's table says what to do"
        warnings = sum(finding.level is Level.WARN for finding in self.findings)
        return f"nothing is in the way of a run; {warnings} of {len(self.findings)} checks found what is worth knowing"

    def markdown(self) -> str:
        """A row for each check."""
        cells = ([found.check, found.level, markdown(found.message)] for found in self.findings)
        return "\n".join(["| check | | |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in cells)])


def ok(check: str, message: str) -> Finding:
    """Return a finding that something is well."""
    return Finding(check, Level.OK, redacted(message))


def warn(check: str, message: str) -> Finding:
    """Return a finding that something is not wrong, but worth knowing."""
    return Finding(check, Level.WARN, redacted(message))


def fail(check: str, message: str) -> Finding:
    """Return a finding that something is in the way of a run."""
    return Finding(check, Level.FAIL, redacted(message))
