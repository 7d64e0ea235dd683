"""Everybody in a plan: what was or would be done to whom, who is left alone, and why; by reason and page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from slack_docebo.domain.operations import IN_LINE, IN_LINE_AS_WRITTEN, Kind, Outcome
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.standing import is_undecided
from slack_docebo.domain.texts import people
from slack_docebo.engine.reporting.outcomes import DONE, everybody, page_of, pages_beside, pages_of, what_became
from slack_docebo.engine.reporting.shown import Cells, with_names
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.engine.reporting.summary import summed_up
from slack_docebo.errors import ConfigurationError
from slack_docebo.storage.operations import JournalEntry
from slack_docebo.storage.plans import Plan
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

KINDS = {done: kind for kind, done in DONE.items()}  # by the words of the form


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page of the people to whom a plan does one thing, and their number for each reason."""

    plan_id: str
    what: str  # is done to them, as DONE says it
    reason: str  # that was asked for; "" for all, but for who is in line
    page: int
    rows: Sequence[Cells]
    people: int  # on all pages
    reasons: Mapping[str, int]  # people by each reason there is, most people first
    may_be_chosen: bool  # to be done first: it is planned for some of them

    @property
    def line(self) -> str:
        """One line without a name in it."""
        of_pages = f"; page {self.page} of {self.pages}" if self.pages > 1 else ""
        others = "" if self.reason or self.what != DONE[Kind.LEAVE] else ", without those who are in line"
        return f"plan {self.plan_id}, {self.what}: {people(self.people)}{others}{of_pages}"

    @property
    def pages(self) -> int:
        return pages_of(self.people)

    @property
    def next_steps(self) -> list[Step]:
        """The pages before and after, each reason alone, and what is done about one of them or some."""
        beside = pages_beside(self.page, self.pages)
        steps = [self._showing(words, self.reason, page) for words, page in beside.items()]
        steps += [self._showing(f"{why}: {people(count)}", why) for why, count in self.reasons.items()]
        if self.may_be_chosen:
            part = {"plan_id": self.plan_id, "operations": [KINDS[self.what].value]}
            steps.append(Step("Apply the plan to some of them: give their ids, or how many", "apply-plan", part))
        if any(map(is_undecided, self.reasons)):
            steps.append(Step("Decide about people who wait for it: give their ids", "decide"))
        if self.rows:
            steps.append(Step("Explain one of them: give the id", "explain-user"))
        return steps

    def _showing(self, words: str, reason: str, page: int = 1) -> Step:
        wanted = {"plan_id": self.plan_id, "what": self.what, "reason": reason, "page": page}
        return Step(words, "plan-people", wanted)


def list_people(
    store: Store, docebo: str, *, plan_id: str, what: str, reason: str, page: int, shown: PeopleShown
) -> PeoplePage:
    """Return a page of the people to whom the plan does *what*, for *reason* or for one that contains its words.

    Without *plan_id* it is the newest import, or dry run, of everybody. Raises ConfigurationError where there is no
    such plan, reason or page.
    """
    with store.reading() as tables:
        link = tables.links.get(docebo)
        last = None if plan_id or link is None else tables.plans.last_whole(docebo, link.slack_team)
        if not (plan_id or last):
            raise ConfigurationError("make an import, or a dry run of one, first: there is none yet")
        plan = last or tables.plans.read(plan_id)
        entries = sorted(_entries(tables, plan, KINDS[what]), key=_reason_and_id)
        reasons = Counter(summed_up(entry.operation.reason) for entry in entries)
        wanted = _wanted(reasons, reason)
        found = [entry for entry in entries if summed_up(entry.operation.reason) in wanted]
        part = page_of(found, page)
        rows = with_names(tables, plan.slack_team, list(map(what_became, part)), shown)
        planned = any(entry.outcome is Outcome.PLANNED for entry in found)
        return PeoplePage(
            plan_id=plan.id,
            what=what,
            reason=reason,
            page=page,
            rows=rows,
            people=len(found),
            reasons=dict(reasons.most_common()),
            may_be_chosen=planned and plan.may_be_parted,
        )


def _entries(tables: Tables, plan: Plan, kind: Kind) -> list[JournalEntry]:
    with closing(everybody(tables, plan)) as entries:
        return [entry for entry in entries if entry.operation.kind is kind and entry.operation.slack_id]


def _reason_and_id(entry: JournalEntry) -> tuple[str, str]:
    return entry.operation.reason, entry.operation.slack_id


def _wanted(reasons: Mapping[str, int], words: str) -> set[str]:
    """Return the reason that is *words*, else those containing them; without words, all but that of being in line."""
    if not words.strip():
        return set(reasons) - {IN_LINE, IN_LINE_AS_WRITTEN}
    asked = summed_up(words) or words.strip()
    if asked in reasons:
        return {asked}
    if found := {reason for reason in reasons if asked.casefold() in reason.casefold()}:
        return found
    raise ConfigurationError("this is nobody's reason: leave it empty to see which reasons there are")
