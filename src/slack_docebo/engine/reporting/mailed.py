"""The report of an import as a mail: in numbers and words, without anybody's name."""

from collections.abc import Sequence
from dataclasses import dataclass

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.texts import line
from slack_docebo.engine.reporting.attention import Alike
from slack_docebo.engine.reporting.outcomes import DONE
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.integration_settings import ReportMail


@dataclass(frozen=True, slots=True)
class ReportedImport:
    """What is mailed about an import of everybody."""

    summary: Summary
    in_need: Sequence[Alike]
    installation: str  # the Docebo that it is about
    link: str = ""  # to its summary

    @property
    def title(self) -> str:
        return line(f"slack-docebo {self.installation}: import, {self._told or 'nobody was changed'}")

    @property
    def body(self) -> str:
        """The mail as plain text."""
        look = [f"- {some.people}: {line(some.wrong)}. {line(some.to_do)}" for some in self.in_need]
        parts = [
            f"{self._told or 'Nobody was changed'}; {self.summary.count(Kind.LEAVE):,} were left alone.",
            "\n".join(["To look at:", *look]) if look else "There is nothing to do.",
            f"Everybody by id, with links to what can be done next: {self.link}" if self.link else "",
        ]
        return "\n\n".join(filter(None, parts))

    @property
    def _told(self) -> str:
        return ", ".join(
            f"{people:,} {what}"
            for people, what in (
                *((self.summary.count(kind, outcome=Outcome.APPLIED), done) for kind, done in DONE.items()),
                (self.summary.count(outcome=Outcome.FAILED), "failed"),
                (self.summary.count(outcome=Outcome.SKIPPED), "skipped"),
                (sum(self.summary.acknowledged.values()), "of them acknowledged"),
            )
            if people
        )


def is_wanted(wanted: ReportMail, summary: Summary) -> bool:
    """Tell whether a report of what was done is mailed."""
    match wanted:
        case ReportMail.NEVER:
            return False
        case ReportMail.WHEN_CHANGED:
            return summary.count(outcome=Outcome.APPLIED) + summary.failed > 0
        case ReportMail.ALWAYS:
            return True
