"""A part of a plan: some of its people are taken out of it, to be done first, and become a plan of their own."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from slack_docebo.domain.operations import Kind
from slack_docebo.domain.texts import people as people_in_words
from slack_docebo.domain.texts import some_of
from slack_docebo.engine.reporting.outcomes import pages_beside, pages_of
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import NotConfirmed, PlanNotApplicable
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PART_OF, READ_SINCE, Plan, PlanState, new_plan_id
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

OF_THE_PEOPLE = (READ_SINCE, "looked_after", "undoes", "undoes_plans")  # facts that hold for a part as for the whole


@dataclass(frozen=True, slots=True)
class PartChoice:
    """Which people of a plan: those of these ids, with an operation of these kinds, and of them the first so many.

    What is not given chooses everybody. All operations of a person go together.
    """

    slack_ids: Collection[str] = ()
    kinds: Collection[Kind] = ()
    first: int = 0

    def find(self, tables: Tables, plan: Plan) -> list[str]:
        """Return the Slack ids in the plan's order, of those for whom something is still planned.

        Raises PlanNotApplicable where that is nobody, or where nothing is planned for one of *slack_ids*.
        """
        people, named = tables.operations.people_planned(plan.id, self.kinds or set(Kind)), set(self.slack_ids)
        if unknown := sorted(named - set(people)):
            raise PlanNotApplicable(
                f"in plan {plan.id} nothing like that is planned for {people_in_words(len(unknown))}: {some_of(unknown)}"
            )
        if named:
            people = [slack_id for slack_id in people if slack_id in named]
        if not people:
            raise PlanNotApplicable(f"in plan {plan.id} nothing like that is planned for anybody")
        return people[: self.first or None]

    def steps(self, plan_id: str, chosen: int, people: int, page: int) -> list[Step]:
        """Return what can be done next where so many of the plan's *people* are *chosen*, of whom this *page* is shown."""
        form = {
            "plan_id": plan_id,
            "first": self.first,
            "operations": list(self.kinds),
            "slack_ids": list(self.slack_ids),
        }
        last = pages_of(chosen)
        return [
            Step(
                f"Apply this to those who are chosen: type {chosen} of {people} as the number of people",
                "apply-plan",
                {**form, "dry_run": False},
            ),
            *(
                Step(f"{words}, {other} of {last}", "apply-plan", {**form, "page": other})
                for words, other in pages_beside(page, last).items()
            ),
        ]


def find_part(store: Store, plan_id: str, choice: PartChoice) -> tuple[list[str], int]:
    """Return whom *choice* means, by Slack id, and for how many people the plan is to do something."""
    with store.reading() as tables:
        plan = tables.plans.read(plan_id)
        return choice.find(tables, plan), len(tables.operations.people_planned(plan_id, set(Kind)))


def take_part(runtime: Runtime, plan_id: str, choice: PartChoice, *, confirm: str) -> str:
    """Take the chosen people out of the plan, and return the id of the plan that they are in now.

    It is held against the limits by itself, once it begins: a run that dies before has told nobody what it would exceed.
    The rest stays planned where it is. A choice of everybody is the plan itself.
    Raises NotConfirmed unless *confirm* is how many people are chosen of how many, like "20 of 300": the same order given
    twice does not take the next twenty. Raises PlanNotApplicable where the plan was begun.
    """
    with runtime.store.transaction() as tables:
        plan = tables.plans.read(plan_id)
        chosen = choice.find(tables, plan)
        people = len(tables.operations.people_planned(plan_id, set(Kind)))
        if confirm.split() != (wanted := f"{len(chosen)} of {people}").split():
            raise NotConfirmed(f"nothing was written: to apply this, give as the number of people: {wanted}")
        if len(chosen) == people:
            return plan_id
        if not plan.may_be_parted or tables.intents.of(plan_id):
            raise PlanNotApplicable(
                f"plan {plan_id} is a {plan.kind} and {plan.state}: only as a whole can it be applied"
            )
        facts = {name: plan.facts[name] for name in OF_THE_PEOPLE if name in plan.facts} | {PART_OF: plan_id}
        part = replace(
            plan, id=new_plan_id(), flow_run=runtime.run_id, state=PlanState.PLANNED, facts=facts, finished_at=None
        )
        tables.plans.create(part)
        tables.operations.move(plan_id, part.id, chosen)
    return part.id
