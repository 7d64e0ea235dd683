"""A part of a plan: some of its people are moved to a plan of their own, to be applied first."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from slack_docebo.domain.operations import Kind
from slack_docebo.domain.texts import people as people_in_words
from slack_docebo.domain.texts import some_of
from slack_docebo.engine.reporting.outcomes import pages_beside, pages_of
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import ConfigurationError, NotConfirmed, PlanNotApplicable
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PART_OF, READ_SINCE, Plan, PlanState, new_plan_id
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

OF_THE_PEOPLE = (READ_SINCE, "looked_after", "undoes", "undoes_plans")  # facts that hold for a part as for the whole


@dataclass(frozen=True, slots=True)
class PartChoice:
    """Which people of a plan are chosen: by *slack_ids*, by *kinds* of their operations, and of these the *first*.

    A field that is empty or 0 chooses everybody. All operations of a person stay together.
    """

    slack_ids: Collection[str] = ()
    kinds: Collection[Kind] = ()
    first: int = 0

    def find(self, tables: Tables, plan: Plan) -> list[str]:
        """Return the Slack ids of chosen people for whom something is still planned, in the plan's order.

        Raises ConfigurationError if there are none, or if nothing like that is planned for one of *slack_ids*.
        """
        people, named = tables.operations.people_planned(plan.id, self.kinds or set(Kind)), set(self.slack_ids)
        if unknown := sorted(named - set(people)):
            raise ConfigurationError(
                f"in plan {plan.id} nothing like that is planned for {people_in_words(len(unknown))}: {some_of(unknown)}"
            )
        if named:
            people = [slack_id for slack_id in people if slack_id in named]
        if not people:
            raise ConfigurationError(f"in plan {plan.id} nothing like that is planned for anybody")
        return people[: self.first or None]

    def steps(self, plan_id: str, chosen: int, people: int, page: int) -> list[Step]:
        """Return the next steps when so many of the plan's *people* are *chosen*, and this *page* of them is shown."""
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
    """Return the Slack ids of the people whom *choice* means, and the number of people with planned operations."""
    with store.reading() as tables:
        plan = tables.plans.read(plan_id)
        return choice.find(tables, plan), len(tables.operations.people_planned(plan_id, set(Kind)))


def take_part(runtime: Runtime, plan_id: str, choice: PartChoice, *, confirm: str) -> str:
    """Move the chosen people to a plan of their own, and return its id, or the plan's own id if it is everybody.

    The new plan is compared with the limits when it begins, because a run that dies before has told nobody which limit
    it would exceed. The others stay in the plan.

    Raises NotConfirmed unless *confirm* is the number of chosen people of all, like "20 of 300", so that the same order
    given twice does not take the next twenty. Raises PlanNotApplicable if the plan was begun, or its kind has no parts.
    """
    with runtime.store.transaction() as tables:
        plan = tables.plans.read(plan_id)
        chosen = choice.find(tables, plan)
        people = len(tables.operations.people_planned(plan_id, set(Kind)))
        if confirm.split() != (wanted := f"{len(chosen)} of {people}").split():
            raise NotConfirmed(f"to apply this, type {wanted} as the number of people; nothing was written")
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
