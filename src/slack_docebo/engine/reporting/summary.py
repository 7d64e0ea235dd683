"""A plan in numbers: as a line, as a page, and as next steps."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slack_docebo.domain.operations import CREATED_STAYS, NOT_TAKEN, OWN_FORM, Kind, Outcome
from slack_docebo.domain.profiles import when_read
from slack_docebo.domain.standing import WAITING, is_undecided
from slack_docebo.domain.texts import markdown, without_numbers
from slack_docebo.engine.reporting.files import branches_file, orphan_file, values_file
from slack_docebo.engine.reporting.orphans import OrphanKind
from slack_docebo.engine.reporting.outcomes import DONE, IN_WORDS, TABLE_ROWS, acknowledged_in
from slack_docebo.engine.reporting.steps import Shown, Step, words_alone
from slack_docebo.storage.plans import COVERAGE, PART_OF, Plan, PlanKind, PlanState
from slack_docebo.storage.store import Store

REASONS_SHOWN = 100
A_FEW = 5  # people for whom an attribute may be kept back without a word
KEPT_BACK = "Correct that in Docebo, or take the attribute out of SLACK | ATTRIBUTES."
MADE_FOR = {
    PlanKind.BULK_IMPORT: "Import",
    PlanKind.CUSTOM_FIELDS: "Custom profile fields",
    PlanKind.MANAGERS: "Managers",
    PlanKind.MOVES: "Moves to other branches",
    PlanKind.REALTIME_SYNC: "Real-time sync",
    PlanKind.RESET_MAPPINGS: "Reset of mappings",
    PlanKind.UNDO: "Undoing",
}
BECAME = {
    PlanState.PLANNING: "not whole",
    PlanState.PLANNED: "planned, nothing is written yet",
    PlanState.APPLYING: "at work",
    PlanState.APPLIED: "done",
    PlanState.PARTLY_APPLIED: "done in part",
    PlanState.REFUSED: "refused by a limit, nothing is written",
    PlanState.ABANDONED: "not carried out",
}
IN_SHORT = {
    PlanState.PLANNING: "not whole",
    PlanState.APPLYING: "at work",
    PlanState.PARTLY_APPLIED: "applied in part",
    PlanState.ABANDONED: "not carried out",
}
UNTOUCHED = "ended early, nobody is done yet"


def how_far(plan: Plan) -> PlanState:
    """Return how far *plan* has come, as people are told: a reset is kept as abandoned until its backup is written."""
    is_planned = plan.kind is PlanKind.RESET_MAPPINGS and plan.state is PlanState.ABANDONED
    return PlanState.PLANNED if is_planned else plan.state


@dataclass(frozen=True, slots=True)
class Summary:
    """A plan in numbers."""

    plan: Plan
    tally: list[tuple[Kind, str, Outcome, int]]
    acknowledged: Mapping[Outcome, int] = field(default_factory=dict)  # of those who failed or were skipped
    rest: str = ""  # this plan where its run ended early, or that of which it is a part, while there is more to apply
    may_have_begun: bool = False  # something was sent, and nobody knows what became of it

    def count(self, *kinds: Kind, outcome: Outcome | None = None) -> int:
        """Return how many people have one of *kinds* (any, if none is named) and *outcome* (any, if None)."""
        return sum(
            people
            for kind, _, became, people in self.tally
            if (not kinds or kind in kinds) and outcome in {None, became}
        )

    @property
    def undecided(self) -> int:
        """How many people are left alone until somebody has decided whose an account is."""
        return sum(people for kind, reason, _, people in self.tally if kind is Kind.LEAVE and is_undecided(reason))

    @property
    def failed(self) -> int:
        """How many people failed, without those of whom somebody has acknowledged it."""
        return self.count(outcome=Outcome.FAILED) - self.acknowledged.get(Outcome.FAILED, 0)

    @property
    def skipped(self) -> int:
        """How many people were skipped, without those of whom somebody has acknowledged it."""
        return self.count(outcome=Outcome.SKIPPED) - self.acknowledged.get(Outcome.SKIPPED, 0)

    @property
    def needs_somebody(self) -> bool:
        """Whether anybody failed, was skipped, or is left alone until somebody has decided."""
        return self.undecided + self.failed + self.skipped > 0

    @property
    def is_done(self) -> bool:
        """Whether all of the plan is carried out, apart from what somebody has acknowledged."""
        is_at_end = self.plan.state in {PlanState.APPLIED, PlanState.PARTLY_APPLIED}
        return is_at_end and not (self.failed or self.skipped or self.count(outcome=Outcome.PLANNED))

    @property
    def newly_undecided(self) -> int:
        """How many of the undecided were not undecided in the run before."""
        before = self.plan.left_as_before.items()
        return self.undecided - sum(people for reason, people in before if is_undecided(reason))

    @property
    def kept_back(self) -> dict[str, int]:
        """How many people have an attribute that Docebo refuses, or keeps in its own form; not where they are few."""
        people = Counter[str]()
        for kind, reason, _, count in self.tally:
            names = reason.removeprefix(OWN_FORM).removeprefix(NOT_TAKEN)
            if names != reason and kind is Kind.LEAVE:
                people.update(dict.fromkeys(names.split(", "), count))
        return {name: count for name, count in people.most_common() if count > A_FEW}

    @property
    def line(self) -> str:
        """One line without a name in it, for states, logs and notifications."""
        over = ", over a limit" if self.plan.state is PlanState.PLANNED and self.plan.over_limit else ""
        return f"plan {self.plan.id} ({self.in_short}{over}): {self.people or 'nobody'}"

    @property
    def in_short(self) -> str:
        """How far the plan has come, in a few words."""
        state = how_far(self.plan)
        return UNTOUCHED if self._is_untouched else IN_SHORT.get(state, state)

    @property
    def people(self) -> str:
        """How many people were created, are to be updated, have failed, and so on; "" for nobody."""
        told: list[tuple[int, str]] = []
        for kind, done in DONE.items():
            settled = Outcome.LEFT if kind is Kind.LEAVE else Outcome.APPLIED
            told += [
                (self.count(kind, outcome=settled), done),
                (self.count(kind, outcome=Outcome.PLANNED), f"to {kind}"),
            ]
        told.append((self.undecided, WAITING))  # right behind those left alone, of whom they are
        told += [(self.count(outcome=outcome), outcome) for outcome in (Outcome.FAILED, Outcome.SKIPPED)]
        told.append((sum(self.acknowledged.values()), "of them acknowledged"))
        return ", ".join(f"{count} {became}" for count, became in told if count)

    def told_of(self, kind: Kind) -> str:
        """Say for how many people *kind* is done or planned, has failed or was skipped; without those in line."""
        people = {
            DONE[kind]: self.count(kind, outcome=Outcome.APPLIED),
            f"to {kind}": self.count(kind, outcome=Outcome.PLANNED),
            "failed": self.count(kind, outcome=Outcome.FAILED),
            "skipped": self.count(kind, outcome=Outcome.SKIPPED),
        }
        if kind is Kind.LEAVE:
            return "Newly left alone, and why; without those who are in line"
        return ", ".join(f"{number:,} {what}" for what, number in people.items() if number)

    @property
    def _may_be_applied(self) -> bool:
        is_open = self.plan.state in {PlanState.PLANNED, PlanState.REFUSED}
        return is_open and self.plan.kind is not PlanKind.RESET_MAPPINGS

    @property
    def next_steps(self) -> list[Step]:
        """What can be done next with the plan, or about what it has done."""
        plan, steps = self.plan, []
        may_be_applied = self._may_be_applied
        if may_be_applied and self.count(outcome=Outcome.PLANNED):
            anyway = " although it exceeds a limit" if plan.over_limit else ""
            apply = {"plan_id": plan.id, "dry_run": False}
            steps.append(Step(f"Apply exactly this plan{anyway}", "bulk-import", apply))
            if plan.may_be_parted:
                steps.append(Step("Apply a part of it first", "apply-plan", {"plan_id": plan.id, "first": 20}))
        if self.rest and not may_be_applied:
            words = "Apply this plan" if self.rest_is_all else "Apply the rest of the plan, to everybody else"
            steps.append(self.rest_step(words))
        if self.undecided and plan.kind is PlanKind.BULK_IMPORT and not may_be_applied:  # as the last import says
            seen = {"action": "leave it so", "all_who_wait": True}
            words = f"Acknowledge all who wait for a decision, and leave them as they are: type {self.undecided}"
            steps.append(Step(words, "decide", seen))
        if self.count(outcome=Outcome.APPLIED):
            restore = Step("Show what restoring these mappings would do", "restore-mappings", {"backup": plan.id})
            undo = Step("Show what undoing this would do", "undo", {"of": plan.id})
            steps.append(restore if plan.kind is PlanKind.RESET_MAPPINGS else undo)
        if plan.kind is PlanKind.UNDO:
            steps += self._beside_undoing()
        return steps

    def _beside_undoing(self) -> Iterator[Step]:
        if self.plan.state is PlanState.PLANNED and any(reason == CREATED_STAYS for _, reason, *_ in self.tally):
            with_created = {"of": self.plan.facts.get("undoes"), "deactivate_created": True}
            yield Step("Show what it would do if accounts that were created were deactivated", "undo", with_created)
        yield Step("Change the settings: else the next import does again what is undone", "settings")

    @property
    def rest_is_all(self) -> bool:
        """Whether what is left to apply is this plan as it was made."""
        return self.rest == self.plan.id and self._is_untouched

    def rest_step(self, words: str) -> Step:
        """Return the step that applies what is left of this plan, or of that of which it is a part."""
        return Step(words, "bulk-import", {"plan_id": self.rest, "dry_run": False})

    def markdown(self, first: Iterable[str] = (), shown: Shown = words_alone) -> str:
        """Return the summary as a page: what comes *first*, counts, reasons, calls used; steps as they are *shown*."""
        state = UNTOUCHED if self._is_untouched else BECAME[how_far(self.plan)]
        title = f"# {MADE_FOR[self.plan.kind]} {self.plan.id}: {state}"
        undone = self.plan.facts.get("undoes")
        undoes = f"It undoes what {undone} has done. " if undone else ""
        sides = f"{undoes}Slack workspace {markdown(self.plan.slack_team)} to {markdown(self.plan.docebo)}"
        paragraphs = (
            [title],
            [sides],
            *self._limits(),
            [*first],
            *self._remarks(),
            [*self._numbers(shown)],
            *self._why(shown),
            *self._not_as_in_slack(),
            *self._of_people(shown),
            self._calls(),
            self._accounts(),
            *self._orphans(),
        )
        return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)

    def _numbers(self, shown: Shown) -> Iterator[str]:
        yield from ("## In numbers", "", "| operation | people | applied | failed | skipped | still planned |")
        yield "|---|--:|--:|--:|--:|--:|"
        for kind in DONE:
            if people := self.count(kind):
                outcomes = (Outcome.APPLIED, Outcome.FAILED, Outcome.SKIPPED, Outcome.PLANNED)
                cells = " | ".join(str(self.count(kind, outcome=outcome)) for outcome in outcomes)
                yield f"| {shown(self._people(IN_WORDS.get(kind, kind), kind))} | {people} | {cells} |"

    def _why(self, shown: Shown) -> Iterator[list[str]]:
        """Yield a table of the reasons for changes, and one of why people are left alone."""
        reasons = self._reasons()
        of_changes = [(kind, why, people) for kind, why, people in reasons if kind is not Kind.LEAVE]
        of_others = [(why, people) for kind, why, people in reasons if kind is Kind.LEAVE]
        if of_changes:
            rows = [f"{kind} | {markdown(why)} | {people}" for kind, why, people in of_changes]
            yield ["## Why", "", "| operation | why | people |", "|---|---|--:|", *_first_rows(rows)]
        if of_others:
            rows = [f"{shown(self._people(why, Kind.LEAVE, why))} | {people}" for why, people in of_others]
            yield ["## Left alone", "", "| why they are left alone | people |", "|---|--:|", *_first_rows(rows)]

    def _not_as_in_slack(self) -> Iterator[list[str]]:
        """Say which attributes do not get what Slack says, and where each value is listed."""
        if kept_back := self.kept_back:
            told = ", ".join(f"{name} ({people} people)" for name, people in kept_back.items())
            yield [f"**Not as in Slack:** {markdown(told)}. {KEPT_BACK}"]
        if levels := self.plan.facts.get("unknown_levels"):
            yield [f"**Nobody is a plain user:** {markdown(str(levels))}."]
        shortfalls = self.plan.facts.get("shortfalls")
        if not isinstance(shortfalls, list) or not shortfalls:
            return
        yield ["| attribute | why it stays as it is | values | people |", "|---|---|--:|--:|"] + [
            f"| {markdown(str(one['target']))} | {markdown(str(one['why']))} | {one['values']} | {one['people']} |"
            for one in shortfalls
        ]
        where = f"Each value, with how many people have it: `{values_file(Path(), self.plan.id)}` below `REPORT_DIR`."
        yield [str(self.plan.facts.get("shortfall_fault") or where)]
        if missing := self.plan.facts.get("missing_branches"):
            where = (
                f"Branches are never made from here. `{branches_file(Path(), self.plan.id)}` below `REPORT_DIR` lists the"
                f" {missing} to make in Docebo, and how many people wait for each."
            )
            yield [str(self.plan.facts.get("missing_branches_fault") or where)]

    def _of_people(self, shown: Shown) -> Iterator[list[str]]:
        """Say of how many people the custom fields are known, and who is counted without a row of the plan."""
        coverage = self.plan.facts.get(COVERAGE)
        if isinstance(coverage, list):
            known, people = coverage
            minutes = int(str(self.plan.settings["PROFILE_MINUTES"]))
            rest = "" if known == people else f"; {when_read(people - known, minutes)}"
            yield [f"Custom fields of Slack profiles are known for {known:,} of {people:,} people{rest}."]
        if before := sum(self.plan.left_as_before.values()):
            where = f"in a shell, `slack-docebo plan show {self.plan.id} --operation leave` lists them"
            form = shown(self._people("All who are left alone, and why", Kind.LEAVE))
            yield [f"{before} of them were left alone as before, for the same reason. {form}; {where}."]
        if forgotten := self.plan.facts.get("forgotten"):
            yield [f"Forgotten on request, and left alone without a row: {forgotten} more."]

    def _calls(self) -> list[str]:
        """Say which calls were made, and what asking for people and accounts one by one costs."""
        lines = []
        calls = self.plan.facts.get("calls")
        if isinstance(calls, dict):
            told = ", ".join(f"{n} x {markdown(name)}" for name, n in calls.items())
            lines.append(f"API calls: {sum(calls.values())} ({told}).")
        if evidence := self.plan.facts.get("evidence_calls"):
            at_most = self.plan.facts.get("evidence_calls_at_most")
            expected = f"; up to {at_most} were expected." if at_most else "."
            lines.append(f"Of them, {evidence} asked for people and accounts by their ids{expected}")
        if hurting := self.plan.facts.get("hurting"):
            lines.append(
                f"{hurting} of the operations do harm if they are wrong: each account is asked for before it is shut and, where the"
                " list is older than EVIDENCE_MINUTES, before the others, too, at one call each; then so is Slack for those who"
                " have left or are back."
            )
        if self._may_be_applied and (asked := self.count(Kind.CREATE, Kind.UPDATE, outcome=Outcome.PLANNED)):
            lines.append(
                f"When the plan is applied by its id, Slack is first asked about those who are new or changed ({asked} at most):"
                " one call each, two or three for custom fields and SCIM, or its list where that takes fewer calls."
            )
        return lines

    def _accounts(self) -> list[str]:
        """Say how many accounts Docebo has and will have, and how long the run took."""
        lines = []
        facts = self.plan.facts
        if "accounts" in facts:
            now, then = facts["accounts"], facts.get("accounts_then")
            if now is None:
                lines.append("How many accounts Docebo has is not known yet: a run that lists them all will tell.")
            elif self.plan.state in {PlanState.APPLIED, PlanState.PARTLY_APPLIED}:
                lines.append(f"Docebo had {now} accounts, and {then} were to be there after this plan.")
            else:
                lines.append(f"Docebo has {now} accounts, this plan makes it {then}.")
        if seconds := facts.get("seconds"):
            lines.append(f"Took {seconds} s.")
        return lines

    def _limits(self) -> Iterator[list[str]]:
        if whole := self.plan.facts.get(PART_OF):
            yield [f"This is a part of plan {whole}; the rest stays planned there."]
        if over := self.plan.over_limit:
            through = ", and let through" if self.plan.is_let_through and not self._may_be_applied else ""
            yield [f"**Over the limit{through}:** {markdown('; '.join(over))}"]

    def _remarks(self) -> Iterator[list[str]]:
        remarks = self.plan.facts.get("remarks")
        if isinstance(remarks, list) and remarks:
            yield ["## In the settings, perhaps not meant"]
            yield [f"- {markdown(str(one))}" for one in remarks]

    def _orphans(self) -> Iterator[list[str]]:
        orphans = self.plan.facts.get("orphans")
        if isinstance(orphans, dict):
            rows = [f"| {kind} | {orphans.get(kind, 0)} |" for kind in OrphanKind]
            yield ["| orphans when the plan was made | how many |", "|---|--:|", *rows]
            file = f"`{orphan_file(Path(), self.plan.id)}` below `REPORT_DIR`"
            where = f"By id, {TABLE_ROWS} at most: the table *orphans*. Each of them, on the worker's disk: {file}."
            yield [str(self.plan.facts.get("orphan_fault") or where)]

    @property
    def _is_untouched(self) -> bool:
        """Whether the run that was to apply the plan has ended before it sent anything of it."""
        became = {outcome for _, _, outcome, _ in self.tally}
        is_untouched = not self.may_have_begun and became <= {Outcome.PLANNED, Outcome.LEFT}
        return self.plan.state is PlanState.PARTLY_APPLIED and is_untouched

    def _people(self, words: str, kind: Kind, reason: str = "") -> Step:
        return Step(words, "plan-people", {"plan_id": self.plan.id, "what": DONE[kind], "reason": reason})

    def _reasons(self) -> list[tuple[Kind, str, int]]:
        """Sum up the reasons over the outcomes, with account and Slack ids left out of the text, most people first."""
        sums: dict[tuple[Kind, str], int] = {}
        for kind, reason, _, people in self.tally:
            key = kind, summed_up(reason)
            sums[key] = sums.get(key, 0) + people
        return [(kind, why, people) for (kind, why), people in sorted(sums.items(), key=lambda item: -item[1])]


def summed_up(reason: str) -> str:
    """Return *reason* without the account and Slack ids in it: people of one reason are summed up."""
    return without_numbers(reason).removesuffix(":")


def _first_rows(rows: list[str]) -> list[str]:
    """Return *rows* as those of a table, as many as are shown, and how many there are beyond."""
    shown = rows[:REASONS_SHOWN]
    if len(rows) > REASONS_SHOWN:
        shown.append(f"{len(rows) - REASONS_SHOWN} more reasons, in the full list")
    return [f"| {row} |" for row in shown]


def summary(store: Store, plan_id: str) -> Summary:
    """Return the plan in numbers."""
    with store.reading() as tables:
        plan, told = tables.plans.read(plan_id), tables.operations.tally(plan_id)
        acknowledged = Counter[Outcome](
            entry.outcome
            for entry, _ in acknowledged_in(tables, plan)
            if entry.outcome in {Outcome.FAILED, Outcome.SKIPPED}
        )
        whole = tables.plans.get(str(plan.facts.get(PART_OF, "")))
        open_ones = [one for one in (plan, whole) if one and one.may_be_gone_on_with]
        rest = next((one.id for one in open_ones if tables.operations.people_planned(one.id, set(Kind))), "")
        may_have_begun = tables.intents.has_doubtful(plan_id)
    people = Counter({(kind, reason, outcome): count for kind, reason, outcome, count in told})
    for reason, count in plan.left_as_before.items():
        people[Kind.LEAVE, reason, Outcome.LEFT] += count
    return Summary(
        plan,
        sorted((*what, count) for what, count in people.items()),
        acknowledged=acknowledged,
        rest=rest,
        may_have_begun=may_have_begun,
    )
