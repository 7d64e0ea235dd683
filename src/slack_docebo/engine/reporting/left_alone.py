"""Who is left alone, and why: all of them, by reason and a page at a time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from slack_docebo.domain.operations import IN_LINE, IN_LINE_AS_WRITTEN, Kind
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.standing import is_undecided
from slack_docebo.domain.texts import people
from slack_docebo.engine.reporting.report import everybody, left_alone_for
from slack_docebo.engine.reporting.shown import Cells, with_names
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import ConfigurationError
from slack_docebo.storage.store import Store

PAGE = 5_000  # people in one table of Prefect's


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """One page of those whom a plan leaves alone for a reason, and how many there are for each."""

    plan_id: str
    reason: str  # that was asked for; "" for all but who is in line
    page: int
    rows: Sequence[Cells]
    people: int  # on all pages
    reasons: Mapping[str, int]  # people by each reason there is, most people first

    @property
    def line(self) -> str:
        """One line without a name in it."""
        are = "is" if self.people == 1 else "are"
        of_pages = f"; page {self.page} of {self.pages}" * (self.pages > 1)
        return f"plan {self.plan_id}: {people(self.people)} {are} left alone{of_pages}"

    @property
    def pages(self) -> int:
        return max(1, -(-self.people // PAGE))

    @property
    def next_steps(self) -> list[Step]:
        """The pages before and after, each reason alone, and deciding about those who wait for it."""
        others = {"The page before": self.page - 1, "The next page": self.page + 1}
        steps = [
            self._showing(words, self.reason, page)
            for words, page in others.items()
            if page in range(1, self.pages + 1)
        ]
        steps += [self._showing(f"{why}: {people(count)}", why) for why, count in self.reasons.items()]
        if any(map(is_undecided, self.reasons)):
            steps.append(Step("Decide about people who wait for it: give their ids", "decide"))
        return steps

    def _showing(self, words: str, reason: str, page: int = 1) -> Step:
        return Step(words, "left-alone", {"plan_id": self.plan_id, "reason": reason, "page": page})


def left_alone(store: Store, docebo: str, *, plan_id: str, reason: str, page: int, shown: PeopleShown) -> LeftAlone:
    """Return a page of those whom the plan leaves alone for *reason*, or for one that has these words in it.

    Without *plan_id* it is the newest import, or dry run, of everybody. Raises ConfigurationError where there is none, no
    such reason, or no such page.
    """
    with store.reading() as tables:
        link = tables.links.get(docebo)
        last = None if plan_id or link is None else tables.plans.last_whole(docebo, link.slack_team)
        if not (plan_id or last):
            raise ConfigurationError("make an import, or a dry run of one, first: there is none yet")
        plan = last or tables.plans.read(plan_id)
        with closing(everybody(tables, plan)) as entries:
            left = sorted(
                (entry.operation.reason, entry.operation.slack_id, entry.operation.docebo_id or 0)
                for entry in entries
                if entry.operation.kind is Kind.LEAVE and entry.operation.slack_id
            )
        reasons = Counter(left_alone_for(why) for why, _, _ in left)
        wanted = _wanted(reasons, reason)
        found = [one for one in left if left_alone_for(one[0]) in wanted]
        part = found[(page - 1) * PAGE : page * PAGE]
        if found and not part:
            raise ConfigurationError(f"choose a page up to {-(-len(found) // PAGE)}: there are no more")
        rows: list[Cells] = [
            {"Slack user": who, "Docebo user": account or None, "why": why} for why, who, account in part
        ]
        return LeftAlone(
            plan.id,
            reason,
            page,
            with_names(tables, plan.slack_team, rows, shown),
            len(found),
            dict(reasons.most_common()),
        )


def _wanted(reasons: Mapping[str, int], words: str) -> set[str]:
    """Return the reason that is *words*, else those that hold them; without any, all but that of who is in line."""
    if not words.strip():
        return set(reasons) - {IN_LINE, IN_LINE_AS_WRITTEN}
    asked = left_alone_for(words) or words.strip()
    if asked in reasons:
        return {asked}
    if found := {reason for reason in reasons if asked.casefold() in reason.casefold()}:
        return found
    raise ConfigurationError("leave the reason empty to see which there are: nobody is left alone for that one")
